"""A suppressed lead is no longer handed off, an erased one keeps only its episodes; both are passed on."""

from pathlib import Path

from chassis.policy import Policies
from chassis.service import At, Drop, Erase
from desk.lead.row import Row, Tombstone
from desk.lead.standing import overview, tell
from router.app import Router
from router.rules.lead import Lead
from schemas.engagements import Erasure, Suppression
from schemas.envelope import Envelope, Fact
from schemas.scores import ErasedOnScores, SuppressedOnScores
from tests.builders import LEAD, NOON, a_fact, a_policy, a_score, at, the
from tests.unit.router.journeys import a_context, a_handed_off_lead, a_step, as_told, changes, go, handoffs, tick

ROUTER = Router(Policies(Path(), (a_policy(),)))
NOW = At(at(10), at(10))


def suppressed(minutes: float = 2) -> SuppressedOnScores:
    return SuppressedOnScores(id="quiet", source="baton/scorer", subject=LEAD, time=at(minutes), data=Suppression())


def erased(minutes: float = 2) -> Fact:
    return a_fact(ErasedOnScores(id="gone", source="baton/scorer", subject=LEAD, time=at(minutes), data=Erasure()))


def types(events: tuple[Envelope, ...]) -> list[str]:
    return [f"{event.topic} {event.type}" for event in events]


def test_a_suppression_comes_after_the_steps_of_its_instant() -> None:
    step, end = a_step("accepted", 2, id="z"), suppressed()
    for events in ((step, end), (end, step)):
        assert as_told(go(a_handed_off_lead(), *events).events)[-2:] == [
            ("sal", at(2), False),
            ("suppressed", at(2), False),
        ]


def test_a_suppression_ends_the_open_episode_and_is_passed_on() -> None:
    result = go(a_handed_off_lead(), a_step("accepted", 1), suppressed())
    assert [(change.before, change.after) for change in changes(result.events)][-1] == ("sal", "suppressed")
    assert types(result.events)[-1] == "lead-handoffs baton.lead.suppressed.v1"
    lead = result.lead
    assert (lead.stage, lead.answered) == ("suppressed", at(2))
    assert handoffs(go(lead, a_score(99, version=2, time=at(90_000)), now=at(90_000))) == []
    late = go(lead, a_step("qualified", 3))
    assert late.lead.stage == "suppressed"
    assert ROUTER.load(LEAD, ROUTER.dump(lead)) == lead
    assert "Suppressed since 2026-03-02 12:02:00" in "\n".join(tell(overview(lead, a_context(NOON))))


def test_what_happened_before_the_suppression_and_is_told_later_keeps_its_place() -> None:
    lead = go(a_handed_off_lead(), suppressed(5), a_step("qualified", 3)).lead
    assert lead.episode is not None
    assert [entry.stage for entry in lead.episode.chain] == ["mql", "handed_off", "sal", "sql", "suppressed"]


def test_a_suppressed_lead_that_qualifies_is_not_handed_off() -> None:
    result = go(Lead(LEAD), suppressed(), a_score(65))
    assert handoffs(result) == []
    assert handoffs(tick(result.lead, at(90_000))) == []
    assert "Next      no episode: the lead is suppressed" in "\n".join(tell(overview(result.lead, a_context(NOON))))


def test_an_erased_lead_keeps_its_handoff_and_nothing_that_it_said() -> None:
    before = a_handed_off_lead()
    decision = the(Erase, ROUTER.decide(before, erased(), NOW))
    assert types(tuple(decision.events))[-1] == "lead-handoffs baton.lead.erased.v1"
    lead, text = decision.state, ROUTER.dump(decision.state)
    assert lead.episode is not None
    assert before.episode is not None
    assert lead.episode.qualification.handoff_id == before.episode.qualification.handoff_id
    assert lead.stage == "suppressed"
    assert not any(word in text for word in ("ada@example.com", "Ada", "touchpoints", "download"))
    assert lead.episode.qualification.gate.predicates == (), "the evidence says what the lead did"
    told = "\n".join(tell(overview(lead, a_context(NOON), Row("", {"erased": 3}, Tombstone(at(2), 1)))))
    assert "Erased    2026-03-02 12:02:00: 1 fact deleted" in told
    assert "Dropped   3 events as erased" in told
    assert "Next      no episode: the lead is erased" in told
    assert ROUTER.after_erasure(lead, a_fact(a_score(99, version=2)), NOW) == Drop(lead, "erased")
    assert ROUTER.load(LEAD, text) == lead
