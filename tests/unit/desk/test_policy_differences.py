"""Every change of terms has its sentence, and nothing else has one."""

from typing import Any

import pytest

from desk.policy.differences import differences, reasons
from tests.builders import a_policy
from tests.unit.desk.changed_terms import CHANGES, CLASSIC, EACH, SAME
from tests.unit.scorer.drafts import a_draft


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
