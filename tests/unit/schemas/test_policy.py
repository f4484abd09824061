"""The format of a policy: what it takes, and what it says of a mistake."""

import copy
import json
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.export import FOLDER
from schemas.policy import Policy
from schemas.scoring import Rule
from schemas.terms import Bound, Duration

POLICY: dict[str, Any] = {
    "policy": "small",
    "version": 1,
    "effective_from": "2026-01-01T00:00:00Z",
    "about": "as small as it gets",
    "scoring": {
        "rules": [
            {
                "id": "size",
                "group": "fit",
                "points": 20,
                "attribute": {"name": "company_size", "between": [50, 500]},
            },
            {"id": "pages", "group": "engagement", "points": 5.5, "engagement": {"kind": "page_viewed"}},
        ],
        "bands": [
            {"name": "cold", "least": {"op": ">=", "n": 0}},
            {"name": "hot", "least": {"op": ">", "n": 50}},
        ],
        "profile": [{"name": "industry", "is": ["software"]}],
    },
    "gate": {"band": "hot", "fit_profile": True, "intent_window": "7d"},
    "routing": {"roster": [{"id": "grace", "name": "Grace"}]},
    "clocks": [{"id": "CK-S1", "party": "sales", "start": "handed_off", "stop": "contacted", "target": "1h"}],
}
DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)


def a_policy(**changes: Any) -> dict[str, Any]:
    """POLICY with the value at each dotted path (`__` for a dot) replaced."""
    policy = copy.deepcopy(POLICY)
    for path, value in changes.items():
        *way, last = path.split("__")
        at: Any = policy
        for step in way:
            at = at[int(step) if isinstance(at, list) else step]
        at[int(last) if isinstance(at, list) else last] = value
    return policy


def schema() -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(json.loads((FOLDER / "jsonschema/policy.schema.json").read_text()))


def test_a_policy_reads_as_it_is_written() -> None:
    policy = Policy.model_validate(POLICY)
    assert (policy.ref.name, policy.ref.version) == ("small", 1)
    assert policy.gate.intent_window == timedelta(days=7)
    assert policy.gate.cool_off == timedelta(days=30)
    assert Policy.model_validate_json(policy.model_dump_json(by_alias=True)) == policy
    schema().validate(POLICY)
    schema().validate(json.loads(policy.model_dump_json(by_alias=True)))


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("24h", timedelta(days=1)),
        ("5d", timedelta(days=5)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, duration: timedelta) -> None:
    assert DURATION.validate_python(text) == duration
    assert DURATION.validate_python(DURATION.dump_python(duration)) == duration


@pytest.mark.parametrize(
    "text", ["", "5", "5w", "1.5h", "-5d", "5 d", "P7D", "5d\n", "\u0665d", "9" * 30 + "d", 5, None]
)
def test_a_duration_is_nothing_else(text: object) -> None:
    with pytest.raises(ValidationError, match="a duration is a whole number and a unit"):
        DURATION.validate_python(text)


@pytest.mark.parametrize("duration", ["0s", "59s", "90s", "60m", "36h", "10d"])
def test_a_duration_is_spelt_in_the_largest_unit_that_fits(duration: str) -> None:
    spelt = DURATION.dump_python(DURATION.validate_python(duration))
    assert spelt == {"0s": "0d", "60m": "1h"}.get(duration, duration)


@pytest.mark.parametrize(
    ("op", "n", "value", "holds"), [(">", 50, 50, False), (">", 50, 50.001, True), (">=", 50, 50, True)]
)
def test_a_bound_says_whether_the_number_is_in(op: str, n: float, value: float, holds: bool) -> None:
    assert Bound.model_validate({"op": op, "n": n}).holds(value) is holds


@pytest.mark.parametrize(("op", "n", "needed"), [(">=", 3, 3), (">", 3, 4), (">=", 2.5, 3), (">", 2.5, 3)])
def test_a_count_takes_as_many_engagements_as_satisfy_its_bound(op: str, n: float, needed: int) -> None:
    rule = Rule.model_validate({**POLICY["scoring"]["rules"][1], "count": {"op": op, "n": n}})
    assert rule.needed == needed
    assert rule.count.holds(needed)
    assert not rule.count.holds(needed - 1)


@pytest.mark.parametrize("points", [0.001, 0.007, 4.35, -12.345, 999.999, 1000])
def test_points_are_exact_to_a_thousandth(points: float) -> None:
    assert Policy.model_validate(a_policy(scoring__rules__0__points=points)).scoring.rules[0].points == points


