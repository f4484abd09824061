"""Limits how many facts of a lead are kept; more come from a machine.

Counted by UTC day, each sort by itself: engagements of each kind that a policy names, all other engagements together,
descriptions, opt-ins, links, suppressions, events of unknown types. What a machine did, and what came by a public key,
has room of its own in each sort: it takes none from others. Kinds are free strings, so a limit for each could
be evaded by new ones; one limit for all would let page views displace a demo request. An erasure is never dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable

from schemas.engagements import EngagementRecorded, LeadErased
from schemas.envelope import Fact

DAILY = 500
"""More than a person does of one thing in a day, and than a sensible rule counts."""
RECALLED = 10_000
"""Most facts of a lead that are read for a late one: a second of work under the most expensive policy."""
OTHERS = ""
"""The kinds that no policy names."""


def sort_of(fact: Fact, kinds: Collection[str]) -> tuple[Hashable, ...] | None:
    """The sort of the fact, `kinds` being those that a policy names; None: it is never dropped."""
    event, day, public = fact.event, fact.time.toordinal(), fact.event.sentby == "public"
    if isinstance(event, EngagementRecorded):
        kind = event.data.kind
        return (kind if kind in kinds else OTHERS, day, public, event.data.machine)
    return None if isinstance(event, LeadErased) else (f" {type(event).__name__}", day, public)
