"""What the router of a merged lead tells that of the survivor."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from schemas.envelope import Count, Envelope, Frozen, Instant, LeadId
from schemas.handoffs import Done, Owner, Qualification


class AbsorbedEpisode(Frozen):
    """The episode that was open at the merge: why it was opened, whose it is, and what sales has done in it."""

    qualification: Qualification
    owner: Owner
    handed_off_at: Instant
    targets: dict[str, Count]
    done: tuple[Done, ...] = ()
    through: tuple[LeadId, ...] = Field((), description="other merged leads that it came through")


class Awaited(Frozen):
    """A merge that its alias has not answered yet."""

    alias: LeadId
    merged_at: Instant


class Absorbed(Frozen):
    """The answer to the merge of `merged_at`; without an episode nobody owned the alias."""

    alias: LeadId
    merged_at: Instant
    episode: AbsorbedEpisode | None = None
    awaits: tuple[Awaited, ...] | None = Field(
        None, description="merges into the alias whose answers it had not; these are passed on when they come"
    )


class LeadAbsorbed(Envelope):
    """A lead merged into the subject has ended its episode; until this is there, the subject is handed to nobody."""

    topic: ClassVar[str] = "sales-activities"
    type: Literal["baton.lead.absorbed.v1"] = "baton.lead.absorbed.v1"
    data: Absorbed
