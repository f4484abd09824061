"""A further episode: when it opens, and what belongs to which."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from router.rules.lead import PAST_KEPT, Lead, Past
from router.rules.route import wake
from schemas.handoffs import handoff_id_of
from schemas.sales import Reason
from schemas.scores import Intent, LeadScored
from tests.builders import LEAD, NOON, a_policy, a_score, at
from tests.unit.router.journeys import a_context, a_handed_off_lead, a_step, changes, go, handoffs, tick

COOL_OFF = timedelta(days=30)
LATER = timedelta(days=60)


def a_recycled_lead(**score: Any) -> Lead:
    """Ada, handed off at NOON, given back ten minutes later."""
    return go(Lead(LEAD), a_score(**{"score": 65, **score}), a_step("recycled", 10)).lead


def a_rescore(score: float = 66, minutes: float = 20, **fields: Any) -> LeadScored:
    """Ada's next score; her passing of the bands is as old as the first one."""
    return a_score(score, 2, as_of=at(minutes), facts={"band:pass": NOON if score > 50 else None}, **fields)


def test_the_next_episode_opens_when_the_cool_off_is_over() -> None:
    due = at(10) + COOL_OFF
    waiting = go(a_recycled_lead(), a_rescore(), now=at(20))
    assert (waiting.events, waiting.due) == ((), due)
    early = tick(waiting.lead, due - timedelta(microseconds=1))
    assert (early.events, early.due) == ((), due)

    result = tick(waiting.lead, due)

    [handoff] = handoffs(result)
    assert (handoff.episode, handoff.handoff_id) == (2, handoff_id_of(LEAD, 2))
    assert (handoff.qualified_at, handoff.handed_off_at) == (due, due)
    assert [(c.episode, c.before, c.after) for c in changes(result.events)] == [
        (2, "recycled", "mql"),
        (2, "mql", "handed_off"),
    ]
    assert [(past.number, past.end, past.ended_at) for past in result.lead.past] == [(1, "recycled", at(10))]
    assert result.due is None


def test_without_a_new_score_no_further_episode_opens() -> None:
    lead = a_recycled_lead()

    for result in (tick(lead, NOON + LATER), go(lead, a_rescore(minutes=10), now=NOON + LATER)):
        assert handoffs(result) == []
        assert result.due is None


def test_an_old_engagement_that_arrives_after_the_end_is_no_news() -> None:
    late = a_score(75, 2, time=at(5)).data.model_copy(update={"as_of": at(20)})

    lead = go(a_recycled_lead(), a_score(75, 2).model_copy(update={"data": late}), now=at(20)).lead

    assert handoffs(tick(lead, NOON + LATER)) == []


def test_the_gate_has_to_hold_for_a_further_episode() -> None:
    result = go(a_recycled_lead(), a_rescore(40), now=NOON + LATER)

    assert (handoffs(result), result.due) == ([], None)


def test_a_request_answered_by_an_earlier_episode_opens_no_further_one() -> None:
    asked = Intent(level="high", since=NOON, event="demo")
    recycled = a_recycled_lead(score=5, intent=asked)
    assert recycled.stage == "recycled"

    assert handoffs(go(recycled, a_rescore(6, intent=asked), now=NOON + LATER)) == []
    again = Intent(level="high", since=at(20), event="another-demo")
    assert len(handoffs(go(recycled, a_rescore(6, intent=again), now=NOON + LATER))) == 1


@pytest.mark.parametrize(
    ("reason", "again"),
    [("no_budget", True), ("no_response", True), ("competitor", False), ("opted_out", False), ("duplicate", False)],
)
def test_a_disqualification_is_for_good_or_not_by_its_reason(reason: Reason, again: bool) -> None:
    lead = go(a_handed_off_lead(), a_step("disqualified", 10, reason=reason)).lead

    assert bool(handoffs(go(lead, a_rescore(), now=NOON + LATER))) is again


@pytest.mark.parametrize(("end", "again"), [("lost", True), ("won", False)])
def test_a_lost_deal_may_come_back_and_a_won_one_is_a_customer(end: str, again: bool) -> None:
    steps = [a_step(step, minute) for minute, step in enumerate(("accepted", "qualified", "opportunity", end), start=1)]
    lead = go(a_handed_off_lead(), *steps).lead

    assert bool(handoffs(go(lead, a_rescore(), now=NOON + LATER))) is again


def test_an_end_that_arrives_late_may_open_the_next_episode_at_once() -> None:
    lead = go(a_handed_off_lead(), a_rescore()).lead

    result = go(lead, a_step("recycled", 10), now=NOON + LATER)

    assert [change.after for change in changes(result.events)] == ["recycled", "mql", "handed_off"]
    assert result.lead.number == 2


def test_a_step_of_an_episode_that_a_later_one_followed_changes_nothing() -> None:
    second = go(a_recycled_lead(), a_rescore(), now=NOON + LATER).lead

    for step in (a_step("accepted", 5), a_step("accepted", 5, episode=1)):
        result = go(second, step)
        assert result.lead.stage == "handed_off"
        assert [event.type for event in result.events] == ["baton.stage.rejected.v1"]
    assert go(second, a_step("accepted", 5, episode=2)).lead.stage == "sal"


def test_the_steps_of_an_episode_stay_with_it_however_short_the_cool_off() -> None:
    hasty = a_policy(cool_off=timedelta(minutes=1))
    lead = go(a_recycled_lead(), a_rescore(), now=at(10)).lead

    result = wake(lead, a_context(at(11), hasty))

    assert (result.lead.number, result.lead.stage, result.lead.steps) == (2, "handed_off", ())
    late = go(result.lead, a_step("accepted", 9), now=at(12), policy=hasty)
    assert late.lead.stage == "handed_off"


def test_the_latest_finished_episodes_are_kept() -> None:
    ended = Past(1, "grace", NOON, "recycled", NOON)
    many = tuple(replace(ended, number=number) for number in range(1, PAST_KEPT + 1))
    last = go(a_recycled_lead(), a_rescore()).lead

    past = tick(replace(last, past=many), NOON + LATER).lead.past

    assert past == (*many[1:], Past(1, "grace", NOON, "recycled", at(10)))


def test_the_steps_of_an_episode_do_not_go_over_to_the_next() -> None:
    lead = go(a_recycled_lead(), a_step("accepted", 11), a_step("qualified", 12, episode=2), a_rescore()).lead

    result = go(lead, a_rescore(), now=NOON + LATER)
    result = tick(lead, NOON + LATER)

    assert result.lead.episode is not None
    assert [entry.stage for entry in result.lead.episode.chain] == ["mql", "handed_off", "sal", "sql"]
    assert [step.activity for step in result.lead.steps] == ["sales.qualified"]
