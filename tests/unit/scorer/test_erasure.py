"""What is left of a lead that asked to be forgotten, and how that is told."""

from __future__ import annotations

from chassis.service import At, Drop, Erase, Keep, Recall
from desk.lead.explanation import explain, tell, tell_missing
from schemas.engagements import Erasure, LeadErased, LeadSuppressed, Suppression
from schemas.envelope import Envelope
from scorer.rules import erasure
from tests.builders import LEAD, a_description, a_fact, an_engagement, at, the
from tests.unit.scorer.driver import CLASSIC, LATER, a_scorer

SCORER = a_scorer()
MOMENT = At(LATER, LATER)
KNOWN = [a_fact(a_description(company="Engines", time=at())), a_fact(an_engagement("webinar_attended", time=at(1)))]


def an_erasure(id: str = "erase") -> Envelope:  # noqa: A002 - as in builders
    return LeadErased(id=id, source="baton/operator", subject=LEAD, time=at(5), data=Erasure())


def test_an_erased_lead_has_no_words_left_and_keeps_its_version() -> None:
    before = SCORER.recall(SCORER.new(LEAD), [], KNOWN, MOMENT).state
    assert "Engines" in SCORER.dump(before)
    assert SCORER.decide(before, a_fact(an_erasure()), MOMENT) == Recall()
    late = a_fact(an_engagement("demo_requested", time=at(2)))
    heard = [late, a_fact(an_erasure()), a_fact(an_erasure("2"))]
    decision = the(Erase, SCORER.recall(before, KNOWN, heard, MOMENT))
    assert (decision.keep.event.id, decision.due) == ("erase", None)
    assert [(event.topic, event.type) for event in decision.events] == [("lead-scores", "baton.lead.erased.v1")]
    state = SCORER.load(LEAD, SCORER.dump(decision.state))
    assert state == decision.state
    assert state.published.version == before.published.version == 1
    text = SCORER.dump(state)
    assert not any(word in text for word in ("Engines", "webinar", "example.com", "demo"))
    assert the(Keep, SCORER.tick(state, MOMENT)).state is state


def test_what_comes_later_is_dropped_and_counted_also_a_flood_and_another_erasure() -> None:
    erased = erasure.erased(SCORER.new(LEAD), [], a_fact(an_erasure()))
    limit = SCORER.limit
    assert limit is not None
    assert not limit.before(limit.dropped(erased))
    state = erased
    for n, event in enumerate((an_engagement("demo_requested"), a_description(name="Ada"), an_erasure("2")), 1):
        decision = the(Drop, SCORER.decide(state, a_fact(event), MOMENT))
        assert (decision.reason, decision.state.unkept, decision.events) == ("erased", {"erased": n}, ())
        state = decision.state


def test_explain_tells_an_erasure_and_a_suppression() -> None:
    fact = a_fact(an_erasure())
    state = the(Drop, SCORER.decide(erasure.erased(SCORER.new(LEAD), KNOWN, fact), fact, MOMENT)).state
    view = explain(LEAD, [fact], CLASSIC, LATER, state)
    told = tell(view)
    assert view.stored_agrees
    assert any(line.endswith("2 facts were deleted, nothing more is kept of the lead") for line in told)
    assert "1 event was dropped as erased: come after the erasure" in told
    assert tell_missing(view) == []
    quiet = LeadSuppressed(id="q", source="crm", subject=LEAD, time=at(3), data=Suppression())
    kept = the(Keep, SCORER.decide(SCORER.new(LEAD), a_fact(quiet), MOMENT))
    assert [event.topic for event in kept.events] == ["lead-scores"]
    view = explain(LEAD, [a_fact(quiet)], CLASSIC, LATER, kept.state)
    assert view.stored_agrees
    assert any(line.startswith("Suppressed since 20") for line in tell(view))
