"""What sales does about a lead: the events of `sales-activities`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from schemas.engagements import Text
from schemas.envelope import Count, Day, Envelope, Fact, Frozen, Instant, UnknownEvent

Money = Annotated[float, Field(ge=0, le=1e15)]
"""Exact to a tenth at its largest."""
Answer = Literal["yes", "no", "unknown"]
Reason = Literal[
    "wrong_company_size",
    "wrong_industry",
    "wrong_role",
    "wrong_region",
    "no_budget",
    "no_timeline",
    "no_authority",
    "competitor",
    "existing_customer",
    "student_or_job_seeker",
    "duplicate",
    "bad_contact_data",
    "no_response",
    "opted_out",
    "other",
]
"""Why a lead was not taken on."""


class Activity(Frozen):
    """One thing sales did; `episode` names the passage it belongs to, absent: the current one."""

    by: Text | None = Field(None, description="who did it, as the roster names people")
    episode: Annotated[Count, Field(ge=1)] | None = None
    note: Text | None = None


class Contact(Activity):
    """A contact attempt; one that no human made, or that reached nobody outside, follows nothing up."""

    channel: Literal["call", "email", "meeting", "chat", "other"] = "other"
    human: bool = Field(True, description="false: an auto-reply or a bulk mail")
    outbound: bool = Field(True, description="false: the lead called, or an internal note")


class Validation(Activity):
    """What sales found out: budget, timeline, authority, fit."""

    budget: Answer = "unknown"
    timeline: Answer = "unknown"
    authority: Answer = "unknown"
    fit: Answer = "unknown"


class Explained(Activity):
    """Something with a reason, where there is one; `other` needs a note."""

    reason: Reason | None = None

    @model_validator(mode="after")
    def _other_needs_a_note(self) -> Explained:
        if self.reason == "other" and not self.note:
            raise ValueError("reason 'other' needs a note")
        return self


class Reasoned(Explained):
    """An outcome with its reason."""

    reason: Reason


class Recycling(Reasoned):
    """Back to marketing, with a date to look again where there is one."""

    revisit_at: Instant | None = None


class Opportunity(Activity):
    """A sale in progress; without a value and a date it is none."""

    value: Annotated[Money, Field(gt=0)]
    close_date: Day


class Revenue(Activity):
    """What a won deal is worth."""

    revenue: Money | None = None


class Feedback(Explained):
    """What sales says of a lead's quality."""

    outcome: Literal["accepted", "sql", "disqualified", "recycled"]
    quality: Annotated[int, Field(ge=1, le=5)] | None = None


class SalesActivity(Envelope):
    """Any event of `sales-activities`."""

    topic: ClassVar[str] = "sales-activities"
    data: Activity


DAILY = 200
"""Most activities of one type that are kept of a lead in a UTC day; no person does more."""
RECALLED = 10_000
"""Most activities of a lead that are read for a late one; no service that keeps them needs that today."""


def sort_of(fact: Fact) -> tuple[str, int] | None:
    """The sort that counts towards DAILY; None for what Baton writes about the lead, which is never dropped.

    Events of unknown types are one sort: each could have its own type.
    """
    if isinstance(fact.event, UnknownEvent):
        return ("", fact.time.toordinal())
    return (fact.event.type, fact.time.toordinal()) if isinstance(fact.event, SalesActivity) else None


class SalesAccepted(SalesActivity):
    """Sales agreed to act upon the lead."""

    type: Literal["baton.sales.accepted.v1"] = "baton.sales.accepted.v1"
    data: Activity


class SalesContacted(SalesActivity):
    """Someone tried to reach the lead: a follow-up, when human and outbound."""

    type: Literal["baton.sales.contacted.v1"] = "baton.sales.contacted.v1"
    data: Contact


class SalesQualified(SalesActivity):
    """Sales validated the lead."""

    type: Literal["baton.sales.qualified.v1"] = "baton.sales.qualified.v1"
    data: Validation


class SalesDisqualified(SalesActivity):
    """Sales turned the lead down."""

    type: Literal["baton.sales.disqualified.v1"] = "baton.sales.disqualified.v1"
    data: Reasoned


class SalesRecycled(SalesActivity):
    """Sales gave the lead back to be nurtured."""

    type: Literal["baton.sales.recycled.v1"] = "baton.sales.recycled.v1"
    data: Recycling


class OpportunityCreated(SalesActivity):
    """The lead is in an active sales process."""

    type: Literal["baton.opportunity.created.v1"] = "baton.opportunity.created.v1"
    data: Opportunity


class DealWon(SalesActivity):
    """The lead bought."""

    type: Literal["baton.deal.won.v1"] = "baton.deal.won.v1"
    data: Revenue


class DealLost(SalesActivity):
    """The lead did not buy."""

    type: Literal["baton.deal.lost.v1"] = "baton.deal.lost.v1"
    data: Reasoned


class FeedbackSubmitted(SalesActivity):
    """Sales told marketing how good the lead was."""

    type: Literal["baton.feedback.submitted.v1"] = "baton.feedback.submitted.v1"
    data: Feedback


def name_of(event: type[Envelope]) -> str:
    """The event's type without its prefix and version: `sales.accepted`."""
    return str(event.model_fields["type"].default).removeprefix("baton.").removesuffix(".v1")


SALES_ACTIVITIES: tuple[type[SalesActivity], ...] = (
    SalesAccepted,
    SalesContacted,
    SalesQualified,
    OpportunityCreated,
    DealWon,
    DealLost,
    SalesDisqualified,
    SalesRecycled,
    FeedbackSubmitted,
)
"""In the order of the lifecycle, which orders activities of one instant: many a CRM has seconds only,
and ids are random. Of outcomes that exclude one another the costliest comes first: a won deal."""
_RANKS = {name_of(event): rank for rank, event in enumerate(SALES_ACTIVITIES)}


def rank_of(activity: str) -> int:
    """The index of `sales.accepted`, `deal.won` ... within one instant; other activities come after all of them."""
    return _RANKS.get(activity, len(_RANKS))
