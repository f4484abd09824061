"""What the router keeps of a lead: bounded in size, and enough to decide without a query."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.handoffs import Owner, Qualification, Stage
from schemas.links import Links
from schemas.merging import Absorbed
from schemas.sales import Reason, rank_of
from schemas.scores import Score

STEPS_KEPT = 200
"""Most sales activities kept for one episode; one more is counted and refused in public."""
WAITING_KEPT = 20
"""Most steps kept for the next episode, which is not open yet: the latest."""
PAST_KEPT = 50
"""Most finished episodes kept: the latest; numbering continues."""
MERGES_KEPT = 200
"""Most leads merged into one of which is remembered whether they have answered: the latest."""
ENDS: frozenset[Stage] = frozenset(("won", "lost", "disqualified", "recycled", "suppressed", "merged", "unmerged"))
"""Stages that end an episode."""


@dataclass(frozen=True, slots=True)
class Step:
    """A sales activity that asks for a stage; `refused` once its refusal is published."""

    time: datetime
    source: str
    id: str
    activity: str
    episode: int | None = None
    reason: Reason | None = None
    refused: bool = False

    @property
    def order(self) -> tuple[datetime, int, str, str]:
        """The order of a lead's sales activities; within one instant that of the lifecycle."""
        return (self.time, rank_of(self.activity), self.source, self.id)


@dataclass(frozen=True, slots=True)
class Entry:
    """A stage of an episode, since when, and the id of the event that led to it."""

    stage: Stage
    at: datetime
    cause: str
    implied: bool = False
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """The latest passage of a lead: its cause, its owner, its stages, `mql` first.

    `before` and `after` are of the time before it opened: the lead's stage, and the end of the episode before.
    `targets`: the seconds of each clock as published to the owner; absent in states of before 2026-11-28.
    """

    qualification: Qualification
    owner: Owner
    chain: tuple[Entry, ...]
    before: Stage
    after: datetime | None
    targets: dict[str, int] = field(default_factory=dict)
    inherited: str | None = None
    """The merged lead that it was taken over from."""
    inherited_number: int | None = None
    """The number that it had there."""
    through: tuple[str, ...] = ()
    """Other merged leads that it came through."""

    @property
    def number(self) -> int:
        return self.qualification.episode

    @property
    def handed_off_at(self) -> datetime:
        return self.chain[1].at

    def number_of(self, via: str | None, named: int | None) -> int | None:
        """The number here of the episode that an activity names; `via`: the merged lead whose episodes it counts."""
        same = named is not None and (via, named) == (self.inherited, self.inherited_number)
        return self.number if same else named

    @property
    def end(self) -> Entry | None:
        """The stage that ended the episode, None while it is open."""
        return self.chain[-1] if self.chain[-1].stage in ENDS else None


@dataclass(frozen=True, slots=True)
class Past:
    """A finished episode that is not the latest."""

    number: int
    owner: str
    handed_off_at: datetime
    end: Stage
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Alias:
    """What makes a lead an alias: its links, or `merged` a merge, and how far its facts have been moved.

    `moved`: the key of the last fact moved; None: all are. `gone` are those leads that are erased, never all of them.
    """

    links: Links
    moved: tuple[str, str] | None = None
    merged: bool = False
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Merging:
    """The latest merge of an alias into the lead, or its unmerge; `answered`: what it had is known, or is not its.

    `told_by`: the alias that was to forward the answer, which the merge was into.
    """

    alias: str
    at: datetime
    merged: bool
    answered: bool = False
    told_by: str | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """Everything the router knows of one lead.

    `scored` is the key of the fact of `score`; `heard` is the latest score that an event brought, where time
    or another policy has changed it since. `standing` is the stage before any episode; `steps` are those of the latest
    episode, and those that wait for the next one; `dropped` counts the steps of the latest episode that found no room.
    `suppressed`: since when nobody may approach the lead. `alias`: it is another lead, and has no score any more;
    `judged` is the time of its own latest merge or unmerge. `merges` are those of others into it, `answers` the merges
    (alias, time) that were answered, `inherits` is the episode that it takes over next.
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
    alias: Alias | None = None
    judged: datetime | None = None
    merges: tuple[Merging, ...] = ()
    answers: tuple[tuple[str, datetime], ...] = ()
    inherits: Absorbed | None = None

    def merging(self, alias: str) -> Merging | None:
        """The latest merge or unmerge of the alias."""
        return next((each for each in self.merges if each.alias == alias), None)

    def with_merging(self, one: Merging) -> Lead:
        """With this one as the alias' latest; the latest MERGES_KEPT are kept."""
        others = (each for each in self.merges if each.alias != one.alias)
        return replace(self, merges=(*others, one)[-MERGES_KEPT:])

    @property
    def awaited(self) -> tuple[Merging, ...]:
        """The merges whose leads have still to say whether they had an owner."""
        return tuple(each for each in self.merges if each.merged and not each.answered)

    @property
    def waits(self) -> bool:
        """Whether a merged lead has still to say whether it had an owner."""
        return bool(self.awaited)

    def past_with_latest(self) -> tuple[Past, ...]:
        """The finished episodes, the latest among them if it has ended."""
        last = self.episode
        if last is None or last.end is None:
            return self.past
        ended = Past(last.number, last.owner.id, last.handed_off_at, last.end.stage, last.end.at)
        return (*self.past, ended)[-PAST_KEPT:]

    @property
    def moving(self) -> bool:
        """Whether facts of the alias are still to be published for its lead."""
        return self.alias is not None and self.alias.moved is not None

    @property
    def number(self) -> int:
        """The latest episode's number, 0 before the first."""
        return self.episode.number if self.episode else 0

    @property
    def answered(self) -> datetime | None:
        """The end of the latest episode, which answers every request for sales up to then."""
        end = self.episode.end if self.episode else None
        return None if end is None or end.stage == "unmerged" else end.at

    @property
    def stage(self) -> Stage:
        return self.episode.chain[-1].stage if self.episode else self.standing
