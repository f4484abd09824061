"""A lead that asked to be forgotten: nothing is left of it but that, and what comes later is dropped (http.md, S13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from schemas.engagements import LeadErased
from schemas.envelope import Fact
from scorer.rules.decision import State, Tombstone
from scorer.rules.tally import Tally

REASON = "erased"
"""A dead letter would keep the very bytes that have to go."""


def erasing(heard: Sequence[Fact]) -> Fact | None:
    """The first of them that erases the lead."""
    return next((fact for fact in heard if isinstance(fact.event, LeadErased)), None)


def erased(state: State, earlier: Sequence[Fact], fact: Fact) -> State:
    """What is left once `fact` has erased the lead: its version, for one that was told is not told again."""
    published = replace(state.published, digest="")
    return replace(state, tally=Tally(), published=published, erased=Tombstone(fact.time, len(earlier)))


def dropped(state: State) -> State:
    """The state of an erased lead with one more event dropped."""
    return replace(state, unkept={**state.unkept, REASON: state.unkept.get(REASON, 0) + 1})
