"""The promises and how they were kept: the events of `sla-clocks` and `sla-breaches`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from schemas.envelope import Count, Envelope, Frozen, Instant
from schemas.handoffs import Owner
from schemas.identity import derived_id
from schemas.scores import PolicyRef

Party = Literal["marketing", "sales"]


def clock_id_of(lead_id: str, episode: int, clock: str) -> str:
    """The id of a clock in an episode."""
    return derived_id("clock", lead_id, episode, clock)


class Clock(Frozen):
    """One promise at one instant; `version` rises by one with each event of the instance."""

    clock_id: str
    clock: str = Field(description="the clock's name in the policy: CK-S1, ...")
    version: Count
    episode: Count
    handoff_id: str
    party: Party
    holder: Owner | None = Field(None, description="who owes the promise; absent: the party as a whole")
    started_at: Instant
    due: Instant
    elapsed: float = Field(description="seconds from the start to this event's instant")
    remaining: float = Field(description="seconds from this event's instant to due; below 0: late")
    cause: str = Field(description="id of the event that brought this about; of the start, where time did")
    policy: PolicyRef


class ClockStarted(Envelope):
    """A promise runs."""

    topic: ClassVar[str] = "sla-clocks"
    type: Literal["baton.clock.started.v1"] = "baton.clock.started.v1"
    data: Clock


class Warning_(Clock):  # noqa: N801 - `Warning` is Python's
    """`fraction` of the time is gone."""

    fraction: float


class ClockWarned(Envelope):
    """A good part of the time is gone and nothing has happened."""

    topic: ClassVar[str] = "sla-clocks"
    type: Literal["baton.clock.warned.v1"] = "baton.clock.warned.v1"
    data: Warning_


class Met(Clock):
    """The promise was kept at `met_at`."""

    met_at: Instant
    stop_before_start: bool = Field(
        False, description="kept before the clock started: the handoff was not published yet, or clocks in disorder"
    )


class ClockMet(Envelope):
    """A promise was kept in time."""

    topic: ClassVar[str] = "sla-clocks"
    type: Literal["baton.clock.met.v1"] = "baton.clock.met.v1"
    data: Met


class ClockUnknown(Envelope):
    """Due is past, but the feed that would tell is behind: neither kept nor broken as far as anyone knows."""

    topic: ClassVar[str] = "sla-clocks"
    type: Literal["baton.clock.unknown.v1"] = "baton.clock.unknown.v1"
    data: Clock


class Cancellation(Clock):
    """Nobody owes the promise any more."""

    why: str


class ClockCancelled(Envelope):
    """The promise fell away; left out of every count of kept and broken ones."""

    topic: ClassVar[str] = "sla-clocks"
    type: Literal["baton.clock.cancelled.v1"] = "baton.clock.cancelled.v1"
    data: Cancellation


class Breach(Clock):
    """The promise was broken at `due`; `detected_at` is when that was certain."""

    breach_id: str
    detected_at: Instant


class SlaBreached(Envelope):
    """A clock passed its due and nothing that happened in time is known."""

    topic: ClassVar[str] = "sla-breaches"
    type: Literal["baton.sla.breached.v1"] = "baton.sla.breached.v1"
    data: Breach


class Retraction(Breach):
    """The breach was none: `stop_event` happened in time and arrived late."""

    stop_event: str
    met_at: Instant | None = Field(None, description="absent: not kept, but nobody owed it any more at due")


class SlaBreachRetracted(Envelope):
    """A published breach is taken back; same breach id, higher version."""

    topic: ClassVar[str] = "sla-breaches"
    type: Literal["baton.sla.breach_retracted.v1"] = "baton.sla.breach_retracted.v1"
    data: Retraction
