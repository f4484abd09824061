"""What the router keeps of a lead: bounded, and enough to decide without asking anyone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from schemas.erasure import Tombstone
from schemas.handoffs import Owner, Qualification, Stage
from schemas.sales import Reason, rank_of
from schemas.scores import Score

STEPS_KEPT = 200
"""Most sales activities kept for one episode; one more is counted and refused in public, not kept."""
WAITING_KEPT = 20
"""Most steps kept for the next episode, not opened yet, the latest."""
PAST_KEPT = 50
"""Most finished episodes kept, the latest; their numbers go on rising."""
ENDS: frozenset[Stage] = frozenset(("won", "lost", "disqualified", "recycled", "suppressed"))
"""Stages that end an episode."""


@dataclass(frozen=True, slots=True)
class Step:
    """A sales activity that asks for a stage; `refused` once its refusal has been published."""

    time: datetime
    source: str
    id: str
    activity: str
    episode: int | None = None
    reason: Reason | None = None
    refused: bool = False

    @property
    def order(self) -> tuple[datetime, int, str, str]:
        """The order of a lead's sales activities (business.md B.1): within one instant the lifecycle's."""
        return (self.time, rank_of(self.activity), self.source, self.id)


@dataclass(frozen=True, slots=True)
class Entry:
    """A stage of an episode, since when, and the id of the event that brought it."""

    stage: Stage
    at: datetime
    cause: str
    implied: bool = False
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """The latest passage of a lead: what opened it, who owns it, the stages it went through, `mql` first.

    `before` and `after` are of the time before it opened: the lead's stage, and when the episode before ended.
    `targets`: seconds that each clock gives, as the owner was told; absent in states of before 2026-11-28.
    """

    qualification: Qualification
    owner: Owner
    chain: tuple[Entry, ...]
    before: Stage
    after: datetime | None
    targets: dict[str, int] = field(default_factory=dict)

    @property
    def number(self) -> int:
        return self.qualification.episode

    @property
    def handed_off_at(self) -> datetime:
        return self.chain[1].at

    @property
    def end(self) -> Entry | None:
        """The stage that ended the episode, None while it is open."""
        return self.chain[-1] if self.chain[-1].stage in ENDS else None


@dataclass(frozen=True, slots=True)
class Past:
    """A finished episode that a later one has followed."""

    number: int
    owner: str
    handed_off_at: datetime
    end: Stage
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Lead:
    """Everything the router knows of one lead.

    `scored` is the key of the fact of `score`; `heard` is the latest score that an event brought, where time
    or another policy has changed it since. `standing` is the stage before any episode; `steps` are those of the latest
    episode, and those that wait for the next one; `dropped` counts the steps of the latest episode that found no room.
    `suppressed`: since when nobody may approach the lead; `unkept` counts by reason the events that were dropped.
    """

    lead_id: str
    score: Score | None = None
    scored: tuple[str, str] | None = None
    heard: Score | None = None
    standing: Stage = "lead"
    episode: Episode | None = None
    steps: tuple[Step, ...] = ()
    dropped: int = 0
    past: tuple[Past, ...] = ()
    suppressed: datetime | None = None
    erased: Tombstone | None = None
    unkept: Mapping[str, int] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """The latest episode's number, 0 before the first."""
        return self.episode.number if self.episode else 0

    @property
    def answered(self) -> datetime | None:
        """When the latest episode ended: it has answered every request for sales up to then."""
        return self.episode.end.at if self.episode and self.episode.end else None

    @property
    def stage(self) -> Stage:
        return self.episode.chain[-1].stage if self.episode else self.standing
