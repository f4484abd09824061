"""Erased and suppressed leads: what is kept of them, and what is published downstream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from schemas.engagements import LeadErased, LeadSuppressed
from schemas.envelope import Envelope, Fact
from schemas.erasure import passed_on
from schemas.scores import ErasedOnScores, SuppressedOnScores
from scorer.rules.decision import SOURCE, Published, State
from scorer.rules.names import Names
from scorer.rules.tally import Tally

KINDS = ((LeadErased, ErasedOnScores), (LeadSuppressed, SuppressedOnScores))


def erased(state: State) -> State:
    """The state of an erased lead. The version stays, so that no later score reuses it, and who is not it any more."""
    return replace(
        state, tally=Tally(), published=Published(state.published.version), names=Names(masked=state.names.masked)
    )


def passed_downstream(facts: Sequence[Fact]) -> tuple[Envelope, ...]:
    """These facts as events for the services downstream, each once."""
    return tuple(
        passed_on(fact, kind, SOURCE) for fact in facts for event, kind in KINDS if isinstance(fact.event, event)
    )
