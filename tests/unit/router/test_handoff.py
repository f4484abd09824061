"""Exactly one handoff per episode, to whose turn it is, complete enough to act on (business.md B.3, B.6)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from router.rules.handoff import Moment
from router.rules.lead import PAST_KEPT, Lead, Past
from router.rules.route import Outcome, wake
from schemas.envelope import Envelope
from schemas.handoffs import Handoff, LeadHandedOff, LeadQualified, LeadStageChanged, handoff_id_of
from schemas.identity import lead_id_of
from schemas.sales import Reason
from schemas.scores import Intent, LeadScored
from tests.builders import LEAD, NOON, a_policy, a_score, at
from tests.unit.router.journeys import a_handed_off_lead, a_step, changes, go

COOL_OFF = timedelta(days=30)
LATER = timedelta(days=60)


def handoffs(outcome: Outcome) -> list[Handoff]:
    return [event.data for event in outcome.events if isinstance(event, LeadHandedOff)]


def tick(lead: Lead, now: datetime) -> Outcome:
    return wake(lead, Moment(now, a_policy()))


def a_recycled_lead(**score: Any) -> Lead:
    """Ada, handed off at NOON, given back ten minutes later."""
    return go(Lead(LEAD), a_score(**{"score": 65, **score}), a_step("recycled", 10)).lead


def a_rescore(score: float = 66, minutes: float = 20, **fields: Any) -> LeadScored:
    """Ada's next score; her passing of the bands is as old as the first one."""
    return a_score(score, 2, as_of=at(minutes), facts={"band:pass": NOON if score > 50 else None}, **fields)


def test_a_lead_is_qualified_and_handed_off_in_one_decision() -> None:
    known = at(2)
    outcome = go(Lead(LEAD), a_score(65), now=known)

    kinds = [type(event) for event in outcome.events]
    assert kinds == [LeadQualified, LeadStageChanged, LeadHandedOff, LeadStageChanged]
    [qualified] = [event for event in outcome.events if isinstance(event, LeadQualified)]
    assert (qualified.time, qualified.data.qualified_at, qualified.data.known_at) == (NOON, NOON, known)
    assert [(c.before, c.after, c.at) for c in changes(outcome.events)] == [
        ("lead", "mql", NOON),
        ("mql", "handed_off", known),
    ]
    assert all(event.finaltime for event in outcome.events)


def test_a_fact_from_a_clock_ahead_of_ours_puts_no_stage_after_the_handoff() -> None:
    outcome = go(Lead(LEAD), a_score(65), now=at(-1))

    assert [(change.after, change.at) for change in changes(outcome.events)] == [
        ("mql", at(-1)),
        ("handed_off", at(-1)),
    ]
    assert handoffs(outcome)[0].qualified_at == NOON


def test_a_handoff_has_all_that_its_owner_needs() -> None:
    score = a_score(65, intent=Intent(level="high", since=NOON, event="demo"))
    [handoff] = handoffs(go(Lead(LEAD), score, now=at(2)))

    assert handoff.handoff_id == handoff_id_of(LEAD, 1)
    assert (handoff.episode, handoff.owner.id, handoff.handed_off_at) == (1, "grace", at(2))
    assert handoff.score == 65
    for name in ("contact", "explanation", "touchpoints", "origin", "intent"):
        assert getattr(handoff, name) == getattr(score.data, name)
    assert handoff.gate.holds
    assert handoff.policy == a_policy().ref


@pytest.mark.parametrize(("asked", "follow_up"), [(True, {"CK-S1": 1}), (False, {"CK-S2": 24})])
def test_due_times_are_those_of_the_clocks_that_start_for_this_intent(asked: bool, follow_up: dict[str, int]) -> None:
    intent = Intent(level="high", since=NOON, event="demo") if asked else Intent()
    [handoff] = handoffs(go(Lead(LEAD), a_score(65, intent=intent), now=at(2)))

    hours = {**follow_up, "CK-S3": 5 * 24, "CK-S4": 10 * 24}
    assert handoff.due == {clock: at(2) + timedelta(hours=target) for clock, target in hours.items()}


@pytest.mark.parametrize("order", list(permutations(range(1, 5))))
def test_there_is_one_handoff_whatever_the_order_of_the_scores(order: tuple[int, ...]) -> None:
    points = {1: 20, 2: 40, 3: 65, 4: 80}
    scores = [a_score(points[version], version, id=f"{turn}") for turn, version in enumerate((*order, *order))]

    outcome = go(Lead(LEAD), *scores)

    [handoff] = handoffs(outcome)
    assert handoff.handoff_id == handoff_id_of(LEAD, 1)
    assert outcome.lead.score is not None
    assert outcome.lead.score.version == 4


def test_a_score_that_is_out_of_date_hands_nobody_off() -> None:
    assert handoffs(go(Lead(LEAD), a_score(40, 2), a_score(65, 1))) == []


def test_a_lead_that_falls_below_the_gate_stays_with_its_owner() -> None:
    outcome = go(a_handed_off_lead(), a_score(20, 2), a_score(90, 3))

    assert outcome.events == ()
    assert outcome.lead.stage == "handed_off"


