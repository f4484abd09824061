"""A lead that asked to be forgotten: nothing is left of it but that, and what comes later is dropped (http.md, S13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from schemas.engagements import LeadErased, LeadSuppressed
from schemas.envelope import Envelope, Fact
from schemas.identity import derived_id
from schemas.scores import ErasedOnScores, SuppressedOnScores
from scorer.rules.decision import SOURCE, State, Tombstone
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


def passed_on(facts: Sequence[Fact]) -> tuple[Envelope, ...]:
    """What the services downstream have to hear of these facts, each once."""
    told = list[Envelope]()
    for fact in facts:
        if isinstance(fact.event, LeadErased | LeadSuppressed):
            kind = ErasedOnScores if isinstance(fact.event, LeadErased) else SuppressedOnScores
            event_id = derived_id("passed_on", fact.lead_id, *fact.key)
            about = {"id": event_id, "source": SOURCE, "subject": fact.lead_id, "time": fact.time, "finaltime": True}
            told.append(kind.model_validate({**about, "data": {}}))
    return tuple(told)
