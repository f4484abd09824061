"""Changes by time alone: warnings, waiting for inputs, unknown, and the next due."""

from datetime import timedelta

from chassis.service import At
from tests.builders import a_handoff, a_qualification, at
from tests.unit.sla_monitor.driver import Play, contacted, handed_off

MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
DUE = at(60)


def test_warnings_come_once_each_at_their_fractions() -> None:
    play = handed_off()
    assert play.due == at(30)
    assert play.tick(at(30) - MICROSECOND) == []
    assert play.tick(at(30)) == ["CK-S1 warned"]
    assert play.due == at(48)
    assert play.tick(at(40)) == []
    assert play.tick(at(49)) == ["CK-S1 warned"]
    assert play.tick(at(50)) == []
    warned = [event for event in play.about("CK-S1") if event.type == "baton.clock.warned.v1"]
    assert [(event.time, event.data.fraction, event.data.elapsed, event.data.remaining) for event in warned] == [
        (at(30), 0.5, 1800, 1800),
        (at(48), 0.8, 2880, 720),
    ]
    assert play.counts["warned:CK-S1"] == 2


def test_no_warning_after_the_stop() -> None:
    play = handed_off()
    play.hear(contacted(10))
    assert play.tick(at(50)) == []


def test_no_warning_of_what_is_past_due() -> None:
    play = handed_off()
    assert play.tick(DUE + SECOND) == ["CK-S1 breached"]
    assert play.counts["warned:CK-S1"] == 0


def test_deadline_waits_while_the_feed_is_not_known_up_to_due() -> None:
    play = handed_off()
    assert play.tick(DUE + SECOND, known=DUE - MICROSECOND) == []
    assert play.due == DUE + 2 * SECOND
    assert play.tick(DUE + 2 * SECOND, known=DUE) == ["CK-S1 breached"]


def test_a_clock_that_waits_says_up_to_when_the_feed_must_be_known_and_one_that_runs_does_not() -> None:
    play = handed_off()
    for now, known, waits in ((DUE, at(0), None), (DUE + SECOND, DUE - SECOND, DUE), (DUE + SECOND, DUE, None)):
        assert play.monitor.tick(play.lead, At(now, known)).inputs_until == waits


def test_a_clock_is_looked_at_again_soon_at_first_and_every_second_later() -> None:
    for overdue, again in ((0.001, 0.1), (0.5, 0.5), (1, 1), (3600, 1)):
        play = handed_off()
        now = DUE + overdue * SECOND
        play.tick(now, known=at(0))
        assert play.due == now + again * SECOND


def test_clock_is_called_unknown_once_when_the_feed_is_behind_for_longer_than_the_patience() -> None:
    play = handed_off()
    behind = at(10)
    assert play.tick(DUE + 60 * SECOND, known=behind) == []
    assert play.tick(DUE + 60 * SECOND + MICROSECOND, known=behind) == ["CK-S1 unknown"]
    assert play.tick(DUE + 90 * SECOND, known=behind) == []
    assert play.due == DUE + 91 * SECOND
    assert play.counts["unknown:CK-S1"] == 1
    [unknown] = [event for event in play.about("CK-S1") if event.type == "baton.clock.unknown.v1"]
    assert unknown.time == DUE + 60 * SECOND


def test_unknown_clock_is_breached_when_the_feed_has_caught_up_without_a_follow_up() -> None:
    play = handed_off()
    play.tick(DUE + 90 * SECOND, known=at(10))
    assert play.tick(DUE + 120 * SECOND) == ["CK-S1 breached"]


def test_unknown_clock_is_met_when_the_feed_brings_the_follow_up_and_was_never_breached() -> None:
    play = handed_off()
    play.tick(DUE + 90 * SECOND, known=at(10))
    assert play.hear(contacted(59), now=DUE + 120 * SECOND) == ["CK-S1 met"]
    assert play.tick(DUE + 121 * SECOND) == []
    assert [event for event in play.events if event.topic == "sla-breaches"] == []


def test_facts_never_breach_for_the_follow_up_may_be_the_next_one_read() -> None:
    play = handed_off()
    assert play.hear(contacted(61)) == []
    assert play.due is not None
    assert play.due <= at(61)
    assert play.hear(contacted(59), now=at(61)) == ["CK-S1 met"]


def test_clock_that_waits_for_its_feed_does_not_hold_up_the_next_warning() -> None:
    play = Play()
    play.hear(a_qualification(qualified_at=at(-24 * 60 + 0.01), known_at=at(-24 * 60 + 0.01)))
    play.hear(a_qualification(episode=2, id="second", known_at=at(-12 * 60 + 0.02), qualified_at=at(-13 * 60)))
    play.tick(at(0.01) + MICROSECOND, known=at(-5))
    assert play.due is not None
    assert play.due <= at(0.02)
    assert play.tick(at(0.02), known=at(-5)) == ["CK-M1 warned"]


def test_nothing_to_look_at_when_every_clock_has_ended() -> None:
    play = Play()
    play.hear(a_qualification())
    assert play.due is not None
    play.tick(at(2 * 24 * 60))
    assert play.due is None


def test_after_an_outage_each_breach_is_published_once_with_its_true_due() -> None:
    play = Play()
    play.hear(a_qualification())
    play.hear(a_handoff(handed_off_at=at(5)), now=at(5))
    told = play.tick(at(30 * 24 * 60))
    assert sorted(told) == ["CK-S1 breached", "CK-S3 breached", "CK-S4 breached"]
    assert [event.time for event in play.events if event.topic == "sla-breaches"] == [
        at(65),
        at(5 + 5 * 24 * 60),
        at(5 + 10 * 24 * 60),
    ]
