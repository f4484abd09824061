"""A suppression or erasure cancels clocks from then on; earlier breaches stay."""

from datetime import timedelta

import pytest

from chassis.service import At, Erase
from schemas.engagements import Erasure, LeadErased, LeadSuppressed, Suppression
from schemas.handoffs import ErasedOnHandoffs, SuppressedOnHandoffs
from schemas.sales import SalesContacted, SalesDisqualified
from tests.builders import LEAD, a_fact, a_handoff, a_sales_activity, at, the
from tests.unit.sla_monitor.driver import Play, handed_off


def suppressed(minutes: float = 30) -> LeadSuppressed:
    return SuppressedOnHandoffs(id="quiet", source="baton/router", subject=LEAD, time=at(minutes), data=Suppression())


def erased(minutes: float = 30) -> LeadErased:
    return ErasedOnHandoffs(id="gone", source="baton/router", subject=LEAD, time=at(minutes), data=Erasure())


def test_open_clocks_are_cancelled_also_where_the_handoff_was_made_without_knowing() -> None:
    for minutes in (30, -600):
        play = handed_off()
        play.hear(suppressed(minutes), now=at(31))
        assert set(play.standing().values()) == {"cancelled"}
        assert {event.data.why for event in play.events if "cancelled" in event.type} == {"the lead is suppressed"}
        assert play.due is None


@pytest.mark.parametrize("order", [1, -1])
def test_a_follow_up_before_the_suppression_was_kept_in_whatever_order_they_come(order: int) -> None:
    play = handed_off()
    for event in [a_sales_activity(SalesContacted, time=at(10)), suppressed()][::order]:
        play.hear(event, now=at(40))
    assert play.standing()[1, "CK-S1"] == "met"
    assert play.standing()[1, "CK-S3"] == "cancelled"


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("ids", ["ab", "ba"])
def test_a_follow_up_in_the_instant_of_what_excuses_from_it_was_made(ids: str, order: int) -> None:
    contact = a_sales_activity(SalesContacted, time=at(10), id=ids[0])
    excuses = (
        a_sales_activity(SalesDisqualified, time=at(10), id=ids[1], reason="duplicate"),
        SuppressedOnHandoffs(id=ids[1], source="baton/router", subject=LEAD, time=at(10), data=Suppression()),
    )
    for excuse in excuses:
        play = handed_off()
        for event in [contact.model_copy(update={"source": "baton/router"}), excuse][::order]:
            play.hear(event, now=at(40))
        assert play.standing()[1, "CK-S1"] == "met"
        assert play.about("CK-S1")[-1].data.cause == ids[0]


def erase(play: Play, minutes: float, now: float) -> list[str]:
    """The erasure, carried out as the worker does."""
    fact = a_fact(erased(minutes))
    return play._follow(play.monitor.decide(play.lead, fact, At(at(now), at(now))))


def after_erasure(play: Play, minutes: float, now: float) -> list[str]:
    """What follows from a contact at `minutes` that is read after the erasure; it is dropped."""
    fact = a_fact(a_sales_activity(SalesContacted, time=at(minutes)))
    decision = play.monitor.after_erasure(play.lead, fact, At(at(now), at(now)))
    assert decision.reason == "erased"
    return play._follow(decision)


def test_a_clock_past_its_due_that_waits_for_the_feed_is_cancelled_by_an_erasure_and_settled_by_a_contact() -> None:
    for unknown in (False, True):
        play = handed_off()
        play.tick(at(61 + unknown), known=at(59))
        assert play.standing()[1, "CK-S1"] == ("unknown" if unknown else "running")
        assert "CK-S1 cancelled" in erase(play, 61.5 + unknown, 62)
        assert play.tick(at(20_000)) == []
        assert set(play.standing().values()) == {"cancelled"}
        assert after_erasure(play, 58, 20_001) == ["CK-S1 met"]
        assert after_erasure(play, 58, 20_002) == []


def test_a_breach_published_before_an_erasure_is_taken_back_by_a_contact_in_time_that_is_read_after_it() -> None:
    play = handed_off()
    assert "CK-S1 breached" in play.tick(at(62))
    erase(play, 63, 63)
    assert play.standing()[1, "CK-S1"] == "breached"
    kept = play.lead.activities
    assert after_erasure(play, 61, 64) == []
    assert after_erasure(play, 10, 65) == ["CK-S1 breach_retracted", "CK-S1 met"]
    assert play.counts["retractions:CK-S1"] == 1
    assert play.lead.activities == kept, "nothing is kept of the contact but the verdict"


def test_a_handoff_read_after_an_erasure_starts_nothing() -> None:
    play = handed_off()
    erase(play, 30, 30)
    clocks = play.lead.clocks
    decision = play.monitor.after_erasure(play.lead, a_fact(a_handoff(episode=2)), At(at(40), at(40)))
    assert (decision.reason, decision.events, decision.state.clocks) == ("erased", (), clocks)


@pytest.mark.parametrize("read_first", [True, False])
def test_after_a_suppression_a_clock_past_its_due_is_judged_by_all_facts(*, read_first: bool) -> None:
    play = handed_off()
    play.tick(at(61), known=at(59))
    play.hear(suppressed(62))
    assert play.standing()[1, "CK-S1"] == "running"
    if not read_first:
        assert play.tick(at(63)) == ["CK-S1 breached"]
    play.hear(a_sales_activity(SalesContacted, time=at(10)), now=at(64))
    assert play.standing()[1, "CK-S1"] == "met"


def test_a_breach_before_the_suppression_stands() -> None:
    play = handed_off()
    play.tick(at(61) + timedelta(seconds=1))
    play.hear(suppressed(62))
    assert play.standing()[1, "CK-S1"] == "breached"


def test_an_erased_lead_keeps_its_verdicts_and_no_name() -> None:
    play = handed_off()
    assert play.lead.name
    moment, fact = At(at(40), at(40)), a_fact(erased())
    decision = the(Erase, play.monitor.decide(play.lead, fact, moment))
    lead, text = decision.state, play.monitor.dump(decision.state)
    assert {clock.standing for clock in lead.clocks} == {"cancelled"}
    assert not any(word in text for word in ("ada@example.com", "Ada"))
    assert play.monitor.load(LEAD, text) == lead


def test_the_erasure_of_one_lead_of_an_alias_deletes_by_time_and_changes_nothing_else() -> None:
    play, spans = handed_off(), ((at(1), at(2)),)
    event = erased().model_copy(update={"data": Erasure(lead=LEAD, spans=spans)})
    decision = the(Erase, play.monitor.decide(play.lead, a_fact(event), At(at(40), at(40))))
    assert (decision.state, decision.spans, decision.events) == (play.lead, spans, ())
