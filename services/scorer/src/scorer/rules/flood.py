"""How many facts of a lead are kept: more are a machine at work (business.md B.1, "under the flood limit").

Counted are a UTC day's engagements of each kind that a policy names, of all other kinds together, and descriptions,
opt-ins, links, suppressions and events of unknown types, each sort apart. Kinds are free strings, so a limit for each
of them could be evaded by new ones; one for all would let page views push out a demo request. Only an erasure is never
dropped: it leaves nothing to count.
"""

from __future__ import annotations

from collections.abc import Collection

from schemas.engagements import EngagementRecorded, LeadErased
from schemas.envelope import Fact

DAILY = 500
"""No person does one thing so often in a day, and no sensible rule counts so far."""
RECALLED = 10_000
"""Facts of a lead that are read again for one that comes late: a second of work under the dearest policy."""
OTHERS = ""
"""The kinds that no policy names."""


def sort_of(fact: Fact, kinds: Collection[str]) -> tuple[str, int] | None:
    """What the fact counts as, `kinds` being those that a policy names; None: it is never dropped."""
    event = fact.event
    if isinstance(event, EngagementRecorded):
        kind = event.data.kind
        return (kind if kind in kinds else OTHERS, fact.time.toordinal())
    return None if isinstance(event, LeadErased) else (f" {type(event).__name__}", fact.time.toordinal())
