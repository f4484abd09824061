"""Whose follow-up it is: before its handoff, between episodes, in a flood."""

import pytest

from tests.builders import a_handoff, at
from tests.unit.sla_monitor.driver import Play, contacted, handed_off

HOUR, DAY = 60, 24 * 60


def test_follow_up_heard_before_its_handoff_stops_the_clock_at_its_start() -> None:
    play = Play()
    assert play.hear(contacted(10)) == []
    told = play.hear(a_handoff(), now=at(11))
    assert [word for word in told if "CK-S1" in word] == ["CK-S1 started", "CK-S1 met"]
    met = play.about("CK-S1")[-1]
    assert (met.data.met_at, met.data.elapsed, met.data.stop_before_start) == (at(10), 600, False)


@pytest.mark.parametrize(
    ("minutes", "fields", "verdict"),
    [
        (-5, {}, "met"),
        (-5.0001, {}, "breached"),
        (-500, {"episode": 1}, "met"),
        (-1, {"episode": 2}, "breached"),
        (10, {"episode": 2}, "breached"),
    ],
)
def test_follow_up_before_its_handoff_counts_when_close_to_it_or_named_for_it(
    minutes: float, fields: dict[str, int], verdict: str
) -> None:
    play = Play()
    play.hear(contacted(minutes, **fields))
    play.hear(a_handoff())
    play.tick(at(HOUR + 1))
    assert play.standing()[(1, "CK-S1")] == verdict
    if verdict == "met":
        met = play.about("CK-S1")[-1]
        assert met.data.stop_before_start
        assert (met.data.elapsed, met.data.remaining, met.time) == (0, 3600, at(0))


def test_unnamed_follow_up_belongs_to_the_handoff_before_it_also_when_that_is_heard_last() -> None:
    play = handed_off(intent="low")
    assert play.hear(contacted(600)) == ["CK-S2 met"]
    play.hear(a_handoff(episode=2, handed_off_at=at(500), intent="low"), now=at(601))
    play.tick(at(3 * DAY))
    assert play.standing()[(1, "CK-S2")] == "breached"
    assert play.standing()[(2, "CK-S2")] == "met"


def test_unnamed_follow_up_at_the_instant_of_a_handoff_is_that_handoffs() -> None:
    play = handed_off(intent="low")
    play.hear(a_handoff(episode=2, handed_off_at=at(500), intent="low"), now=at(500))
    assert play.hear(contacted(500)) == ["CK-S2 met"]
    assert play.standing()[(1, "CK-S2")] == "running"


def test_unnamed_follow_up_just_before_a_handoff_is_of_both_episodes() -> None:
    play = handed_off(intent="low")
    play.hear(contacted(496))
    play.hear(a_handoff(episode=2, handed_off_at=at(500), intent="low"), now=at(500))
    assert play.standing()[(1, "CK-S2")] == "met"
    assert play.standing()[(2, "CK-S2")] == "met"


def test_follow_up_that_stopped_a_clock_is_not_forgotten_in_a_flood_of_later_ones() -> None:
    play = handed_off()
    play.hear(contacted(10))
    for n in range(300):
        play.hear(contacted(HOUR + 1 + n / 100))
    play.tick(at(2 * HOUR))
    assert play.standing()[(1, "CK-S1")] == "met"
    assert len(play.lead.activities) == 200


def test_latest_activities_are_kept_for_handoffs_to_come_whatever_order_they_arrive_in() -> None:
    forth, back = Play(), Play()
    activities = [contacted(n) for n in range(230)]
    for activity in activities:
        forth.hear(activity)
    for activity in reversed(activities):
        back.hear(activity, now=at(230))
    assert [milestone.time for milestone in forth.lead.activities] == [at(n) for n in range(30, 230)]
    assert back.lead == forth.lead
