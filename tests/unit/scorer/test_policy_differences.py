"""Every change of terms is told in words, and what changes nothing is not."""

from __future__ import annotations

from typing import Any

import pytest

from scorer.rules.words.differences import differences, reasons
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
    ({"gate__engaged": True}, ["the gate also asks that at least one engagement earns points"]),
    ({"gate__fast_track": False}, ["asking for sales no longer qualifies at any score"]),
    ({"gate__intent_window": "14d"}, ["asking for sales makes high intent for 14 days, was 7 days"]),
    ({"gate__cool_off": "24h"}, ["rest after an episode: 24 hours, was 30 days"]),
    ({"apply_to_past": True}, ["who passes by a change of this policy alone is handed off at once"]),
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
VISITED, OPENED = "viewing the pricing page, more than 3 times", "opening an e-mail, at least 5 times"
EACH = {**RULES[5], "award": "per_event", "total_cap": 30}
CHANGES += [
    (
        {"scoring__rules__7__count__window": "30d"},
        [f"rule visit_pricing: {VISITED} within the last 30 days, was: {VISITED}"],
    ),
    (
        {"scoring__rules__7__count_by": "session"},
        [f"rule visit_pricing: {VISITED}, counted by visit (30 minutes without one end a visit), was: {VISITED}"],
    ),
    (
        {"scoring__rules__5": EACH},
        ["downloading a case study: each time, at most 30 in all, was: once"],
    ),
    ({"scoring__rules__8__decay": {"half_life": "30d"}}, [f"{OPENED}: halves every 30 days, was: does not fade"]),
    (
        {"scoring__rules__8__valid_to": "2026-03-01T00:00:00Z"},
        [f"{OPENED}: only before 2026-03-01 00:00 UTC, was: at any time"],
    ),
    (
        {"scoring__rules__8__valid_from": "2026-03-01T00:00:00Z"},
        [f"{OPENED}: only from 2026-03-01 00:00 UTC on, was: at any time"],
    ),
    ({"scoring__rules__8__group": "negative"}, [f"{OPENED}: counts as negative, was engagement"]),
    (
        {"scoring__groups": {"engagement": {"max": 65}, "negative": {"min": -30}}},
        [
            "engagement gives at most 65 points together, was: no bounds",
            "what is negative takes at most 30 points together, was: no bounds",
        ],
    ),
    ({"scoring__max": 100}, ["most points that a lead can have: 100 points, was: no bound"]),
    (
        {"scoring__rules": [*RULES, {**NEW, "decay": {"expire": "90d"}, "because": "reads"}]},
        ["new rule visits: viewing the docs page, at least 2 times: 1 point; expires after 90 days"],
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
    {"scoring__rules__5__because": "looks for proof"},
    {"scoring__rules__5__count_by": "session"},
    {"scoring__groups": {"fit": {}}},
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


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ({"total_cap": 30}, {"total_cap": 40}, "each time, at most 40 in all, was: each time, at most 30 in all"),
        (
            {"total_cap": 30},
            {"total_cap": 30, "per_day_cap": 20},
            "each time, at most 30 in all, at most 20 a day (UTC), was: each time, at most 30 in all",
        ),
        (
            {"total_cap": 30, "decay": {"half_life": "60d"}},
            {"total_cap": 30, "decay": {"linear": "60d", "share": 1}},
            "fades to nothing over 60 days, was: halves every 60 days",
        ),
    ],
)
def test_caps_and_decays_are_compared(was: dict[str, Any], now: dict[str, Any], told: str) -> None:
    before, after = (a_draft(scoring__rules=[{**EACH, **fields}]) for fields in (was, now))
    assert differences(before, after) == (f"downloading a case study: {told}",)


def test_decays_that_leave_the_same_are_no_difference() -> None:
    decays = [{"linear": "10d", "share": 0.3}, {"linear": "20d", "share": 0.6}]
    before, after = (a_draft(scoring__rules=[{**EACH, "decay": decay}]) for decay in decays)
    assert differences(before, after) == ()


def test_bounds_are_compared_and_may_go() -> None:
    wide, narrow = (a_draft(scoring__groups={"fit": {"max": most}}, scoring__max=2 * most) for most in (50, 40))
    assert differences(wide, narrow) == (
        "fit gives at most 40 points together, was: fit gives at most 50 points together",
        "most points that a lead can have: 80 points, was: 100 points",
    )
    assert differences(narrow, CLASSIC) == (
        "fit has no bounds, was: fit gives at most 40 points together",
        "most points that a lead can have: no bound, was: 80 points",
    )


def test_a_reason_is_no_term_and_is_told_where_the_rule_stays() -> None:
    argued = a_draft(scoring__rules__5__because="looks for proof")
    other = a_draft(scoring__rules__5__because="compares offers")
    assert reasons(argued, other) == ("the reason of dl_case is another: compares offers",)
    assert reasons(CLASSIC, argued) == ("the reason of dl_case is given now: looks for proof",)
    assert reasons(argued, CLASSIC) == ("the reason of dl_case is gone",)
    assert reasons(argued, argued) == reasons(a_draft(scoring__rules=[]), argued) == ()


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
