"""The promises of a merged lead: its clocks end, those of the episode taken over start anew, and back again."""

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.engagements import Merge
from schemas.envelope import Envelope
from schemas.handoffs import Done, LeadHandedOff, MergedOnHandoffs, UnmergedOnHandoffs
from schemas.identity import lead_id_of
from schemas.sales import SalesDisqualified
from tests.builders import LEAD, a_handoff, a_sales_activity, at
from tests.unit.sla_monitor.driver import Play, contacted, handed_off

MINUTE = timedelta(minutes=1)
OTHER, FIRST = lead_id_of(email="ada@other.example"), lead_id_of(email="ada@first.example")


def a_merge(minutes: float, *, alias: str = LEAD, undone: bool = False) -> Envelope:
    """A merge of the alias into another lead, or of another one into Ada, as the router passes it on to Ada."""
    kind: Any = UnmergedOnHandoffs if undone else MergedOnHandoffs
    data = Merge(alias=alias, lead=OTHER if alias == LEAD else LEAD)
    id_ = f"merge-{minutes:g}-{undone}"
    event: Envelope = kind(id=id_, source="baton/router", subject=LEAD, time=at(minutes), finaltime=True, data=data)
    return event


def taken_over(
    *done: tuple[float, str], minutes: float = 30, episode: int = 1, play: Play | None = None, through: Any = ()
) -> Play:
    """Ada takes over the first episode of another lead, which was handed off at NOON, `minutes` after NOON."""
    play = play or Play()
    handoff = a_handoff(intent="high", episode=episode)
    about = [Done(time=at(when), source="crm", id=f"{what}-{when}", activity=what) for when, what in done]
    source = {"cause": "merged", "alias": OTHER, "alias_episode": 1, "through": through}
    data = handoff.data.model_copy(update={"done": tuple(about), **source})
    play.hear(LeadHandedOff(**{**dict(handoff), "data": data}), now=at(minutes), received=at(minutes))
    return play


def test_a_merge_cancels_the_open_clocks_and_an_unmerge_runs_them_again() -> None:
    play = handed_off()
    assert sorted(play.hear(a_merge(10))) == ["CK-S1 cancelled", "CK-S3 cancelled", "CK-S4 cancelled"]
    assert play.about("CK-S1")[-1].data.why == "the promise is another lead's"
    assert play.tick(at(61)) == []
    assert sorted(play.hear(a_merge(62, undone=True))) == ["CK-S1 started", "CK-S3 started", "CK-S4 started"]
    assert play.standing()[1, "CK-S1"] == "running"


def test_the_time_of_a_merge_counts_against_nobody() -> None:
    """Meanwhile the owner was told to follow up the survivor, which nothing says here."""
    play = handed_off()
    play.hear(a_merge(10))
    play.hear(a_merge(62, undone=True))
    started = play.about("CK-S1")[-1].data
    assert (started.due, started.elapsed, started.remaining) == (at(112), 0, 3600)
    assert "CK-S1 breached" not in play.tick(at(112))
    assert "CK-S1 breached" in play.tick(at(112.1))


def test_a_follow_up_of_before_the_merge_that_comes_after_the_unmerge_counts() -> None:
    play = handed_off()
    play.hear(a_merge(10))
    play.hear(a_merge(62, undone=True))
    assert play.hear(contacted(9), now=at(70)) == ["CK-S1 met"]


def test_a_breach_of_before_the_merge_stays() -> None:
    play = handed_off()
    play.tick(at(61))
    play.hear(a_merge(70))
    assert play.standing()[1, "CK-S1"] == "breached"


def test_a_merge_of_another_lead_into_it_changes_no_clock() -> None:
    play = handed_off()
    assert play.hear(a_merge(10, alias=OTHER)) == []
    assert play.hear(a_merge(20, alias=OTHER, undone=True)) == []
    assert play.standing()[1, "CK-S1"] == "running"


def test_the_clocks_of_an_episode_taken_over_start_at_the_merge() -> None:
    play = taken_over()
    [started] = [event for event in play.about("CK-S1") if "started" in event.type]
    assert (started.data.started_at, started.data.due) == (at(30), at(90))
    assert play.hear(contacted(89)) == ["CK-S1 met"]


def test_what_was_done_about_the_merged_lead_counts_as_done() -> None:
    play = taken_over((5, "sales.contacted"))
    assert play.standing()[1, "CK-S1"] == "met"
    assert play.standing()[1, "CK-S3"] == "running"
    for decided in ("sales.qualified", "opportunity.created"):
        assert {taken_over((5, decided)).standing()[1, clock] for clock in ("CK-S3", "CK-S4")} == {"met"}


