"""A lead's row: its state and what the row counts beside the facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Tombstone:
    """When a lead was erased, and how many facts were deleted."""

    at: datetime
    facts: int


@dataclass(frozen=True, slots=True)
class Row:
    """A lead's row: the stored state, and the events not kept, by reason."""

    state: str
    dropped: dict[str, int] = field(default_factory=dict)
    erased: Tombstone | None = None
