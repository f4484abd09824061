"""Follow-ups that named an alias of the lead: the router's copies of them keep the promise to the lead."""

from datetime import datetime

from schemas.engagements import Link
from schemas.envelope import Envelope, forwarded
from schemas.handoffs import LinkedOnHandoffs
from schemas.identity import lead_id_of
from tests.builders import LEAD, a_fact, at
from tests.unit.sla_monitor.driver import a_monitor, contacted, handed_off

ALIAS = lead_id_of(user_id="ada-1")


def copied(event: Envelope, received: datetime) -> Envelope:
    """The router's copy of an event of the alias, as the topic has it."""
    value = forwarded(a_fact(event), LEAD)
    return a_monitor().inputs["sales-activities"].fact(LEAD.encode(), value, received).event


def test_a_contact_that_named_the_alias_stops_the_clock_of_the_lead() -> None:
    play = handed_off()
    assert play.hear(copied(contacted(30, subject=ALIAS), at(31))) == ["CK-S1 met"]
    assert play.events[-1].data.met_at == at(30)


def test_a_copy_that_comes_after_the_due_takes_the_breach_back() -> None:
    play = handed_off()
    assert "CK-S1 breached" in play.tick(at(61))
    copy = copied(contacted(59, subject=ALIAS), at(90))
    assert play.hear(copy, now=at(90)) == ["CK-S1 breach_retracted", "CK-S1 met"]


def test_a_copy_of_a_contact_after_the_due_changes_nothing() -> None:
    play = handed_off()
    play.tick(at(61))
    assert play.hear(copied(contacted(60.1, subject=ALIAS), at(61)), now=at(61)) == []
    assert play.standing()[1, "CK-S1"] == "breached"


def test_a_link_that_is_passed_on_changes_no_clock() -> None:
    play = handed_off()
    before = play.lead
    data = Link(alias=LEAD, lead=ALIAS, alias_by="user_id", lead_by="email")
    link = LinkedOnHandoffs(id="link", source="baton/router", subject=LEAD, time=at(5), data=data)
    assert play.hear(link) == []
    assert play.lead == before
