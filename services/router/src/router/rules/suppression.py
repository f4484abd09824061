"""A lead that nobody may approach any more, and one that is erased."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

from router.rules.lead import Episode, Lead, Step
from router.rules.stage import SOURCE, restage
from schemas.engagements import LeadSuppressed
from schemas.envelope import Envelope, Fact
from schemas.erasure import passed_on
from schemas.handoffs import ErasedOnHandoffs, GateReport, SuppressedOnHandoffs
from schemas.scores import Intent


def suppress(lead: Lead, fact: Fact) -> tuple[Lead, tuple[Envelope, ...]]:
    """The lead with its open episode ended and no further one to come; what that changes in public, and the event."""
    kind = SuppressedOnHandoffs if isinstance(fact.event, LeadSuppressed) else ErasedOnHandoffs
    passed, time = passed_on(fact, kind, SOURCE), fact.time.astimezone(UTC)
    lead = replace(lead, suppressed=min(time, lead.suppressed or time))
    episode = lead.episode
    if episode is None or episode.end is not None:
        return lead, (passed,)
    at = max(time, episode.handed_off_at)
    step = Step(at, fact.event.source, fact.event.id, "lead.suppressed", episode.number)
    lead, events = restage(replace(lead, steps=tuple(sorted((*lead.steps, step), key=lambda each: each.order))))
    return lead, (*events, passed)


def erase(lead: Lead, fact: Fact) -> tuple[Lead, tuple[Envelope, ...]]:
    """What is left of the lead: when it was handed off to whom and how that ended, and nothing that it said or did."""
    lead, events = suppress(lead, fact)
    episode = None if lead.episode is None else _bare(lead.episode)
    left = Lead(lead.lead_id, standing=lead.standing, episode=episode, past=lead.past, suppressed=lead.suppressed)
    return left, events


def _bare(episode: Episode) -> Episode:
    given = episode.qualification
    gate = GateReport(holds=given.gate.holds, fast_track=given.gate.fast_track, predicates=())
    bare = given.model_copy(update={"gate": gate, "intent": Intent(level=given.intent.level)})
    return replace(episode, qualification=bare)
