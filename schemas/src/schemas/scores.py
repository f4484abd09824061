"""What a lead's score is and why: the event of `lead-scores`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.engagements import LeadErased, LeadLinked, LeadMerged, LeadSuppressed, LeadUnmerged, SizeRange
from schemas.envelope import Count, Envelope, Frozen, Instant, LeadId

Points = Annotated[float, Field(ge=-1e9, le=1e9, description="points, exact to a thousandth")]
Group = Literal["fit", "engagement", "negative"]
Level = Literal["high", "low"]


class PolicyRef(Frozen):
    """Which agreement judged."""

    name: str
    version: Count


Cut = Literal["per_day_cap", "total_cap", "decay", "clamp"]


class Line(Frozen):
    """One line of an explanation; the lines' points add up to the score.

    Without `cut` it is what a rule's engagements or attribute are worth, with it what a cap, age or a clamp takes from
    that or adds; a clamp's `rule` is the group's name, or `total`.
    """

    rule: str
    group: Group | Literal["total"]
    points: Points
    cut: Cut | None = None
    since: Instant
    events: tuple[str, ...] = Field(description="ids of the events that earned the points, the first ones first")
    omitted: Count | None = Field(None, description="how many ids more there are than stand here; absent: none")


EVIDENCE_BYTES = 256 * 1024
"""Most bytes of all ids in one explanation, as JSON; each line has the same share. A record has four times as many."""
_LARGEST_ID = 4 * 255 + 3


def fitting_ids(ids: Sequence[str], lines: int) -> Sequence[str]:
    """The first of a line's ids, as many as have room in an explanation of so many lines."""
    left = EVIDENCE_BYTES // lines
    if len(ids) * _LARGEST_ID <= left:
        return ids
    for count, each in enumerate(ids):
        left -= len(each.encode()) + each.count('"') + each.count("\\") + len('"",')
        if left < 0:
            return ids[:count]
    return ids


def fitting(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The explanation with as many ids as have room: one by an older version may have more."""
    if sum(len(line.events) for line in lines) * _LARGEST_ID <= EVIDENCE_BYTES:
        return lines
    return tuple(_cut(line, tuple(fitting_ids(line.events, len(lines)))) for line in lines)


def _cut(line: Line, events: tuple[str, ...]) -> Line:
    omitted = (line.omitted or 0) + len(line.events) - len(events)
    return line.model_copy(update={"events": events, "omitted": omitted or None})


class Intent(Frozen):
    """Whether the lead asked for sales: `since` and `event` are of the latest such event."""

    level: Level = "low"
    since: Instant | None = None
    event: str | None = None


class Touchpoint(Frozen):
    """One engagement, as short as it can be told."""

    time: Instant
    kind: str
    content: str | None = None
    campaign: str | None = None
    event: str


class Person(Frozen):
    """How to reach the lead, and what is known of the company."""

    email: str | None = None
    name: str | None = None
    phone: str | None = None
    title: str | None = None
    company: str | None = None
    company_size: Count | None = None
    company_size_range: SizeRange | None = Field(None, description="the size where only a range is known")
    industry: str | None = None
    country: str | None = None


class Origin(Frozen):
    """Where the lead came from: campaign or channel of the first and of the latest engagement that names one."""

    first: str | None = None
    last: str | None = None


TIME, POLICY = "time", "policy"
"""Causes of a score other than an event: time alone, another version of the policy alone."""


class Score(Frozen):
    """A lead's score, complete enough that no consumer needs to ask back.

    `facts` are the conditions that a gate can read, each with the instant since when it holds: `band:<name>` for each
    band the lead is in or above, `contactable`, `double_opt_in`, `fit_profile`, `engaged` (one scored engagement at
    least).
    """

    score: Points
    fit: Points
    engagement: Points
    band: str
    band_since: Instant | None = None
    facts: dict[str, Instant]
    intent: Intent
    explanation: tuple[Line, ...]
    touchpoints: tuple[Touchpoint, ...] = Field(description="the latest 20; of page views only those a rule asks for")
    contact: Person
    origin: Origin
    engaged_at: Instant | None = Field(
        None, description="when the lead last did something that it has points for; not moved by time or descriptions"
    )
    cause: str = Field(description="id of the event that changed the score; `time` or `policy` where that alone did")
    policy: PolicyRef
    as_of: Instant
    version: Count = Field(description="rises by one with each published score of the lead; a lower one is out of date")


class LeadScored(Envelope):
    """The lead's band, a fact that a gate can read, the contact, or the score by a whole point changed."""

    topic: ClassVar[str] = "lead-scores"
    type: Literal["baton.lead.scored.v1"] = "baton.lead.scored.v1"
    data: Score


class ErasedOnScores(LeadErased):
    """The scorer passes it on, after all scores of the lead."""

    topic: ClassVar[str] = "lead-scores"


class SuppressedOnScores(LeadSuppressed):
    """The scorer passes it on."""

    topic: ClassVar[str] = "lead-scores"


class LinkedOnScores(LeadLinked):
    """The scorer passes it on: the alias has no score any more."""

    topic: ClassVar[str] = "lead-scores"


class MergedOnScores(LeadMerged):
    """The scorer passes it on, for the alias and for the survivor."""

    topic: ClassVar[str] = "lead-scores"


class UnmergedOnScores(LeadUnmerged):
    """The scorer passes it on, for the alias and for the survivor."""

    topic: ClassVar[str] = "lead-scores"


class Conflict(Frozen):
    """One user id with two e-mail addresses: which leads these are, by lead id."""

    earlier: LeadId
    later: LeadId
    since: Instant = Field(description="from then on events of the user id belong to the later lead")


class LeadIdentityConflict(Envelope):
    """A user id, the subject, was seen with a second address. Nothing is merged; `baton conflicts` lists these."""

    topic: ClassVar[str] = "lead-scores"
    type: Literal["baton.lead.identity_conflict.v1"] = "baton.lead.identity_conflict.v1"
    data: Conflict
