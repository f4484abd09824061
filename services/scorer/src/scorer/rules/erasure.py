"""A lead that asked to be forgotten or to be left alone: what is left of it, and what those downstream have to hear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from schemas.engagements import LeadErased, LeadSuppressed
from schemas.envelope import Envelope, Fact
from schemas.erasure import passed_on
from schemas.scores import ErasedOnScores, SuppressedOnScores
from scorer.rules.decision import SOURCE, Published, State
from scorer.rules.tally import Tally

KINDS = ((LeadErased, ErasedOnScores), (LeadSuppressed, SuppressedOnScores))


def erased(state: State) -> State:
    """What is left of an erased lead: its version, for one that was published is not published again."""
    return replace(state, tally=Tally(), published=Published(state.published.version))


def told_downstream(facts: Sequence[Fact]) -> tuple[Envelope, ...]:
    """What the services downstream have to hear of these facts, each once."""
    return tuple(
        passed_on(fact, kind, SOURCE) for fact in facts for event, kind in KINDS if isinstance(fact.event, event)
    )