def test_an_unmerge_cancels_what_was_taken_over() -> None:
    play = taken_over()
    cancelled = sorted(play.hear(a_merge(40, alias=OTHER, undone=True)))
    assert cancelled == ["CK-S1 cancelled", "CK-S3 cancelled", "CK-S4 cancelled"]


def test_an_episode_taken_over_takes_no_follow_up_from_an_earlier_one() -> None:
    play = Play()
    play.hear(a_handoff(time=at(60), qualified_at=at(60)))
    play.hear(contacted(70))
    play.hear(a_sales_activity(SalesDisqualified, id="no", time=at(80), reason="no_budget"))
    taken_over(play=play, episode=2, minutes=3000)
    play.tick(at(3001))
    assert {play.standing()[1, clock] for clock in ("CK-S1", "CK-S3", "CK-S4")} == {"met"}
    assert {play.standing()[2, clock] for clock in ("CK-S1", "CK-S3", "CK-S4")} == {"running"}


def test_a_follow_up_that_names_the_episode_of_the_merged_lead_is_one_of_the_episode_taken_over() -> None:
    play = Play()
    play.hear(a_handoff(time=at(-6000), qualified_at=at(-6000)))
    taken_over(play=play, episode=2)
    late = play.standing()[1, "CK-S1"]
    assert play.hear(contacted(40, episode=1).model_copy(update={"via": OTHER})) == ["CK-S1 met"]
    assert (play.standing()[1, "CK-S1"], play.standing()[2, "CK-S1"]) == (late, "met")


def test_a_follow_up_before_the_merge_that_named_the_merged_lead_and_comes_late_counts() -> None:
    play = taken_over()
    play.tick(at(91))
    assert play.standing()[1, "CK-S1"] == "breached"
    assert play.hear(contacted(20).model_copy(update={"via": OTHER}), now=at(92)) == [
        "CK-S1 breach_retracted",
        "CK-S1 met",
    ]


def test_an_unmerge_further_up_cancels_what_came_through_it() -> None:
    play = taken_over(through=(FIRST,))
    cancelled = sorted(play.hear(a_merge(40, alias=FIRST, undone=True)))
    assert cancelled == ["CK-S1 cancelled", "CK-S3 cancelled", "CK-S4 cancelled"]


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[Envelope], list[Envelope]]:
    """What the router passes on, in its order, and follow-ups around it, by either name."""
    gaps = draw(st.lists(st.sampled_from([1, 20, 50, 70]), min_size=1, max_size=4))
    times = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    passed = [a_merge(time, undone=n % 2 == 1) for n, time in enumerate(times)]
    calls: list[Envelope] = [
        contacted(minutes).model_copy(update={"via": draw(st.sampled_from([None, OTHER]))})
        for minutes in draw(st.sets(st.integers(-4, 240), max_size=4))
    ]
    return [a_handoff(intent="high"), *passed], calls


def end_of(events: list[Envelope], ticks: list[int]) -> Play:
    """The lead's clocks after the events, with `ticks` between them."""
    play, now = Play(), at(0)
    for event, pause in zip(events, ticks, strict=True):
        now = max(now, event.time) + pause * MINUTE
        play.hear(event, now=now)
        play.tick(now)
    play.tick(at(90_000))
    return play


@given(life=lives(), data=st.data())
@settings(max_examples=2000, deadline=None)
def test_the_verdicts_of_a_merged_lead_do_not_depend_on_the_order_of_arrival(
    life: tuple[list[Envelope], list[Envelope]], data: st.DataObject
) -> None:
    passed, calls = life
    lanes = [[*passed], *([call] for call in calls)]
    sent = list[Envelope]()
    while any(lanes):
        lane = data.draw(st.sampled_from([lane for lane in lanes if lane]))
        sent.append(lane.pop(0))
    pauses = data.draw(st.lists(st.sampled_from([0, 0, 30, 300]), min_size=len(sent), max_size=len(sent)))
    in_order = sorted([*passed, *calls], key=lambda event: event.time)
    first = end_of(in_order, [0] * len(sent))
    second = end_of(sent, pauses)
    assert second.standing() == first.standing()
    for play in (first, second):
        told = [event.type.split(".")[2] for event in play.about("CK-S1") if event.topic == "sla-breaches"]
        assert told == (["breached", "breach_retracted"] * len(told))[: len(told)]
