"""Who got the lead, why, and where it stands: the events of `lead-handoffs`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from schemas.engagements import LeadErased, LeadLinked, LeadMerged, LeadSuppressed, LeadUnmerged
from schemas.envelope import Count, Envelope, Frozen, Id, Instant, LeadId
from schemas.identity import derived_id
from schemas.sales import Reason
from schemas.scores import Intent, Line, Origin, Person, Points, PolicyRef, Touchpoint

Stage = Literal[
    "lead",
    "nurture",
    "mql",
    "handed_off",
    "sal",
    "sql",
    "opportunity",
    "won",
    "lost",
    "disqualified",
    "recycled",
    "suppressed",
    "merged",
    "unmerged",
]


def handoff_id_of(lead_id: str, episode: int) -> str:
    """The id of the one handoff that a lead can have in an episode."""
    return derived_id("handoff", lead_id, episode)


class Predicate(Frozen):
    """One condition of a gate, with what it was judged by."""

    name: str
    holds: bool
    since: Instant | None = None
    evidence: str


class GateReport(Frozen):
    """Every condition of the gate; it holds when all do, or by the fast track."""

    holds: bool
    fast_track: bool = False
    predicates: tuple[Predicate, ...]


class Owner(Frozen):
    """Who must act."""

    id: str
    name: str
    email: str | None = None


class Passage(Frozen):
    """Which passage of the lead this is about."""

    episode: Count
    handoff_id: str


class Done(Frozen):
    """One sales activity of an episode that is taken over."""

    time: Instant
    source: Id
    id: Id
    activity: str
    reason: Reason | None = None


class Qualification(Passage):
    """The gate held; `qualified_at` is when it began to, `known_at` when that was known."""

    qualified_at: Instant
    known_at: Instant
    score: Points
    intent: Intent
    gate: GateReport
    policy: PolicyRef
    policy_digest: str | None = Field(None, description="of the version's terms: equal only for the same ones")


class LeadQualified(Envelope):
    """The lead passed the gate and opened an episode; a handoff is owed from `known_at`."""

    topic: ClassVar[str] = "lead-handoffs"
    type: Literal["baton.lead.qualified.v1"] = "baton.lead.qualified.v1"
    data: Qualification


class Handoff(Qualification):
    """Everything the owner needs to act. When each clock is due stands in its `clock.started`."""

    owner: Owner
    handed_off_at: Instant = Field(description="when this was decided; stops the clock of marketing")
    targets: dict[str, Count] = Field(
        default_factory=dict,
        description="seconds that each clock gives, by its name; they run from when this event was published",
    )
    contact: Person
    explanation: tuple[Line, ...]
    touchpoints: tuple[Touchpoint, ...]
    origin: Origin
    cause: Literal["qualified", "merged"] = Field(
        "qualified", description="merged: taken over from a merged lead with its owner; no handoff of its own"
    )
    alias: LeadId | None = Field(None, description="the merged lead that it was taken over from")
    alias_episode: Count | None = Field(None, description="the number that the episode had there")
    through: tuple[LeadId, ...] = Field((), description="other merged leads that it came through")
    done: tuple[Done, ...] = Field((), description="what sales had done about the merged lead")


class LeadHandedOff(Envelope):
    """The lead is the owner's now. Exactly one per (lead, episode)."""

    topic: ClassVar[str] = "lead-handoffs"
    type: Literal["baton.lead.handed_off.v1"] = "baton.lead.handed_off.v1"
    data: Handoff


class StageChange(Frozen):
    """A step of the lifecycle; an implied one was skipped by sales and filled in at the same time."""

    episode: Count
    before: Stage
    after: Stage
    at: Instant
    implied: bool = False
    cause: str


class LeadStageChanged(Envelope):
    """The lead's stage is another one."""

    topic: ClassVar[str] = "lead-handoffs"
    type: Literal["baton.lead.stage_changed.v1"] = "baton.lead.stage_changed.v1"
    data: StageChange


class StageRefusal(Frozen):
    """An activity that does not fit the stage; the stage is unchanged."""

    episode: Count
    stage: Stage
    activity: str
    why: str
    cause: str


class StageRejected(Envelope):
    """Sales reported a step that the lifecycle does not allow; visible, never coerced."""

    topic: ClassVar[str] = "lead-handoffs"
    type: Literal["baton.stage.rejected.v1"] = "baton.stage.rejected.v1"
    data: StageRefusal


class ErasedOnHandoffs(LeadErased):
    """The router passes it on, after all that it told of the lead."""

    topic: ClassVar[str] = "lead-handoffs"


class SuppressedOnHandoffs(LeadSuppressed):
    """The router passes it on."""

    topic: ClassVar[str] = "lead-handoffs"


class LinkedOnHandoffs(LeadLinked):
    """The router passes it on: the alias is nobody of its own."""

    topic: ClassVar[str] = "lead-handoffs"


class MergedOnHandoffs(LeadMerged):
    """The router passes it on."""

    topic: ClassVar[str] = "lead-handoffs"


class UnmergedOnHandoffs(LeadUnmerged):
    """The router passes it on."""

    topic: ClassVar[str] = "lead-handoffs"
