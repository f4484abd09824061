"""What leads do, and what is known of them: the events of `engagements`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from schemas.envelope import Envelope, Frozen, Instant, LeadId
from schemas.identity import Identifiers

Text = Annotated[str, StringConstraints(max_length=1024)]
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Property = str | Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | float | bool | None


def _in_order(properties: dict[str, Property]) -> dict[str, Property]:
    return dict(sorted(properties.items())) if len(properties) > 1 else properties


LARGEST_COMPANY = 10_000_000
"""Employees of the largest company that a description may have."""


class Engagement(Frozen):
    """One thing a lead did. A kind that no policy names is kept and earns nothing."""

    kind: Kind
    content: Text | None = Field(None, description="what it was about, as policies name it: pricing, case_study, ...")
    machine: bool = Field(False, description="done by a machine (a mail scanner's open), so no interest shown")
    campaign: Text | None = None
    channel: Text | None = None
    identifiers: Identifiers = Identifiers()
    properties: Annotated[dict[str, Property], AfterValidator(_in_order)] = Field(default_factory=dict)


class EngagementRecorded(Envelope):
    """A lead did something: viewed a page, downloaded, attended, asked."""

    topic: ClassVar[str] = "engagements"
    type: Literal["baton.engagement.recorded.v1"] = "baton.engagement.recorded.v1"
    data: Engagement


Employees = Annotated[int, Field(ge=0, le=LARGEST_COMPANY)]


class SizeRange(Frozen):
    """How many people a company has at least and at most, both included; without `most` there is no upper end."""

    least: Employees
    most: Employees | None = None

    @model_validator(mode="after")
    def _in_order(self) -> SizeRange:
        if self.most is not None and self.least > self.most:
            raise ValueError("'least' must not be more than 'most'")
        return self


class Description(Frozen):
    """Attributes of a lead; one that is absent says nothing, it takes no earlier value away."""

    identifiers: Identifiers = Identifiers()
    name: Text | None = None
    phone: Text | None = None
    title: Text | None = None
    company: Text | None = None
    company_size: Employees | None = None
    company_size_range: SizeRange | None = Field(None, description="the size where only a range is known, as of a form")
    industry: Text | None = None
    country: Text | None = None


class LeadDescribed(Envelope):
    """What is known of a lead from `time` on."""

    topic: ClassVar[str] = "engagements"
    type: Literal["baton.lead.described.v1"] = "baton.lead.described.v1"
    data: Description


class OptIn(Frozen):
    """The lead confirmed the registration by e-mail (double opt-in)."""

    identifiers: Identifiers = Identifiers()
    text_version: Text | None = None


class LeadOptedIn(Envelope):
    """The lead actively confirmed the e-mail after registration."""

    topic: ClassVar[str] = "engagements"
    type: Literal["baton.lead.opted_in.v1"] = "baton.lead.opted_in.v1"
    data: OptIn


class Erasure(Frozen):
    """Names nobody: it is what stays when all else is gone.

    Of an alias `lead` is the erased lead that passes it on: what belongs to other leads of the alias stays.
    """

    lead: LeadId | None = Field(None, description="an alias is erased as far as it is this lead; absent: all of it")
    spans: tuple[tuple[Instant | None, Instant | None], ...] | None = Field(
        None,
        max_length=500,
        description="only what happened at these times, from an instant until before another; absent: at any",
    )


class LeadErased(Envelope):
    """The lead asked to be forgotten: all that is kept of it goes, and what comes later is dropped.

    Where an alias is of other leads too, only what belongs to the erased one goes.
    """

    topic: ClassVar[str] = "engagements"
    erases: ClassVar[bool] = True
    type: Literal["baton.lead.erased.v1"] = "baton.lead.erased.v1"
    data: Erasure

    @property
    def erases_all(self) -> bool:
        return self.data.lead is None and not self.data.spans


class Suppression(Frozen):
    """Says nothing more: what is known of the lead stays."""


class LeadSuppressed(Envelope):
    """Nobody may approach the lead any more: no handoff from then on, and no promise to follow up runs."""

    topic: ClassVar[str] = "engagements"
    type: Literal["baton.lead.suppressed.v1"] = "baton.lead.suppressed.v1"
    data: Suppression


class Link(Frozen):
    """Two identifiers are one person; from the weaker to the stronger, so links form no cycle.

    A new link that does not say by which identifiers, or goes to one that is not stronger, is refused and counted.
    """

    alias: LeadId
    lead: LeadId
    alias_by: Literal["user_id", "anonymous_id"] | None = Field(None, description="the identifier that is the alias")
    lead_by: Literal["email", "user_id"] | None = Field(None, description="the identifier that is the lead")


class LeadLinked(Envelope):
    """The alias is the lead, from `time` on.

    Its subject is the alias, where it is kept. Forwarded, with the lead as its subject, it tells the lead of the alias.
    """

    topic: ClassVar[str] = "engagements"
    type: Literal["baton.lead.linked.v1"] = "baton.lead.linked.v1"
    data: Link


class Merge(Frozen):
    """Two known leads, `alias` and `lead`, the survivor, and why somebody says so."""

    alias: LeadId
    lead: LeadId
    because: Text | None = None


class LeadMerged(Envelope):
    """An operator or a CRM says that the alias, a known lead, is another known lead.

    Its subject is the alias; forwarded, the survivor. All that is known of the alias counts for the survivor.
    """

    topic: ClassVar[str] = "engagements"
    type: Literal["baton.lead.merged.v1"] = "baton.lead.merged.v1"
    data: Merge


class LeadUnmerged(Envelope):
    """The alias is not that lead: what came `via` it does not count for the survivor any more, but for itself again."""

    topic: ClassVar[str] = "engagements"
    type: Literal["baton.lead.unmerged.v1"] = "baton.lead.unmerged.v1"
    data: Merge
