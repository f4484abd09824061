"""Erased and suppressed leads: what is kept of them, what is published downstream, and what is erased with them.

An erased lead passes its erasure on to its aliases. One that has other leads too keeps what belongs to those: only what
happened at times of the erased lead goes, and what comes of it later. Links that come after the erasure bring nothing
back: they decide whose the later events are, and one to the erased lead takes its times along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from schemas.engagements import Erasure, LeadErased, LeadSuppressed
from schemas.envelope import Envelope, Fact
from schemas.erasure import passed_on
from schemas.identity import derived_id
from schemas.links import Spans, common
from schemas.scores import ErasedOnScores, SuppressedOnScores
from scorer.rules.decision import SOURCE, Published, State
from scorer.rules.names import Names
from scorer.rules.tally import Tally

KINDS = ((LeadErased, ErasedOnScores), (LeadSuppressed, SuppressedOnScores))


class Erased(NamedTuple):
    """What follows from an erasure: facts of the times `spans` go, all of them if it is `whole`."""

    state: State
    events: tuple[Envelope, ...] = ()
    spans: Spans = ()
    whole: bool = False


def erase(state: State, fact: Fact) -> Erased:
    """What follows from the erasure of the lead, or of what an alias is of an erased lead.

    Nothing where the alias is not that lead: who is one through another alias is erased by that.
    """
    names, said = state.names, fact.event.data
    if said.lead is None:
        return _whole(state, fact)
    links = names.links
    if links is None or said.lead not in links.leads:
        return Erased(state)
    spans = links.spans_of({said.lead})
    if said.spans is not None:
        spans = common(spans, said.spans)
    else:
        names = replace(names, gone=tuple(sorted({*names.gone, said.lead})))
        if set(names.gone) == set(links.leads):
            return _whole(state, fact)
    passed = passed_on(fact, ErasedOnScores, SOURCE).model_copy(update={"data": Erasure(lead=said.lead, spans=spans)})
    others = (erasure(alias, fact, spans) for alias in names.aliases)
    return Erased(replace(state, names=names), (passed, *others), spans)


def _whole(state: State, fact: Fact) -> Erased:
    names = state.names
    others = [erasure(alias, fact) for alias in names.aliases]
    if names.links is not None and len(names.links.leads) == 1 and fact.event.data.lead is None:
        others += [_as_asked(lead, fact) for lead in names.links.leads]
    return Erased(erased(state), (*passed_downstream([fact]), *others), whole=True)


def erased(state: State) -> State:
    """The state of an erased lead. The version stays, so that no later score reuses it, and who is not it any more."""
    return replace(
        state, tally=Tally(), published=Published(state.published.version), names=Names(masked=state.names.masked)
    )


def erasure(alias: str, fact: Fact, spans: Spans | None = None) -> LeadErased:
    """The erasure of an alias as far as it is the fact's lead, or of what happened at times when it was."""
    event_id = derived_id("erased", alias, fact.lead_id, *fact.key, fact.received)
    return _erasure(event_id, alias, fact, Erasure(lead=fact.lead_id, spans=spans))


def _as_asked(lead: str, fact: Fact) -> LeadErased:
    """The erasure of the lead whose alias was named."""
    return _erasure(derived_id("erased", lead, fact.lead_id), lead, fact, Erasure())


def _erasure(event_id: str, of: str, fact: Fact, data: Erasure) -> LeadErased:
    return LeadErased(id=event_id, source=SOURCE, subject=of, time=fact.time, finaltime=True, data=data)


def passed_downstream(facts: Sequence[Fact]) -> tuple[Envelope, ...]:
    """These facts as events for the services downstream, each once."""
    return tuple(
        passed_on(fact, kind, SOURCE) for fact in facts for event, kind in KINDS if isinstance(fact.event, event)
    )
