"""How many engagements of a lead are kept: more are a machine at work (business.md B.1, "under the flood limit").

Counted are a UTC day's engagements of each kind that a policy names, and of all other kinds together. Kinds are free
strings, so a limit for each of them could be evaded by new ones; one for all would let page views push out a demo
request. Nothing but engagements is dropped: what is known of a lead, and what it wants, is not for a limit to decide.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from schemas.engagements import EngagementRecorded
from schemas.envelope import Fact
from schemas.erasure import one_more
from scorer.rules.decision import State

DAILY = 500
"""No person does one thing so often in a day, and no sensible rule counts so far."""
RECALLED = 10_000
"""Engagements of a lead that are read again for one that comes late: where points fade, half a second of work."""
REASON = "flood"
OTHERS = ""
"""The kinds that no policy names."""


def sort_of(fact: Fact, kinds: Collection[str]) -> tuple[str, int] | None:
    """What the fact counts as, `kinds` being those that a policy names; None: it is never dropped."""
    if not isinstance(fact.event, EngagementRecorded):
        return None
    kind = fact.event.data.kind
    return (kind if kind in kinds else OTHERS, fact.time.toordinal())


def dropped(state: State) -> State:
    """The state with one more engagement dropped; one that was dropped before and came again is one more."""
    return replace(state, unkept=one_more(state.unkept, REASON))


def flooded(state: State) -> bool:
    return state.erased is None and REASON in state.unkept
