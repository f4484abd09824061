"""The promises of a merged lead: its clocks end, those of the episode taken over start anew, and back again."""

from typing import Any

from schemas.engagements import Merge
from schemas.envelope import Envelope
from schemas.handoffs import Done, LeadHandedOff, MergedOnHandoffs, UnmergedOnHandoffs
from schemas.identity import lead_id_of
from tests.builders import LEAD, a_handoff, at
from tests.unit.sla_monitor.driver import Play, contacted, handed_off

OTHER = lead_id_of(email="ada@other.example")


def a_merge(minutes: float, *, alias: str = LEAD, undone: bool = False) -> Envelope:
    """A merge of the alias into another lead, or of another one into Ada, as the router passes it on to Ada."""
    kind: Any = UnmergedOnHandoffs if undone else MergedOnHandoffs
    data = Merge(alias=alias, lead=OTHER if alias == LEAD else LEAD)
    id_ = f"merge-{minutes:g}-{undone}"
    event: Envelope = kind(id=id_, source="baton/router", subject=LEAD, time=at(minutes), finaltime=True, data=data)
    return event


def taken_over(*done: tuple[float, str], minutes: float = 30) -> Play:
    """Ada takes over the episode of another lead, which was handed off at NOON, `minutes` after NOON."""
    play = Play()
    handoff = a_handoff(intent="high")
    about = [Done(time=at(when), source="crm", id=f"{what}-{when}", activity=what) for when, what in done]
    data = handoff.data.model_copy(update={"cause": "merged", "alias": OTHER, "done": tuple(about)})
    play.hear(LeadHandedOff(**{**dict(handoff), "data": data}), now=at(minutes), received=at(minutes))
    return play


def test_a_merge_cancels_the_open_clocks_and_an_unmerge_runs_them_again() -> None:
    play = handed_off()
    assert sorted(play.hear(a_merge(10))) == ["CK-S1 cancelled", "CK-S3 cancelled", "CK-S4 cancelled"]
    assert play.about("CK-S1")[-1].data.why == "the promise is another lead's"
    assert play.tick(at(61)) == []
    assert sorted(play.hear(a_merge(62, undone=True))) == ["CK-S1 started", "CK-S3 started", "CK-S4 started"]
    assert play.standing()[1, "CK-S1"] == "running"
    assert "CK-S1 breached" in play.tick(at(63))


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


def test_an_unmerge_cancels_what_was_taken_over() -> None:
    play = taken_over()
    cancelled = sorted(play.hear(a_merge(40, alias=OTHER, undone=True)))
    assert cancelled == ["CK-S1 cancelled", "CK-S3 cancelled", "CK-S4 cancelled"]
