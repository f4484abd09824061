"""What a service's row says of a lead beside the facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Since when a lead is erased, and how many facts were deleted."""

    at: datetime
    facts: int


@dataclass(frozen=True, slots=True)
class Row:
    """A lead's row: the state as the service stored it, and how many events were not kept, by reason."""

    state: str
    dropped: dict[str, int] = field(default_factory=dict)
    erased: Tombstone | None = None
