"""A policy's words are exact at every boundary, and its page fits a terminal and a mail."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from desk.policy import paying, wording
from schemas.scoring import Decay
from schemas.terms import Bound, Duration
from tests.builders import a_policy
from tests.unit.scorer.drafts import a_clock, a_draft, coded, done, sized, the_rule

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"kind": "content_downloaded", "content": "case_study"}, "downloading a case study"),
        ({"kind": "content_downloaded", "content": "ebook"}, "downloading an ebook"),
        ({"kind": "content_downloaded", "content": "case_studies"}, "downloading case studies"),
        ({"kind": "content_downloaded", "content": "pricing"}, "downloading the price list"),
        ({"kind": "content_downloaded", "content": "ROI 2026"}, 'downloading "ROI 2026"'),
        ({"kind": "content_downloaded"}, "downloading content"),
        ({"kind": "page_viewed", "content": "pricing"}, "viewing the pricing page"),
        ({"kind": "webinar_attended"}, "attending a webinar"),
        ({"kind": "webinar_attended", "content": "pricing"}, "attending a webinar about pricing"),
        ({"kind": "quiz_passed"}, 'an engagement of the kind "quiz passed"'),
    ],
)
def test_an_engagement_is_told_as_what_a_lead_does(rule: dict[str, str], words: str) -> None:
    assert paying.condition(the_rule(engagement=rule)) == words


def test_contents_that_differ_read_differently() -> None:
    contents = ["case_study", "case study", "case-study", "Case_study", "case__study"]
    rules = [the_rule(engagement={"kind": "page_viewed", "content": content}) for content in contents]
    assert len({paying.condition(rule) for rule in rules}) == len(contents)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        ((">=", 1), ""),
        ((">", 0), ""),
        ((">", 0.5), ""),
        ((">", 1), ", more than once"),
        ((">=", 2), ", at least 2 times"),
        ((">", 3), ", more than 3 times"),
        ((">=", 5), ", at least 5 times"),
    ],
)
def test_how_often_is_told_with_the_policy_s_own_operator(count: tuple[str, float], words: str) -> None:
    assert paying.condition(the_rule(**done("rule", "x", count))) == f"viewing the x page{words}"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (sized("rule", 10, 500), "a company of 10 to 500 people"),
        (sized("rule", 10, 10), "a company of exactly 10 people"),
        (sized("rule", 1, 1), "a company of exactly 1 person"),
        (coded("rule", "technology", "Financial Services"), "a company in financial services or technology"),
        (coded("rule", "cto", "vp", "ceo", attribute="title"), "the job title ceo, cto or vp"),
        (coded("rule", "de", attribute="country"), "the country de"),
    ],
)
def test_an_attribute_is_told_with_all_values_that_count(rule: dict[str, Any], words: str) -> None:
    assert paying.condition(the_rule(**rule)) == words


VISIT = ", counted by visit (30 minutes without one end a visit)"
DOCS = "viewing the docs page"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, DOCS),
        ({"count": {"op": ">=", "n": 1, "window": "30d"}}, f"{DOCS}, within the last 30 days"),
        ({"count": {"op": ">", "n": 1, "window": "1d"}}, f"{DOCS}, more than once within the last 24 hours"),
        (
            {"count": {"op": ">", "n": 3, "window": "30d"}, "count_by": "session"},
            f"{DOCS}, more than 3 times within the last 30 days{VISIT}",
        ),
        ({"count": {"op": ">=", "n": 2}, "count_by": "session"}, f"{DOCS}, at least 2 times{VISIT}"),
        ({"count_by": "session"}, DOCS),  # the first page is the first visit
        ({"count_by": "session", "decay": {"expire": "90d"}}, f"{DOCS}{VISIT}; expires after 90 days"),
        ({"award": "per_event", "total_cap": 30}, f"{DOCS}; each time, at most 30 in all"),
        (
            {"award": "per_event", "total_cap": 30, "per_day_cap": 2.5, "count_by": "session"},
            f"{DOCS}{VISIT}; each time, at most 30 in all, at most 2.5 a day (UTC)",
        ),
        ({"valid_from": "2026-03-01T01:00:00+01:00"}, f"{DOCS}; only from 2026-03-01 00:00 UTC on"),
        ({"valid_to": "2026-03-01T00:00:30Z"}, f"{DOCS}; only before 2026-03-01 00:00:30 UTC"),
        (
            {"valid_from": "2026-03-01T00:00:00Z", "valid_to": "2026-04-01T00:00:00.5Z"},
            f"{DOCS}; only from 2026-03-01 00:00 UTC to 2026-04-01 00:00:00.500000 UTC",
        ),
    ],
)
def test_all_of_a_rule_is_told(fields: dict[str, Any], words: str) -> None:
    rule = the_rule(**{"engagement": {"kind": "page_viewed", "content": "docs"}, **fields})
    assert paying.entry(rule) == words
    assert paying.pays(rule).replace(": 10 points", "", 1) == words


def test_a_session_of_anything_but_pages_is_no_visit() -> None:
    rule = the_rule(engagement={"kind": "email_opened"}, count={"op": ">=", "n": 2}, count_by="session")
    assert paying.counted(rule) == "counted by session (30 minutes without one end a session)"


@pytest.mark.parametrize(
    ("decay", "words"),
    [
        (None, "does not fade"),
        ({"half_life": "30d"}, "halves every 30 days"),
        ({"expire": "90d"}, "expires after 90 days"),
        ({"linear": "10d", "share": 1}, "fades to nothing over 10 days"),
        ({"linear": "10d", "share": 0.5}, "fades to nothing over 20 days"),
        ({"linear": "10d", "share": 0.3}, "fades to nothing over 33 1/3 days"),
    ],
)
def test_what_age_leaves_is_told(decay: dict[str, Any] | None, words: str) -> None:
    assert paying.decay(Decay.model_validate(decay) if decay else None) == words


@pytest.mark.parametrize(
    ("group", "clamp", "words"),
    [
        ("fit", {}, ""),
        ("engagement", {"max": 65}, "engagement gives at most 65 points together"),
        ("negative", {"min": -30}, "what is negative takes at most 30 points together"),
        ("fit", {"min": 0, "max": 1}, "fit gives at most 1 point and takes no points together"),
        ("fit", {"min": -5, "max": 0}, "fit gives no points and takes at most 5 points together"),
    ],
)
def test_a_group_s_bounds_are_told(group: Any, clamp: dict[str, float], words: str) -> None:
    assert paying.bounds(a_draft(scoring__groups={group: clamp}), group) == words


def test_points_have_all_their_digits() -> None:
    told = [wording.points(value) for value in (1, 15, 2.5, 0.001, -5, 0)]
    assert told == ["1 point", "15 points", "2.5 points", "0.001 points", "-5 points", "0 points"]


def bands(*least: tuple[str, float]) -> Any:
    named = [{"name": f"b{n}", "least": {"op": op, "n": at}} for n, (op, at) in enumerate(least)]
    return a_draft(scoring__bands=named, gate__band="b0").scoring.bands


def test_a_band_s_scores_are_told_exactly_at_both_ends() -> None:
    made = bands((">=", 0), (">=", 30), (">", 50), (">=", 70), (">", 70))
    assert [wording.span(made, index) for index in range(5)] == [
        "less than 30 points",
        "at least 30, at most 50 points",
        "more than 50, less than 70 points",
        "exactly 70 points",
        "more than 70 points",
    ]
    assert [wording.beginning(made, index) for index in range(3)] == ["at any score", "at 30", "above 50"]
    assert wording.span(bands((">=", 0)), 0) == "any score"
    assert wording.span(bands((">=", 0), (">", 50)), 0) == "at most 50 points"


@given(st.integers(1, 9), st.sampled_from([">", ">="]))
def test_reach_and_its_opposite_part_all_scores(n: int, op: Any) -> None:
    made = bands((">=", -9), (op, n))
    said: dict[str, Callable[[float], bool]] = {
        "at least": lambda score: score >= n,
        "at most": lambda score: score <= n,
        "more than": lambda score: score > n,
        "less than": lambda score: score < n,
    }
    below, above = (said[" ".join(wording.span(made, index).split()[:2])] for index in (0, 1))
    for score in (n - 0.001, n, n + 0.001):
        assert above(score) is Bound(op=op, n=n).holds(score) is not below(score)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("24h", "24 hours"),
        ("1d", "24 hours"),
        ("48h", "2 days"),
        ("7d", "7 days"),
        ("1h", "1 hour"),
        ("60s", "1 minute"),
        ("90s", "90 seconds"),
        ("90m", "90 minutes"),
    ],
)
def test_a_duration_is_told_in_a_unit_that_nobody_takes_for_another(written: str, words: str) -> None:
    assert wording.duration(DURATION.validate_python(written)) == words


def test_the_gate_asks_in_words_for_what_the_router_judges() -> None:
    assert wording.conditions(a_policy("classic-50")) == {
        "band": "the score is in band pass (more than 50 points)",
        "contactable": "an e-mail address of the lead is known",
    }
    asked = wording.conditions(a_draft(gate={"band": "nurture", "engaged": True, "double_opt_in": True}))
    assert asked["band"] == "the score is in band nurture or above (at least 30 points)"
    assert list(asked) == ["band", "contactable", "double_opt_in", "engaged"]
    assert wording.conditions(a_draft(gate__band="cold"))["band"] == "the score is in band cold or above (any score)"
    assert (
        "(a company in financial services or technology, and a company of 10 to 2000 people)"
        in (wording.conditions(a_policy("strict-70"))["fit_profile"])
    )


def test_a_promise_says_who_owes_what_within_which_time() -> None:
    assert wording.promise(a_clock()) == "sales follows up within 1 hour of the handoff"
    assert wording.promise(a_clock(intent="high")).endswith("of the handoff, if the lead is of high intent")
    assert wording.promise(a_clock(party="marketing", start="qualified", stop="handed_off")) == (
        "marketing hands the lead over within 1 hour of its qualification"
    )
    assert wording.warnings(a_clock(warn=[0.8, 0.29, 0.8])) == "a warning when 29% and 80% of the time is gone"
    assert wording.warnings(a_clock(warn=[])) == "no warning"
