"""Every change of terms is told in words, and what changes nothing is not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from schemas.policy import Band, ClockRule, Gate, Policy, Routing, Rule, Scoring
from scorer.rules.differences import differences
from tests.builders import a_policy
from tests.unit.scorer.drafts import a_draft, done, sized

CLASSIC = a_draft()
RULES: list[dict[str, Any]] = a_policy("classic-50").model_dump(mode="json", by_alias=True, exclude_none=True)[
    "scoring"
]["rules"]
NEW = done("visits", "docs", count=(">=", 2), points=1)
CHANGES: list[tuple[dict[str, Any], list[str]]] = [
    ({"scoring__rules__5__points": 15}, ["downloading a case study: 15 points, were 10"]),
    ({"scoring__rules__5__points": 1}, ["downloading a case study: 1 point, were 10"]),
    ({"scoring__rules__5__group": "fit"}, ["downloading a case study: counts as fit, was engagement"]),
    (
        {"scoring__rules__5__exclusive": "dl"},
        [
            'downloading a case study: of "dl" only the first that is true pays, was: pays whatever else does',
        ],
    ),
    (
        {"scoring__rules__0__attribute__between": [10, 400]},
        ["rule size_small: a company of 10 to 400 people, was: a company of 10 to 500 people"],
    ),
    (
        {"scoring__rules__7__count": {"op": ">=", "n": 3}},
        [
            "rule visit_pricing: viewing the pricing page, at least 3 times, "
            "was: viewing the pricing page, more than 3 times"
        ],
    ),
    (
        {"scoring__rules__6__engagement__kind": "webinar_registered"},
        ["rule webinar: registering for a webinar, was: attending a webinar"],
    ),
    ({"scoring__rules": [*RULES, NEW]}, ["new rule visits: viewing the docs page, at least 2 times: 1 point"]),
    (
        {"scoring__rules": RULES[1:]},
        [
            "rule size_small is gone: a company of 10 to 500 people: 30 points "
            '(of "size" only the first that is true pays)'
        ],
    ),
    (
        {"scoring__rules": [RULES[1], RULES[0], *RULES[2:]]},
        ['of "size" the first that is true pays, now in the order size_mid, size_small'],
    ),
    (
        {"scoring__rules": [sized("tiny", 1, 9, exclusive="size"), *RULES]},
        [
            'new rule tiny: a company of 1 to 9 people: 10 points (of "size" only the first that is true pays)',
            'of "size" the first that is true pays, now in the order tiny, size_small, size_mid',
        ],
    ),
    ({"scoring__bands__2__least": {"op": ">", "n": 60}}, ["band pass begins above 60, was above 50"]),
    ({"scoring__bands__2__least": {"op": ">=", "n": 50}}, ["band pass begins at 50, was above 50"]),
    (
        {"scoring__bands__1__name": "warm"},
        ["new band warm begins at 30", "band nurture is gone, it began at 30"],
    ),
    (
        {"scoring__profile": [{"name": "industry", "is": ["retail"]}]},
        ["target company profile: a company in retail, was: none"],
    ),
    (
        {"scoring__high_intent": ["demo_requested", "trade_show_visited"]},
        [
            "visiting a trade show counts as asking for sales",
            "asking sales directly no longer counts as asking for sales",
        ],
    ),
    (
        {"gate__band": "nurture"},
        [
            "the gate asks that the score is in band nurture or above (at least 30 points), "
            "was: the score is in band pass (more than 50 points)"
        ],
    ),
    (
        {"gate__double_opt_in": True},
        ["the gate also asks that the lead has confirmed the e-mail address (double opt-in)"],
    ),
    ({"gate__engaged": True}, ["the gate also asks that at least one engagement has earned points"]),
    ({"gate__fast_track": False}, ["asking for sales no longer qualifies at any score"]),
    ({"gate__intent_window": "14d"}, ["asking for sales makes high intent for 14 days, was 7 days"]),
    ({"gate__cool_off": "24h"}, ["rest after an episode: 24 hours, was 30 days"]),
    (
        {"routing__roster": [{"id": "ada", "name": "Ada"}]},
        ["leads go in turn to Ada, was: Grace, then Linus, then Margaret"],
    ),
    (
        {"routing__roster__0__email": "g@example.com"},
        ["an owner of the roster has another id or e-mail address"],
    ),
    (
        {"clocks__1__target": "30m"},
        ["CK-S1: sales follows up within 30 minutes of the handoff, if the lead is of high intent, was 1 hour"],
    ),
    (
        {"clocks__3__party": "marketing"},
        [
            "CK-S3: marketing decides within 5 days of the handoff, was: sales decides within 5 days of the handoff",
        ],
    ),
    (
        {"clocks__3__warn": [0.9]},
        [
            "CK-S3: a warning when 90% of the time is gone, was: a warning when 50% and 80% of the time is gone",
        ],
    ),
]
LEAST = {"op": ">=", "n": 5}
SAME: list[dict[str, Any]] = [
    {},
    {"about": "other words", "version": 2, "effective_from": "2026-06-01T00:00:00Z", "policy": "other"},
    {"scoring__rules__7__count": {"op": ">=", "n": 4}},
    {"scoring__rules__3__attribute__is": ["Financial Services"]},
    {"scoring__rules": [*RULES[4:], *RULES[:4]]},
    {"scoring__high_intent": ["sales_inquired", "demo_requested"]},
    {"scoring__bands__0__least": LEAST},
    {"clocks__1__target": "60m"},
    {"clocks__1__warn": [0.8, 0.5]},
]


@pytest.mark.parametrize(("changes", "told"), CHANGES)
def test_a_change_is_told_in_words(changes: dict[str, Any], told: list[str]) -> None:
    after = a_draft(**changes)
    assert list(differences(CLASSIC, after)) == told
    assert differences(after, CLASSIC), "and so is taking it back"
    assert differences(after, after) == ()


@pytest.mark.parametrize("changes", SAME)
def test_what_judges_every_lead_alike_is_no_difference(changes: dict[str, Any]) -> None:
    assert differences(CLASSIC, a_draft(**changes)) == differences(a_draft(**changes), CLASSIC) == ()


def test_a_gate_that_looks_at_the_profile_is_another() -> None:
    strict = a_policy("strict-70")
    told = differences(
        strict, strict.model_copy(update={"gate": strict.gate.model_copy(update={"fit_profile": False})})
    )
    assert told == (
        "the gate no longer asks that the lead fits the target company profile "
        "(a company in financial services or technology, and a company of 10 to 2000 people)",
    )


def test_clocks_come_and_go() -> None:
    fewer = CLASSIC.model_copy(update={"clocks": CLASSIC.clocks[1:]})
    promise = "marketing hands the lead over within 24 hours of its qualification; "
    promise += "a warning when 50% and 80% of the time is gone"
    assert differences(CLASSIC, fewer) == (f"promise CK-M1 is gone: {promise}",)
    assert differences(fewer, CLASSIC) == (f"new promise CK-M1: {promise}",)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (Policy, {"scoring", "gate", "routing", "clocks"}),
        (Scoring, {"rules", "bands", "profile", "high_intent"}),
        (Rule, {"id", "group", "points", "attribute", "engagement", "count", "exclusive"}),
        (Band, {"name", "least"}),
        (Gate, {"band", "double_opt_in", "fit_profile", "engaged", "fast_track", "intent_window", "cool_off"}),
        (Routing, {"roster"}),
        (ClockRule, {"id", "party", "start", "stop", "intent", "target", "warn"}),
    ],
)
def test_no_field_of_a_policy_was_added_without_words(model: type[BaseModel], told: set[str]) -> None:
    """A new term has to get its words in wording.py, its place on the page and its line among the differences."""
    assert set(model.model_fields) - {"policy", "version", "effective_from", "about"} == told
