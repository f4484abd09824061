"""Milestones: which clocks an event starts, stops or cancels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from schemas.engagements import LeadErased
from schemas.envelope import Envelope, Fact
from schemas.handoffs import Done, LeadHandedOff, LeadQualified
from schemas.sales import (
    FeedbackSubmitted,
    OpportunityCreated,
    Reason,
    SalesActivity,
    SalesContacted,
    SalesDisqualified,
    SalesQualified,
    SalesRecycled,
)

Meaning = Literal[
    "qualified", "handed_off", "contacted", "decided", "feedback", "no_contact_needed", "suppressed", "erased", "merged"
]

NO_CONTACT_NEEDED: frozenset[Reason] = frozenset(
    ("duplicate", "competitor", "existing_customer", "student_or_job_seeker", "bad_contact_data")
)
"""Reasons that need no follow-up; any other would let a mass of disqualifications stop the clocks."""

_RANKS: dict[Meaning, int] = {"no_contact_needed": 1, "suppressed": 2, "merged": 2}


@dataclass(frozen=True, slots=True)
class Milestone:
    """An event of a lead that starts or ends clocks, and its instant; `episode` absent: the one current at `time`.

    `via`: the other lead that the event named, whose episodes it counts.
    """

    time: datetime
    source: str
    id: str
    means: tuple[Meaning, ...]
    episode: int | None = None
    via: str | None = None

    @property
    def order(self) -> tuple[datetime, int, str, str]:
        """The order of a lead's milestones; in one instant what keeps a promise comes before what excuses from it."""
        return (self.time, max(_RANKS.get(means, 0) for means in self.means), self.source, self.id)


def start_of(event: LeadQualified | LeadHandedOff) -> Milestone:
    """The milestone at which clocks start. Its time is that of the decision: of a handoff `handed_off_at`, of a
    qualification the later of `qualified_at` and `known_at`.

    A handoff also stops the clock of marketing, which a qualification starts. Both are times of decisions, so an outage
    between decision and publication counts for nobody.
    """
    data = event.data
    if isinstance(event, LeadHandedOff):
        return Milestone(_utc(event.data.handed_off_at), event.source, event.id, ("handed_off",), data.episode)
    return Milestone(_utc(max(data.qualified_at, data.known_at)), event.source, event.id, ("qualified",), data.episode)


def suppression_of(fact: Fact) -> Milestone:
    """When the lead was suppressed or erased: from then on nobody owes it anything, in any episode."""
    means: tuple[Meaning, ...] = ("suppressed", "erased") if isinstance(fact.event, LeadErased) else ("suppressed",)
    return Milestone(_utc(fact.time), fact.event.source, fact.event.id, means)


def merge_of(fact: Fact, episode: int | None = None) -> Milestone:
    """When the lead's promises went to another lead, all of them or those of the episode."""
    return Milestone(_utc(fact.time), fact.event.source, fact.event.id, ("merged",), episode)


def done_of(event: LeadHandedOff) -> list[Milestone]:
    """What sales had done about the merged lead that this handoff was taken over from."""
    found = []
    for done in event.data.done:
        if means := _done(done):
            found.append(Milestone(_utc(done.time), done.source, done.id, means, event.data.episode))
    return found


def _done(done: Done) -> tuple[Meaning, ...]:
    match done.activity:
        case "sales.contacted":
            return ("contacted",)
        case "sales.qualified" | "opportunity.created":
            return ("decided", "feedback")
        case "feedback.submitted":
            return ("feedback",)
    return ()


def activity_of(event: SalesActivity, time: datetime) -> Milestone | None:
    """What the activity ends, at its effective `time`; None: nothing (accepting is no contact)."""
    means = _meanings(event)
    return Milestone(_utc(time), event.source, event.id, means, event.data.episode, event.via) if means else None


def _meanings(event: Envelope) -> tuple[Meaning, ...]:
    match event:
        case SalesContacted(data=contact) if contact.human and contact.outbound:
            return ("contacted",)
        case SalesQualified() | OpportunityCreated():  # who opens a deal has decided
            return ("decided", "feedback")
        case SalesDisqualified(data=outcome) | SalesRecycled(data=outcome):
            excused = outcome.reason in NO_CONTACT_NEEDED
            return ("decided", "feedback", "no_contact_needed") if excused else ("decided", "feedback")
        case FeedbackSubmitted():
            return ("feedback",)
        case _:
            return ()


def _utc(instant: datetime) -> datetime:
    """One spelling per instant, so that equal states are equal texts."""
    return instant.astimezone(UTC)
