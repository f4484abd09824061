"""What is left of a lead that asked to be forgotten, and how that is told."""

from dataclasses import replace

from chassis.service import At, Drop, Erase, Keep
from desk.lead.explanation import explain, tell, tell_missing
from desk.lead.row import Tombstone
from schemas.engagements import Erasure, LeadErased, LeadSuppressed, Suppression
from schemas.envelope import Envelope
from scorer.rules import erasure
from tests.builders import LEAD, a_description, a_fact, an_engagement, at, the
from tests.unit.scorer.driver import CLASSIC, LATER, a_scorer

SCORER = a_scorer()
NOW = At(LATER, LATER)
KNOWN = [a_fact(a_description(company="Engines", time=at())), a_fact(an_engagement("webinar_attended", time=at(1)))]


def an_erasure(id: str = "erase") -> Envelope:  # noqa: A002 - as in builders
    return LeadErased(id=id, source="baton/operator", subject=LEAD, time=at(5), data=Erasure())


def test_an_erased_lead_has_no_words_left_and_keeps_its_version() -> None:
    before = SCORER.recall(SCORER.new(LEAD), [], KNOWN, NOW).state
    assert "Engines" in SCORER.dump(before)
    decision = the(Erase, SCORER.decide(before, a_fact(an_erasure()), NOW))
    assert [(event.topic, event.type) for event in decision.events] == [("lead-scores", "baton.lead.erased.v1")]
    state = SCORER.load(LEAD, SCORER.dump(decision.state))
    assert state == decision.state
    assert state.published.version == before.published.version == 1
    text = SCORER.dump(state)
    assert not any(word in text for word in ("Engines", "webinar", "example.com", "demo"))
    for event in (an_engagement("demo_requested"), a_description(name="Ada"), an_erasure("2")):
        assert SCORER.after_erasure(state, a_fact(event), NOW) == Drop(state, "erased")


def test_explain_tells_an_erasure_and_a_suppression() -> None:
    fact = a_fact(an_erasure())
    view = explain(LEAD, [fact], CLASSIC, LATER, erasure.erased(SCORER.new(LEAD)))
    view = replace(view, dropped={"erased": 1}, erased=Tombstone(fact.time, 2))
    told = tell(view)
    assert view.stored_agrees
    assert any(line.endswith("2 facts were deleted, nothing more is kept of the lead") for line in told)
    assert "1 event was dropped as erased: come after the erasure" in told
    assert tell_missing(view) == []
    quiet = LeadSuppressed(id="q", source="crm", subject=LEAD, time=at(3), data=Suppression())
    kept = the(Keep, SCORER.decide(SCORER.new(LEAD), a_fact(quiet), NOW))
    assert [event.topic for event in kept.events] == ["lead-scores"]
    view = explain(LEAD, [a_fact(quiet)], CLASSIC, LATER, kept.state)
    assert view.stored_agrees
    assert any(line.startswith("Suppressed since 20") for line in tell(view))