def test_the_same_decision_taken_again_has_the_same_ids() -> None:
    def ids(events: tuple[Envelope, ...]) -> list[str]:
        return [event.id for event in events]

    assert ids(go(Lead(LEAD), a_score(65)).events) == ids(go(Lead(LEAD), a_score(65)).events)


def test_owners_take_turns() -> None:
    turn, taken = 0, Counter[str]()
    for number in range(30):
        lead_id = lead_id_of(email=f"lead-{number}@example.com")
        outcome = wake(replace(Lead(lead_id), score=a_score(65).data), Moment(NOON, a_policy(), turn))
        assert outcome.turn == turn + 1
        turn = outcome.turn
        taken[handoffs(outcome)[0].owner.id] += 1

    assert taken == {"grace": 10, "linus": 10, "margaret": 10}


def test_no_turn_is_taken_without_a_handoff() -> None:
    assert go(Lead(LEAD), a_score(40)).turn is None


def test_the_next_episode_opens_when_the_cool_off_is_over() -> None:
    due = at(10) + COOL_OFF
    waiting = go(a_recycled_lead(), a_rescore(), now=at(20))
    assert (waiting.events, waiting.due) == ((), due)
    early = tick(waiting.lead, due - timedelta(microseconds=1))
    assert (early.events, early.due) == ((), due)

    outcome = tick(waiting.lead, due)

    [handoff] = handoffs(outcome)
    assert (handoff.episode, handoff.handoff_id) == (2, handoff_id_of(LEAD, 2))
    assert (handoff.qualified_at, handoff.handed_off_at) == (due, due)
    assert [(c.episode, c.before, c.after) for c in changes(outcome.events)] == [
        (2, "recycled", "mql"),
        (2, "mql", "handed_off"),
    ]
    assert [(past.number, past.end, past.ended_at) for past in outcome.lead.past] == [(1, "recycled", at(10))]
    assert outcome.due is None


def test_without_a_new_score_no_further_episode_opens() -> None:
    lead = a_recycled_lead()

    for outcome in (tick(lead, NOON + LATER), go(lead, a_rescore(minutes=10), now=NOON + LATER)):
        assert handoffs(outcome) == []
        assert outcome.due is None


def test_an_old_engagement_that_arrives_after_the_end_is_no_news() -> None:
    late = a_score(75, 2, time=at(5)).data.model_copy(update={"as_of": at(20)})

    lead = go(a_recycled_lead(), a_score(75, 2).model_copy(update={"data": late}), now=at(20)).lead

    assert handoffs(tick(lead, NOON + LATER)) == []


def test_the_gate_has_to_hold_for_a_further_episode() -> None:
    outcome = go(a_recycled_lead(), a_rescore(40), now=NOON + LATER)

    assert (handoffs(outcome), outcome.due) == ([], None)


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

    outcome = go(lead, a_step("recycled", 10), now=NOON + LATER)

    assert [change.after for change in changes(outcome.events)] == ["recycled", "mql", "handed_off"]
    assert outcome.lead.number == 2


def test_a_step_of_an_episode_that_a_later_one_followed_changes_nothing() -> None:
    second = go(a_recycled_lead(), a_rescore(), now=NOON + LATER).lead

    for step in (a_step("accepted", 5), a_step("accepted", 5, episode=1)):
        outcome = go(second, step)
        assert outcome.lead.stage == "handed_off"
        assert [event.type for event in outcome.events] == ["baton.stage.rejected.v1"]
    assert go(second, a_step("accepted", 5, episode=2)).lead.stage == "sal"


def test_the_steps_of_an_episode_stay_with_it_however_short_the_cool_off() -> None:
    hasty = a_policy(cool_off=timedelta(minutes=1))
    lead = go(a_recycled_lead(), a_rescore(), now=at(10)).lead

    outcome = wake(lead, Moment(at(11), hasty))

    assert (outcome.lead.number, outcome.lead.stage, outcome.lead.steps) == (2, "handed_off", ())
    late = go(outcome.lead, a_step("accepted", 9), now=at(12), policy=hasty)
    assert late.lead.stage == "handed_off"


def test_the_latest_finished_episodes_are_kept() -> None:
    ended = Past(1, "grace", NOON, "recycled", NOON)
    many = tuple(replace(ended, number=number) for number in range(1, PAST_KEPT + 1))
    last = go(a_recycled_lead(), a_rescore()).lead

    past = tick(replace(last, past=many), NOON + LATER).lead.past

    assert past == (*many[1:], Past(1, "grace", NOON, "recycled", at(10)))


def test_the_steps_of_an_episode_do_not_go_over_to_the_next() -> None:
    lead = go(a_recycled_lead(), a_step("accepted", 11), a_step("qualified", 12, episode=2), a_rescore()).lead

    outcome = go(lead, a_rescore(), now=NOON + LATER)
    outcome = tick(lead, NOON + LATER)

    assert outcome.lead.episode is not None
    assert [entry.stage for entry in outcome.lead.episode.chain] == ["mql", "handed_off", "sal", "sql"]
    assert [step.activity for step in outcome.lead.steps] == ["sales.qualified"]
