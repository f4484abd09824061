"""Decides what follows for a lead from one new fact, or from time alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from router.rules.handoff import Context, find_opening, hand_off, released
from router.rules.lead import Lead
from router.rules.stage import stand, step_of, take
from router.rules.suppression import suppress
from schemas.engagements import LeadSuppressed
from schemas.envelope import Envelope, Fact
from schemas.scores import LeadScored


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


def route(lead: Lead, fact: Fact, context: Context) -> Result:
    """What follows from one new fact: a score may hand the lead off, a sales activity may change its stage.

    Of a lead's scores only the one with the highest version is kept, whatever the order of arrival.
    """
    if isinstance(fact.event, LeadScored):
        score = fact.event.data
        if lead.score is not None and score.version <= lead.score.version:
            return Result(lead, outdated=True)
        heard = None if released(lead, score, context) else lead.heard or lead.score
        result = wake(replace(lead, score=score, scored=fact.key, heard=heard), context)
        return replace(result, replaces=lead.scored)
    if isinstance(fact.event, LeadSuppressed):
        lead, events = suppress(lead, fact)
        return Result(lead, events)
    step = step_of(fact)
    if step is None:
        return wake(lead, context)
    lead, events = take(lead, step)
    result = wake(lead, context)
    return replace(result, events=(*events, *result.events))


def wake(lead: Lead, context: Context) -> Result:
    """What follows from time alone: a handoff when the gate is open and any cool-off over, else when to look again.

    Exactly one handoff per episode: no further one while an episode is open.
    """
    opening = find_opening(lead, context)
    if opening is None:
        lead, events = stand(lead, context.policy)
        return Result(lead, events)
    if lead.episode is not None and context.now < opening.earliest:
        return Result(lead, due=opening.earliest)
    lead, events = hand_off(lead, opening, context)
    return Result(lead, events, turn=context.turn + 1)
