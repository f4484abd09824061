"""Why what comes of a lead is dropped, and how an erasure or a suppression is passed on downstream (http.md, S13)."""

from __future__ import annotations

from typing import TypeVar

from schemas.envelope import Envelope, Fact
from schemas.identity import derived_id

E = TypeVar("E", bound=Envelope)

ERASED = "erased"
"""Why what comes later of an erased lead is dropped: a dead letter would keep the very bytes that have to go."""
FLOOD = "flood"
"""Why what a machine does too often is dropped."""


def passed_on(fact: Fact, kind: type[E], source: str) -> E:
    """The fact's event for those downstream, as `kind`; its id follows from the fact's."""
    event_id = derived_id("passed_on", fact.lead_id, *fact.key)
    about = {"id": event_id, "source": source, "subject": fact.lead_id, "time": fact.time, "finaltime": True}
    return kind.model_validate({**about, "data": {}})
