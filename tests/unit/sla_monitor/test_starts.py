"""Which clocks an event starts, from when, and on whose terms."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from chassis.policy import Policies, load_policies
from chassis.process.failures import OlderPolicy
from schemas.policy import Policy
from schemas.scores import PolicyRef
from schemas.sla import clock_id_of
from sla_monitor.app import SlaMonitor
from sla_monitor.rules.clock import clocks_of
from sla_monitor.rules.milestones import start_of
from tests.builders import LEAD, NOON, a_handoff, a_qualification, at
from tests.unit.sla_monitor.driver import PATIENCE, POLICIES, Play, shipped


def dues(play: Play) -> dict[str, timedelta]:
    return {clock.clock: clock.due - clock.started_at for clock in play.lead.clocks}


def test_qualification_starts_marketings_clock_alone() -> None:
    play = Play()
    assert play.hear(a_qualification()) == ["CK-M1 started"]
    assert dues(play) == {"CK-M1": timedelta(hours=24)}
    [started] = play.events
    assert (started.data.party, started.data.holder) == ("marketing", None)


def test_marketings_clock_starts_when_the_qualification_was_known_not_when_a_late_fact_dates_it() -> None:
    play = Play()
    play.hear(a_qualification(qualified_at=NOON - timedelta(days=30), known_at=at(5)))
    assert play.lead.clocks[0].started_at == at(5)


def test_marketings_clock_starts_at_the_qualification_that_is_yet_to_hold() -> None:
    play = Play()
    play.hear(a_qualification(qualified_at=at(7), known_at=at(5)))
    assert play.lead.clocks[0].started_at == at(7)


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        ("high", {"CK-S1": timedelta(hours=1), "CK-S3": timedelta(days=5), "CK-S4": timedelta(days=10)}),
        ("low", {"CK-S2": timedelta(hours=24), "CK-S3": timedelta(days=5), "CK-S4": timedelta(days=10)}),
    ],
)
def test_handoff_starts_the_follow_up_clock_of_its_intent(intent: str, expected: dict[str, timedelta]) -> None:
    play = Play()
    play.hear(a_handoff(intent=intent))
    assert dues(play) == expected


def test_handoff_stops_marketings_clock_at_the_instant_of_the_handoff() -> None:
    play = Play()
    play.hear(a_qualification())
    assert "CK-M1 met" in play.hear(a_handoff(handed_off_at=at(90)))
    assert play.about("CK-M1")[-1].data.met_at == at(90)


def test_handoff_heard_before_its_qualification_meets_marketings_clock_all_the_same() -> None:
    play = Play()
    play.hear(a_handoff(handed_off_at=at(90)))
    assert play.hear(a_qualification(), now=at(95)) == ["CK-M1 started", "CK-M1 met"]


def test_second_start_of_an_episode_is_ignored() -> None:
    play = Play()
    play.hear(a_handoff(intent="high"))
    assert play.hear(a_handoff(intent="low", id="again", handed_off_at=at(60))) == []
    assert set(dues(play)) == {"CK-S1", "CK-S3", "CK-S4"}


def test_each_episode_has_clocks_of_its_own() -> None:
    play = Play()
    play.hear(a_handoff(episode=1))
    play.hear(a_handoff(episode=2, handed_off_at=at(9000)))
    assert set(play.standing()) == {(n, clock) for n in (1, 2) for clock in ("CK-S1", "CK-S3", "CK-S4")}


def test_started_event_tells_everything_about_the_promise() -> None:
    play = Play()
    play.hear(a_handoff(id="the-handoff"))
    [event] = [event for event in play.about("CK-S1") if event.type == "baton.clock.started.v1"]
    data = event.data
    assert data.clock_id == clock_id_of(LEAD, 1, "CK-S1")
    assert (data.version, data.cause, data.holder.name) == (1, "the-handoff", "Grace")
    assert (data.started_at, data.due, data.elapsed, data.remaining) == (NOON, at(60), 0, 3600)
    assert (event.time, event.finaltime, event.source, event.subject) == (NOON, True, "baton/sla-monitor", LEAD)


@pytest.fixture
def two_versions(tmp_path: Path) -> Policies[Policy]:
    folder = tmp_path / "classic-50"
    folder.mkdir()
    first = (POLICIES / "classic-50" / "1.yaml").read_text()
    (folder / "1.yaml").write_text(first)
    second = first.replace("version: 1", "version: 2").replace("target: 1h", "target: 2h")
    (folder / "2.yaml").write_text(second.replace("effective_from: 2026-01-01", "effective_from: 2026-03-03"))
    return load_policies(folder, Policy)


def named(version: int) -> dict[str, Any]:
    """A handoff whose owner was told the terms of this version."""
    return {"policy": PolicyRef(name="classic-50", version=version)}


def test_clock_keeps_the_terms_that_the_owner_was_told(two_versions: Policies[Policy]) -> None:
    play = Play()
    play.monitor = SlaMonitor(two_versions, PATIENCE)
    third = datetime(2026, 3, 3, tzinfo=UTC)
    play.hear(a_handoff(episode=1, **named(1)), now=datetime(2026, 3, 4, tzinfo=UTC))
    play.hear(a_handoff(episode=2, handed_off_at=third, **named(2)), now=third)
    play.hear(a_handoff(episode=3, handed_off_at=third, **named(1)), now=third)
    terms = {c.episode: (c.due - c.started_at, c.policy.version) for c in play.lead.clocks if c.clock == "CK-S1"}
    assert terms == {1: (timedelta(hours=1), 1), 2: (timedelta(hours=2), 2), 3: (timedelta(hours=1), 1)}


def test_a_handoff_that_names_a_version_to_come_waits_for_it(two_versions: Policies[Policy]) -> None:
    play = Play()
    lagging = Policies(two_versions.folder, two_versions.versions[:1], Policy)
    play.monitor = SlaMonitor(lagging, PATIENCE)
    for event in (a_qualification(**named(2)), a_handoff(**named(2))):
        with pytest.raises(OlderPolicy, match="version 2 of classic-50 has handed off, the newest here is 1"):
            play.hear(event)
    lagging.join(two_versions)
    play.hear(a_handoff(**named(2)))
    assert dues(play)["CK-S1"] == timedelta(hours=2)


def test_a_handoff_of_other_terms_under_a_number_that_is_known_waits(two_versions: Policies[Policy]) -> None:
    play = Play()
    play.monitor = SlaMonitor(two_versions, PATIENCE)
    first, second = two_versions.versions
    with pytest.raises(OlderPolicy, match="version 2 of classic-50 has handed off with other terms"):
        play.hear(a_handoff(**named(2), policy_digest=first.digest))
    play.hear(a_handoff(**named(2), policy_digest=second.digest))
    assert dues(play)["CK-S1"] == timedelta(hours=2)


def test_a_handoff_of_a_policy_that_ours_has_replaced_is_judged_by_ours() -> None:
    play = Play()
    play.hear(a_handoff(policy=PolicyRef(name="demo", version=7)))
    assert dues(play)["CK-S1"] == timedelta(hours=1)


def test_same_instant_in_another_zone_is_the_same_state() -> None:
    here, there = Play(), Play()
    here.hear(a_handoff())
    there.hear(a_handoff(handed_off_at=NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))))
    assert here.monitor.dump(here.lead) == there.monitor.dump(there.lead)


def test_ended_clocks_of_long_past_episodes_are_forgotten_and_open_ones_are_not() -> None:
    play = Play()
    for episode in range(1, 14):
        play.hear(a_handoff(episode=episode, handed_off_at=at(episode)))
        if episode == 1:
            play.tick(at(100))
    kept = {episode for episode, _ in play.standing()}
    assert kept == set(range(1, 14))
    assert (1, "CK-S1") not in play.standing()
    assert (1, "CK-S4") in play.standing()


def test_start_of_an_episode_long_forgotten_is_ignored() -> None:
    play = Play()
    for episode in range(2, 12):
        play.hear(a_handoff(episode=episode, handed_off_at=at(episode)))
    assert play.hear(a_handoff(episode=1)) == []


def test_a_promise_of_marketing_is_held_by_no_one_at_sales() -> None:
    policy = shipped("classic-50").versions[-1]
    clocks = tuple(rule.model_copy(update={"party": "marketing"}) for rule in policy.clocks if rule.id == "CK-S3")
    handoff = a_handoff()
    [clock] = clocks_of(handoff, start_of(handoff), NOON, policy.model_copy(update={"clocks": clocks}))
    assert (clock.party, clock.holder) == ("marketing", None)
