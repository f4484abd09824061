"""What every service keeps of a lead that asked to be forgotten: that it did, and how much has gone (http.md, S13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from schemas.engagements import LeadErased
from schemas.envelope import Envelope, Fact
from schemas.identity import derived_id

E = TypeVar("E", bound=Envelope)

ERASED = "erased"
"""Why what comes later of an erased lead is dropped: a dead letter would keep the very bytes that have to go."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Since when a lead is erased, and how many facts were deleted."""

    at: datetime
    facts: int

    @classmethod
    def of(cls, erasure: Fact, deleted: Sequence[Fact]) -> Tombstone:
        return cls(erasure.time.astimezone(UTC), len(deleted))


FLOOD = "flood"
"""Why what a machine does too often is dropped."""


def erasing(heard: Sequence[Fact]) -> Fact | None:
    """The first of them that erases the lead."""
    return next((fact for fact in heard if isinstance(fact.event, LeadErased)), None)


def one_more(dropped: Mapping[str, int], reason: str) -> dict[str, int]:
    """How many events were dropped, by reason, with one more."""
    return {**dropped, reason: dropped.get(reason, 0) + 1}


def passed_on(fact: Fact, kind: type[E], source: str) -> E:
    """The fact's event for those downstream, as `kind`; its id follows from the fact's."""
    event_id = derived_id("passed_on", fact.lead_id, *fact.key)
    about = {"id": event_id, "source": source, "subject": fact.lead_id, "time": fact.time, "finaltime": True}
    return kind.model_validate({**about, "data": {}})
