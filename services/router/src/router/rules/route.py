"""Decides what follows for a lead from one new fact, or from time alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from router.rules import merging
from router.rules.alias import link
from router.rules.handoff import Context, find_opening, hand_off, released
from router.rules.lead import Lead
from router.rules.stage import stand, step_of, take
from router.rules.suppression import suppress
from schemas.engagements import LeadLinked, LeadMerged, LeadSuppressed, LeadUnmerged
from schemas.envelope import Envelope, Fact
from schemas.merging import LeadAbsorbed
from schemas.scores import LeadScored, Score


@dataclass(frozen=True, slots=True)
class Result:
    """What follows for one lead; `turn` is the rotation's next turn where one was taken.

    `replaces` is the key of the fact that the new one replaces; `outdated`: a later one has replaced the new one
    already.
    """

    lead: Lead
    events: tuple[Envelope, ...] = ()
    due: datetime | None = None
    turn: int | None = None
    replaces: tuple[str, str] | None = None
    outdated: bool = False


def route(lead: Lead, fact: Fact, context: Context) -> Result:  # noqa: PLR0911 - one for each kind of event
    """What follows from one new fact: a score may hand the lead off, a sales activity may change its stage."""
    match fact.event:
        case LeadScored() as event:
            return _scored(lead, fact, event.data, context)
        case LeadSuppressed():
            lead, events = suppress(lead, fact)
            return Result(lead, events, due=context.now if lead.moving else None)
        case LeadLinked() as event:
            return _told(link(lead, fact, event), context)
        case LeadMerged():
            return _told(merging.merge_survivor(lead, fact), context)
        case LeadUnmerged():
            return _told(merging.unmerge_survivor(lead, fact), context)
        case LeadAbsorbed():
            return wake(merging.heard(lead, fact), context)
    step = step_of(fact)
    if step is None:
        return wake(lead, context)
    if lead.episode is not None:
        step = replace(step, episode=lead.episode.number_of(fact.event.via, step.episode))
    lead, events = take(lead, step)
    result = wake(lead, context)
    return replace(result, events=(*events, *result.events))


def wake(lead: Lead, context: Context) -> Result:
    """What follows from time alone: a handoff when the gate is open and any cool-off over, else when to look again.

    Exactly one handoff per episode: no further one while an episode is open. None for an alias.
    """
    if lead.alias is not None:
        return Result(lead, due=context.now if lead.moving else None)
    if (inherited := merging.inherit(lead, context)) is not None:
        return _told(inherited, context)
    opening = find_opening(lead, context)
    if opening is None:
        lead, events = stand(lead, context.policy)
        return Result(lead, events)
    if lead.episode is not None and context.now < opening.earliest:
        return Result(lead, due=opening.earliest)
    lead, events = hand_off(lead, opening, context)
    return Result(lead, events, turn=context.turn + 1)


def rejoin(lead: Lead, fact: Fact, facts: Sequence[Fact], context: Context) -> Result:
    """What follows from a merge or unmerge of the lead itself; `facts` are all that is kept of it."""
    merged = isinstance(fact.event, LeadMerged)
    return _told((merging.merge_alias if merged else merging.unmerge_alias)(lead, fact, facts), context)


def _told(told: tuple[Lead, tuple[Envelope, ...]], context: Context) -> Result:
    """What was decided, and what then follows."""
    lead, events = told
    result = wake(lead, context)
    return replace(result, events=(*events, *result.events))


def _scored(lead: Lead, fact: Fact, score: Score, context: Context) -> Result:
    """Of a lead's scores only the one with the highest version is kept, whatever the order of arrival; of an alias
    none.
    """
    if lead.alias is not None or (lead.score is not None and score.version <= lead.score.version):
        return Result(lead, outdated=True)
    heard = None if released(lead, score, context) else lead.heard or lead.score
    result = wake(replace(lead, score=score, scored=fact.key, heard=heard), context)
    return replace(result, replaces=lead.scored)
