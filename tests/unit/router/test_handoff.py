"""Exactly one handoff per episode, to whose turn it is, complete enough to act on."""

from collections import Counter
from dataclasses import replace
from itertools import permutations

import pytest

from router.rules.lead import Lead
from router.rules.route import wake
from schemas.envelope import Envelope
from schemas.handoffs import LeadHandedOff, LeadQualified, LeadStageChanged, handoff_id_of
from schemas.identity import lead_id_of
from schemas.scores import Intent
from tests.builders import LEAD, NOON, a_policy, a_score, at
from tests.unit.router.journeys import a_context, a_handed_off_lead, changes, go, handoffs


def test_a_lead_is_qualified_and_handed_off_in_one_decision() -> None:
    known = at(2)
    result = go(Lead(LEAD), a_score(65), now=known)

    kinds = [type(event) for event in result.events]
    assert kinds == [LeadQualified, LeadStageChanged, LeadHandedOff, LeadStageChanged]
    [qualified] = [event for event in result.events if isinstance(event, LeadQualified)]
    assert (qualified.time, qualified.data.qualified_at, qualified.data.known_at) == (NOON, NOON, known)
    assert [(c.before, c.after, c.at) for c in changes(result.events)] == [
        ("lead", "mql", NOON),
        ("mql", "handed_off", known),
    ]
    assert all(event.finaltime for event in result.events)


def test_a_fact_from_a_clock_ahead_of_ours_puts_no_stage_after_the_handoff() -> None:
    result = go(Lead(LEAD), a_score(65), now=at(-1))

    assert [(change.after, change.at) for change in changes(result.events)] == [
        ("mql", at(-1)),
        ("handed_off", at(-1)),
    ]
    assert handoffs(result)[0].qualified_at == NOON


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
def test_targets_are_those_of_the_clocks_that_start_for_this_intent(asked: bool, follow_up: dict[str, int]) -> None:
    intent = Intent(level="high", since=NOON, event="demo") if asked else Intent()
    [handoff] = handoffs(go(Lead(LEAD), a_score(65, intent=intent), now=at(2)))

    hours = {**follow_up, "CK-S3": 5 * 24, "CK-S4": 10 * 24}
    assert handoff.targets == {clock: target * 3600 for clock, target in hours.items()}


@pytest.mark.parametrize("order", list(permutations(range(1, 5))))
def test_there_is_one_handoff_whatever_the_order_of_the_scores(order: tuple[int, ...]) -> None:
    points = {1: 20, 2: 40, 3: 65, 4: 80}
    scores = [a_score(points[version], version, id=f"{turn}") for turn, version in enumerate((*order, *order))]

    result = go(Lead(LEAD), *scores)

    [handoff] = handoffs(result)
    assert handoff.handoff_id == handoff_id_of(LEAD, 1)
    assert result.lead.score is not None
    assert result.lead.score.version == 4


def test_a_score_that_is_out_of_date_hands_nobody_off() -> None:
    assert handoffs(go(Lead(LEAD), a_score(40, 2), a_score(65, 1))) == []


def test_a_lead_that_falls_below_the_gate_stays_with_its_owner() -> None:
    result = go(a_handed_off_lead(), a_score(20, 2), a_score(90, 3))

    assert result.events == ()
    assert result.lead.stage == "handed_off"


def test_the_same_decision_taken_again_has_the_same_ids() -> None:
    def ids(events: tuple[Envelope, ...]) -> list[str]:
        return [event.id for event in events]

    assert ids(go(Lead(LEAD), a_score(65)).events) == ids(go(Lead(LEAD), a_score(65)).events)


def test_owners_take_turns() -> None:
    turn, taken = 0, Counter[str]()
    for number in range(30):
        lead_id = lead_id_of(email=f"lead-{number}@example.com")
        result = wake(replace(Lead(lead_id), score=a_score(65).data), a_context(NOON, turn=turn))
        assert result.turn == turn + 1
        turn = result.turn
        taken[handoffs(result)[0].owner.id] += 1

    assert taken == {"grace": 10, "linus": 10, "margaret": 10}


def test_no_turn_is_taken_without_a_handoff() -> None:
    assert go(Lead(LEAD), a_score(40)).turn is None