SIZE = POLICY["scoring"]["rules"][0]
COLD, HOT = POLICY["scoring"]["bands"]
CLOCK = POLICY["clocks"][0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"versoin": 2}, "Extra inputs are not permitted"),
        ({"gate__bnad": "hot"}, "Extra inputs are not permitted"),
        ({"version": 0}, "greater than or equal to 1"),
        ({"effective_from": "2026-01-01T00:00:00"}, "should have timezone info"),
        ({"scoring__rules__0__points": 0.0005}, "multiple of 0.001"),
        ({"scoring__rules__0__points": 1001}, "less than or equal to 1000"),
        ({"scoring__rules__0__points": float("nan")}, "finite number"),
        ({"scoring__rules__0__attribute__is": ["x"]}, "exactly one of 'between' and 'is'"),
        ({"scoring__profile__0": {"name": "country"}}, "exactly one of 'between' and 'is'"),
        ({"scoring__profile__0": {"name": "country", "is": []}}, "one word at least"),
        ({"scoring__profile__0": {"name": "company_size", "is": ["100"]}}, "a number, takes 'between'"),
        ({"scoring__rules__0__attribute__between": [500, 50]}, r"\[low, high\] of company_size"),
        ({"scoring__rules__0__attribute__name": "industry"}, r"\[low, high\] of company_size"),
        ({"scoring__rules__0__engagement": {"kind": "page_viewed"}}, "exactly one of 'attribute' and 'engagement'"),
        ({"scoring__rules__1": {"id": "x", "group": "fit", "points": 1}}, "exactly one of 'attribute' and"),
        ({"scoring__rules__1__count": {"op": ">=", "n": 0}}, "one engagement at least"),
        ({"scoring__rules__1__count": {"op": ">", "n": 200}}, "for 200 at most"),
        ({"scoring__rules__1__count": {"op": ">=", "n": 1, "window": "0s"}}, "longer than nothing"),
        ({"scoring__rules__1__count": {"op": "<", "n": 1}}, "'>' or '>='"),
        ({"scoring__rules": [SIZE, SIZE]}, "rule ids must be unique: size"),
        ({"scoring__bands": []}, "at least 1 item"),
        ({"scoring__bands": [HOT, COLD]}, "bands must rise"),
        ({"scoring__bands": [COLD, {**HOT, "name": "cold"}], "gate__band": "cold"}, "band names must be unique: cold"),
        ({"scoring__bands": [COLD, {**HOT, "least": COLD["least"]}]}, "bands must rise"),
        (
            {"scoring__bands__0__least__n": -1, "scoring__bands__1__least": COLD["least"]},
            "only the lowest band may begin",
        ),
        ({"scoring__groups": {"fit": {"min": 5}}}, "less than or equal to 0"),
        ({"scoring__groups": {"negative": {"max": -5}}}, "greater than or equal to 0"),
        ({"gate__band": "boiling"}, "no band is called 'boiling'"),
        ({"scoring__profile": []}, "gate.fit_profile needs scoring.profile"),
        ({"gate__cool_off": "a month"}, "a duration is a whole number and a unit"),
        ({"gate__cool_off": "36501d"}, "a hundred years"),
        ({"routing__roster": []}, "at least 1 item"),
        ({"clocks": [CLOCK, CLOCK]}, "clock ids must be unique: CK-S1"),
        ({"clocks__0__warn": [1.0]}, "less than 1"),
        ({"clocks__0__start": "met"}, "'qualified' or 'handed_off'"),
        ({"clocks__0__id": "CK S1"}, "match pattern"),
    ],
)
def test_a_mistake_is_told(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Policy.model_validate(a_policy(**changes))


def test_a_band_above_a_number_comes_after_the_band_from_it() -> None:
    bands = [{"name": "from", "least": {"op": ">=", "n": 50}}, {"name": "above", "least": {"op": ">", "n": 50}}]
    policy = Policy.model_validate(a_policy(scoring__bands=bands, gate__band="above"))
    assert [band.name for band in policy.scoring.bands] == ["from", "above"]


def test_the_json_schema_refuses_what_an_editor_can_know_to_be_wrong() -> None:
    mistakes: list[dict[str, Any]] = [{"versoin": 2}, {"version": 0}, {"clocks__0__target": "P7D"}, {"clocks": None}]
    for wrong in mistakes:
        assert not schema().is_valid(a_policy(**wrong))
