"""A clock started by a handoff starts when the handoff was published: our own outage counts for nobody."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from chassis.service import At
from schemas.envelope import Decoder
from schemas.handoffs import LeadHandedOff, LeadQualified
from tests.builders import LEAD, a_handoff, a_qualification, at
from tests.unit.sla_monitor.driver import Play, contacted

PUBLISHED = at(120)
"""Two hours after the handoff was decided: the broker, or the router, was away."""


def published(event: LeadHandedOff | LeadQualified, when: datetime = PUBLISHED) -> Play:
    """Sla-monitor once it has read the record, which the broker got then."""
    play = Play()
    publish(play, event, when)
    return play


def publish(play: Play, event: Any, when: datetime) -> list[str]:
    fact = Decoder(LeadQualified, LeadHandedOff).fact(LEAD.encode(), event.encode(), when)
    return play._follow(play.monitor.decide(play.lead, fact, At(when, when)))


def test_the_clocks_of_a_handoff_start_when_it_was_published() -> None:
    play = published(a_handoff())
    assert {clock.started_at for clock in play.lead.clocks} == {PUBLISHED}
    assert {c.clock: c.due - PUBLISHED for c in play.lead.clocks}["CK-S1"] == timedelta(hours=1)
    [started] = [e for e in play.about("CK-S1") if e.type == "baton.clock.started.v1"]
    assert (started.data.due, started.data.elapsed) == (at(180), 0)


def test_a_handoff_published_late_is_no_breach_at_birth() -> None:
    play = published(a_handoff())
    assert play.tick(PUBLISHED + timedelta(seconds=1)) == []
    assert play.tick(at(180)) == ["CK-S1 warned", "CK-S1 warned"]
    assert play.tick(at(180) + timedelta(seconds=1)) == ["CK-S1 breached"]


@pytest.mark.parametrize("first", [True, False])
def test_a_contact_between_qualification_and_publication_meets_the_clock_at_once(*, first: bool) -> None:
    play = Play()
    handoff = a_handoff(qualified_at=at(-60), known_at=at(0))
    if first:
        play.hear(contacted(-50))
    publish(play, handoff, PUBLISHED)
    if not first:
        play.hear(contacted(-50), now=PUBLISHED)
    assert play.standing()[1, "CK-S1"] == "met"
    met = play.about("CK-S1")[-1]
    assert (met.data.met_at, met.data.elapsed, met.data.stop_before_start) == (at(-50), 0, True)


def test_a_contact_well_before_the_qualification_is_no_follow_up() -> None:
    play = Play()
    play.hear(contacted(-66))
    publish(play, a_handoff(qualified_at=at(-60), known_at=at(0)), PUBLISHED)
    assert play.standing()[1, "CK-S1"] == "running"


def test_a_contact_after_a_later_handoff_was_decided_is_of_the_later_episode() -> None:
    play = published(a_handoff(), at(0))
    publish(play, a_handoff(episode=2, handed_off_at=at(20), qualified_at=at(20)), at(50))
    play.hear(contacted(30), now=at(55))
    assert (play.standing()[1, "CK-S1"], play.standing()[2, "CK-S1"]) == ("running", "met")


def test_a_broker_whose_clock_is_behind_starts_no_clock_before_the_decision() -> None:
    play = published(a_handoff(), at(-30))
    assert {clock.started_at for clock in play.lead.clocks} == {at(0)}


def test_an_outage_between_decision_and_publication_is_not_charged_to_marketing() -> None:
    play = published(a_qualification(), at(26 * 60))
    assert publish(play, a_handoff(), at(26 * 60))[-1] == "CK-M1 met"
    assert play.about("CK-M1")[-1].data.met_at == at(0)


def test_the_terms_are_those_in_force_at_the_decision() -> None:
    play = published(a_handoff())
    assert {clock.policy for clock in play.lead.clocks} == {play.monitor.policies.at(at(0)).ref}


def test_a_state_of_before_reads_as_it_was() -> None:
    play = published(a_handoff(), at(0))
    text = play.monitor.dump(play.lead).replace(',"stops_from":"2026-03-02T12:00:00Z"', "")
    assert "stops_from" not in text
    play.lead = play.monitor.load(LEAD, text)
    assert play.hear(contacted(-4), now=at(1)) == ["CK-S1 met"]
