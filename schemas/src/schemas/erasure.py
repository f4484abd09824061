"""The reasons for dropping events, and how what concerns a whole person is passed on downstream."""

from __future__ import annotations

from typing import TypeVar

from schemas.envelope import Envelope, Fact
from schemas.identity import derived_id

E = TypeVar("E", bound=Envelope)

ERASED = "erased"
"""Reason: the lead is erased. A dead letter would keep the very data that must be deleted."""
FLOOD = "flood"
"""Reason: more facts of one sort in a day than are kept."""


def passed_on(fact: Fact, kind: type[E], source: str) -> E:
    """The fact's event for the services downstream, as `kind`; its id is derived from the fact's."""
    event_id = derived_id("passed_on", fact.lead_id, *fact.key)
    about = {"id": event_id, "source": source, "subject": fact.lead_id, "time": fact.time, "finaltime": True}
    return kind.model_validate({**about, "data": fact.event.data})
