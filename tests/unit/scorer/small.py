"""Hypothesis strategies for small policies over the whole language of rules, and for facts at their boundaries."""

from collections.abc import Sequence
from datetime import timedelta
from math import prod
from typing import Any

from hypothesis import strategies as st

from schemas.engagements import SizeRange
from schemas.envelope import Envelope
from schemas.identity import Identifiers
from schemas.scoring import Scoring
from tests.builders import EMAIL, a_description, a_policy, an_engagement, an_opt_in

MIDNIGHT = a_policy().effective_from + timedelta(days=60)
END = MIDNIGHT + timedelta(days=120)
"""Later than every fact; what still changes then has changed before."""
NONE = (None, None, None)


def one_of_each(**choices: Sequence[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """One choice under each name, in one draw: the number of draws is what an example costs."""
    count = prod(len(values) for values in choices.values())
    assert count < 2**24, "beyond it hypothesis prefers small numbers, which are the first choices"

    def chosen(number: int) -> dict[str, Any]:
        picked = {}
        for name, values in choices.items():
            number, place = divmod(number, len(values))
            picked[name] = values[place]
        return picked

    return st.integers(0, count - 1).map(chosen)


def _instant(days: int, minutes: int = 0, micros: int = 0) -> Any:
    return MIDNIGHT + timedelta(days=days, minutes=minutes, microseconds=micros)


_TIMES: dict[str, Sequence[Any]] = {
    "day": (0, 0, 0, 1, 1, 2, 3, 7, 8, 30, 40, 99),
    "minute": (0, 0, 1, 29, 30, 59, 60, 720, 750, 1439),
    "micro": (0, 0, 0, 0, -1, 1),
}
instants = one_of_each(**_TIMES).map(lambda time: _instant(*time.values()))

_POINTS = (30, 20, 5, 2.5, 1.001, 0.003, 0.001, -0.005, -5, -20)
_ENGAGEMENTS = (
    {"kind": "page_viewed"},
    {"kind": "page_viewed", "content": "pricing"},
    {"kind": "email_opened"},
)
_ATTRIBUTES = (
    {"name": "company_size", "between": [10, 500]},
    {"name": "company_size", "between": [501, 2000]},
    {"name": "industry", "is": ["Financial services", "technology"]},
    {"name": "industry", "is": ["tech - nology"]},
    {"name": "country", "is": ["DE", "at"]},
)
_VALID = (
    *({} for _ in range(7)),
    {"valid_from": _instant(1)},
    {"valid_from": _instant(0, 30), "valid_to": _instant(3, 0, 1)},
    {"valid_to": _instant(8)},
)
_DECAYS = (
    None,
    *({"expire": age} for age in ("1d", "3d", "8d")),
    *({"half_life": age} for age in ("1d", "2d", "3d")),
    *({"linear": age, "share": share} for age, share in (("1d", 0.1), ("7d", 1), ("3d", 0.5), ("2d", 0.05))),
)
_rules = one_of_each(
    points=_POINTS,
    group=("engagement", "engagement", "fit", "negative"),
    exclusive=(*NONE, "x", "y"),
    valid=_VALID,
    wanted=(*_ENGAGEMENTS * 5, *_ATTRIBUTES),
)
_awards = one_of_each(
    award=("once", "per_event"),
    decay=_DECAYS,
    count_by=("event", "session"),
    count=((">=", 1), (">=", 1), (">", 1), (">=", 2), (">", 0), (">=", 1.5), (">", 2.5)),
    window=(*NONE, "30m", "1439m", "1d", "7d", "1s"),
    total=(0.5, 1, 1.5, 2, 3),
    daily=(*NONE, 0.5, 1, 1.5, 2),
)


@st.composite
def _rule(draw: st.DrawFn, number: int) -> dict[str, Any]:
    rule = {"id": f"r{number}", **draw(_rules)}
    rule |= rule.pop("valid")
    wanted = rule.pop("wanted")
    if "name" in wanted:
        return rule | {"attribute": wanted}
    how = draw(_awards)
    rule |= {"engagement": wanted, "decay": how["decay"], "count_by": how["count_by"], "award": how["award"]}
    if how["award"] == "once":
        op, least = how["count"]
        return rule | {"count": {"op": op, "n": least, "window": how["window"]}}
    caps = {name: how[name] and max(round(abs(rule["points"]) * how[name], 3), 0.001) for name in ("total", "daily")}
    return rule | {"total_cap": caps["total"], "per_day_cap": caps["daily"]}


_CLAMPS = (*NONE, {"min": -5}, {"max": 5}, {"max": 2}, {"min": 0}, {"min": -5, "max": 40})
_scorings = one_of_each(
    fit=_CLAMPS,
    engagement=_CLAMPS,
    negative=(None, {"min": -3}),
    max=(*NONE, 25, 2),
    lowest=(0, 0, -5, 0.5),
    floors=((5,), (1, 5), (1, 20), (0.501, 2, 30), (2, 25)),
    op=(">=", ">"),
    profile=((), (), *((test,) for test in _ATTRIBUTES), (_ATTRIBUTES[0], _ATTRIBUTES[3])),
    rules=(1, 2, 2, 3, 4),
)


@st.composite
def scorings(draw: st.DrawFn) -> Scoring:
    """A policy's scoring of one to four rules."""
    how = draw(_scorings)
    floors = [(">=", how["lowest"]), *((how["op"], floor) for floor in how["floors"])]
    return Scoring.model_validate(
        {
            "rules": [draw(_rule(number)) for number in range(how["rules"])],
            "groups": {group: how[group] for group in ("fit", "engagement", "negative") if how[group] is not None},
            "max": how["max"],
            "bands": [{"name": f"b{n}", "least": {"op": op, "n": floor}} for n, (op, floor) in enumerate(floors)],
            "profile": how["profile"],
        }
    )


_events = one_of_each(
    what=("done",) * 6 + ("described",) * 3 + ("opted in",),
    id=("7", "70", "a", "é"),
    source=("crm", "crm-eu", "web"),
    email=(*NONE, EMAIL),
    sentby=(*NONE, "public", "server"),
    **_TIMES,
)
_doings = one_of_each(
    kind=("page_viewed", "page_viewed", "email_opened"), content=("pricing", None), machine=(False,) * 7 + (True,)
)
_descriptions = one_of_each(
    company_size=(*NONE, *NONE, 0, 9, 10, 100, 500, 501, 600),
    company_size_range=(
        *NONE,
        *(SizeRange(least=least, most=most) for least, most in ((10, 500), (9, 10), (500, 501), (501, None))),
    ),
    industry=(*NONE, "", "mining", " TECHNOLOGY ", "financial-services", "Financial  _ Services", "tech_nology"),
    country=(*NONE, "de", "fr"),
)


@st.composite
def _event(draw: st.DrawFn, number: int) -> Envelope:
    how = draw(_events)
    fields: dict[str, Any] = {
        "id": f"{how['id']}{number}",
        "source": how["source"],
        "sentby": how["sentby"],
        "time": _instant(how["day"], how["minute"], how["micro"]),
        "identifiers": Identifiers(email=how["email"]),
    }
    if how["what"] == "done":
        return an_engagement(**draw(_doings), **fields)
    return an_opt_in(**fields) if how["what"] == "opted in" else a_description(**draw(_descriptions), **fields)


@st.composite
def facts(draw: st.DrawFn) -> list[Envelope]:
    """A lead's events in the order of their arrival, which tells nothing of their times."""
    return [draw(_event(number)) for number in range(draw(st.integers(1, 9)))]
