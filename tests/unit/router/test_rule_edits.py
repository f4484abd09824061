"""No lead passes the gate because a rule was edited."""

from datetime import timedelta
from typing import Any

import pytest

from desk.lead.standing import overview, tell
from router.rules.lead import Lead
from router.rules.route import Result, route, wake
from schemas.policy import Policy
from schemas.scores import POLICY, TIME, Intent, LeadScored, PolicyRef
from tests.builders import LEAD, NOON, a_fact, a_policy, a_score, at
from tests.unit.router.journeys import a_context, a_step, handoffs

FIRST = a_policy("classic-50")
DATE = at(60)


def edited(**fields: Any) -> Policy:
    """Version 2, in force from DATE on."""
    return FIRST.model_copy(update={"version": 2, "effective_from": DATE, **fields})


def scored(points: float, version: int, policy: int, **fields: Any) -> LeadScored:
    return a_score(points, version, policy=PolicyRef(name="classic-50", version=policy), **fields)


def follow(second: Policy, *steps: tuple[float, LeadScored | None]) -> Result:
    """The scores as heard so many minutes after NOON, None for a tick; the result of the last."""
    result = Result(Lead(LEAD))
    for minutes, score in steps:
        context = a_context(at(minutes), FIRST, second)
        result = route(result.lead, a_fact(score), context) if score else wake(result.lead, context)
    return result


BEFORE = (1, scored(40, 1, policy=1))
BY_EDIT = (61, scored(60, 2, policy=2, cause=POLICY))


def test_points_that_an_edit_gives_hand_nobody_off_until_a_new_event_is_scored() -> None:
    held = follow(edited(), BEFORE, BY_EDIT)
    assert handoffs(held) == []
    by_time = (62, scored(61, 3, policy=2, cause=TIME))
    assert handoffs(follow(edited(), BEFORE, BY_EDIT, by_time)) == []
    assert len(handoffs(follow(edited(), BEFORE, BY_EDIT, by_time, (63, scored(62, 4, policy=2, as_of=at(63)))))) == 1


def test_what_takes_points_is_no_event_that_an_edit_waits_for() -> None:
    unsubscribed = (62, scored(55, 3, policy=2, engaged_at=BY_EDIT[1].data.engaged_at))
    assert handoffs(follow(edited(), BEFORE, BY_EDIT, unsubscribed)) == []
    engaged = (63, scored(62, 4, policy=2, as_of=at(63)))
    assert len(handoffs(follow(edited(), BEFORE, BY_EDIT, unsubscribed, engaged))) == 1


def test_news_that_expires_is_no_news_that_an_edit_waits_for() -> None:
    for earlier in (at(-600), None):
        described = (62, scored(55, 3, policy=2, engaged_at=earlier))
        assert handoffs(follow(edited(), BEFORE, BY_EDIT, described)) == []


def test_a_request_that_comes_late_is_news_that_an_edit_waits_for() -> None:
    asked = Intent(level="high", since=at(-30), event="demo")
    before = (1, scored(40, 1, policy=1, engaged_at=NOON))
    by_edit = (61, scored(60, 2, policy=2, cause=POLICY, engaged_at=NOON))
    late = (62, scored(60, 3, policy=2, engaged_at=NOON, intent=asked))
    assert len(handoffs(follow(edited(), before, by_edit, late))) == 1


def test_what_is_known_of_a_lead_may_bring_it_over_the_gate_after_an_edit_as_before() -> None:
    below = (61, scored(45, 2, policy=2, cause=POLICY))
    described = (62, scored(60, 3, policy=2, engaged_at=NOON))
    assert len(handoffs(follow(edited(), BEFORE, below, described))) == 1


def test_another_policy_in_the_place_of_ours_hands_nobody_off_by_itself() -> None:
    under_demo = a_score(40, policy=PolicyRef(name="demo", version=1))
    lead = route(Lead(LEAD), a_fact(under_demo), a_context(at(1))).lead
    lead = route(lead, a_fact(scored(60, 2, policy=1, cause=POLICY)), a_context(at(2))).lead
    assert handoffs(wake(lead, a_context(at(3)))) == []
    assert len(handoffs(route(lead, a_fact(scored(61, 3, policy=1, as_of=at(4))), a_context(at(4))))) == 1


def test_an_edit_that_applies_to_the_past_hands_off() -> None:
    assert len(handoffs(follow(edited(apply_to_past=True), BEFORE, BY_EDIT))) == 1


@pytest.mark.parametrize("to_past", [False, True])
def test_a_gate_that_an_edit_opens_hands_off_only_if_it_applies_to_the_past(to_past: bool) -> None:
    lower = edited(apply_to_past=to_past, gate=FIRST.gate.model_copy(update={"band": "nurture"}))
    assert len(handoffs(follow(lower, BEFORE, (61, None)))) == to_past


def test_whom_an_event_brought_over_the_gate_before_the_edit_passes_after_it_too() -> None:
    lead = follow(edited(), (1, scored(65, 1, policy=1))).lead
    lead = route(lead, a_fact(a_step("disqualified", 2)), a_context(at(2), FIRST)).lead
    lead = route(lead, a_fact(scored(70, 2, policy=1, as_of=at(5))), a_context(at(5), FIRST)).lead
    rested = at(3) + FIRST.gate.cool_off
    assert handoffs(wake(lead, a_context(rested, FIRST, edited(routing=FIRST.routing)))) != []


def test_time_alone_under_one_version_may_open_the_gate() -> None:
    assert len(handoffs(follow(edited(), BEFORE, (2, scored(60, 2, policy=1, cause=TIME))))) == 1


def test_show_says_what_the_lead_waits_for() -> None:
    lead = follow(edited(), BEFORE, BY_EDIT).lead
    shown = "\n".join(tell(overview(lead, a_context(NOON + timedelta(days=1), FIRST, edited()))))
    assert "an edit of the policy alone lets it pass, so it takes one new scored event" in shown


def test_a_version_that_the_router_has_not_got_yet_holds_nobody_back() -> None:
    lead = route(Lead(LEAD), a_fact(scored(65, 1, policy=2)), a_context(at(61), FIRST))
    assert len(handoffs(lead)) == 1
