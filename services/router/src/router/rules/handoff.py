"""The handoff: when a lead may be handed off, to whom, and what is published to the owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from router.rules.gate import examine, intent_of_episode, qualified_at
from router.rules.lead import Entry, Episode, Lead
from router.rules.stage import SOURCE, entry_event, restage, steps_of_next
from schemas.envelope import Envelope
from schemas.handoffs import GateReport, Handoff, LeadHandedOff, LeadQualified, Owner, Qualification, handoff_id_of
from schemas.identity import derived_id
from schemas.policy import Agreements, Policy
from schemas.sales import Reason
from schemas.scores import POLICY, TIME, Score, fitting

FOR_GOOD: frozenset[Reason] = frozenset(
    ("competitor", "existing_customer", "student_or_job_seeker", "duplicate", "bad_contact_data", "opted_out")
)
"""Reasons of disqualification that are permanent: no further episode opens after them, nor after a won deal."""


@dataclass(frozen=True, slots=True)
class Context:
    """The inputs of a decision beside the lead: the database's time, the versions of the policy, the rotation's
    turn.
    """

    now: datetime
    agreements: Agreements
    turn: int = 0

    @property
    def policy(self) -> Policy:
        """The version in force."""
        return self.agreements.at(self.now)


@dataclass(frozen=True, slots=True)
class Opening:
    """A lead that may be handed off from `earliest` on, and the evidence."""

    score: Score
    gate: GateReport
    qualified_at: datetime
    earliest: datetime


def find_opening(lead: Lead, context: Context) -> Opening | None:
    """The next episode, if the lead passes the gate and nothing bars it; after an earlier one with its cool-off."""
    score, policy = lead.score, context.policy
    if score is None or bar(lead) is not None:
        return None
    gate = examine(score, policy, answered=lead.answered)
    if not gate.holds or awaits_event(lead, context):
        return None
    end = lead.episode.end if lead.episode else None
    since = qualified_at(gate)
    if end is None or end.stage == "unmerged":
        return Opening(score, gate, since, since)
    rested = end.at + policy.gate.cool_off
    return Opening(score, gate, max(since, rested, news(score) or since), rested)


def awaits_event(lead: Lead, context: Context) -> bool:
    """Whether the lead, if it passes the gate, does so only by an edit of the policy: it then needs a new scored event,
    unless the version says `apply_to_past`.
    """
    policy, versions, last = context.policy, context.agreements.versions, lead.heard or lead.score
    if last is None or lead.score is None or policy.apply_to_past:
        return False
    # the terms of another policy are not here, so no score of it may pass by ours alone
    if last.policy.name != policy.policy:
        return True
    if last.policy.version == lead.score.policy.version == policy.version or last.policy.version > len(versions):
        return False
    return not examine(last, versions[last.policy.version - 1], answered=lead.answered).holds


def released(lead: Lead, score: Score, context: Context) -> bool:
    """Whether the lead's next score ends what `awaits_event` waits for: an event changed it, and the lead has
    been active.
    """
    if score.cause in (TIME, POLICY):
        return False
    before = lead.score
    if before is None or not awaits_event(lead, context) or not examine(before, context.policy, lead.answered).holds:
        return True
    # each compared by itself: a request that comes late is news as well
    did = zip(_did(score), _did(before), strict=True)
    return any(latest is not None and (earlier is None or latest > earlier) for latest, earlier in did)


def bar(lead: Lead, *, erased: bool = False) -> str | None:
    """Why the lead gets no further episode, whatever the gate says, in plain words; None: nothing bars it.

    An erased lead is also suppressed; its state does not tell them apart, so the caller says whether it is `erased`.
    After an episode it needs news later than the end: neither the cool-off nor points that come back with time suffice.
    """
    if lead.waits:
        return "a lead was merged into it, and whether that one had an owner is not known yet"
    if lead.suppressed is not None:
        return f"the lead is {'erased' if erased else 'suppressed'}"
    return None if lead.episode is None else _bar_after(lead.episode, lead.score)


def _bar_after(last: Episode, score: Score | None) -> str | None:
    if last.end is None:
        return f"episode {last.number} is open"
    if last.end.stage == "unmerged":
        return None  # it was another lead's
    if last.end.stage == "won":
        return f"episode {last.number} was won"
    if last.end.reason in FOR_GOOD:
        return f"episode {last.number} ended as {last.end.stage} for good: {last.end.reason}"
    if score is not None and ((latest := news(score)) is None or latest <= last.end.at):
        return f"the lead has done nothing that earns points since episode {last.number} ended"
    return None


def hand_off(lead: Lead, opening: Opening, context: Context) -> tuple[Lead, tuple[Envelope, ...]]:
    """The lead with its next episode open and owned: `lead.qualified` and `lead.handed_off` in one decision.

    The owner is the next of the roster. Steps that waited for this episode are taken at once.
    """
    qualification = _qualify(lead, opening, context)
    roster = context.policy.routing.roster
    owner = roster[context.turn % len(roster)]
    handoff = complete(qualification, opening.score, owner, (context.now, _targets(qualification, context)))
    episode = Episode(
        qualification=qualification,
        owner=owner,
        targets=handoff.targets,
        chain=(
            Entry("mql", min(opening.qualified_at, context.now), opening.score.cause),
            Entry("handed_off", context.now, derived_id("handed_off", handoff.handoff_id)),
        ),
        before=lead.stage,
        after=lead.episode.end.at if lead.episode and lead.episode.end else None,
    )
    events = _tell(lead.lead_id, episode, handoff)
    waiting = steps_of_next(lead, context.now)
    opened = replace(lead, episode=episode, steps=waiting, dropped=0, past=lead.past_with_latest())
    opened, further = restage(opened)
    return opened, (*events, *further)


def news(score: Score) -> datetime | None:
    """The latest instant of news by this score: points earned, sales asked for, address confirmed. Time, an edit
    of the policy, a description (whose source is unknown) and what takes points are no news.
    """
    return max((instant for instant in _did(score) if instant is not None), default=None)


def _did(score: Score) -> tuple[datetime | None, ...]:
    asked = score.intent.since if score.intent.level == "high" else None
    return (score.engaged_at, asked, score.facts.get("double_opt_in"))


def _qualify(lead: Lead, opening: Opening, context: Context) -> Qualification:
    number = lead.number + 1
    return Qualification(
        episode=number,
        handoff_id=handoff_id_of(lead.lead_id, number),
        qualified_at=opening.qualified_at,
        known_at=context.now,
        score=opening.score.score,
        intent=intent_of_episode(opening.score.intent, opening.qualified_at, context.policy.gate),
        gate=opening.gate,
        policy=context.policy.ref,
        policy_digest=context.policy.digest,
    )


def _targets(qualification: Qualification, context: Context) -> dict[str, int]:
    level = qualification.intent.level
    return {
        clock.id: int(clock.target.total_seconds())
        for clock in context.policy.clocks
        if clock.start == "handed_off" and clock.intent in (None, level)
    }


def complete(
    qualification: Qualification, score: Score, owner: Owner, given: tuple[datetime, Mapping[str, int]]
) -> Handoff:
    """What the owner is told; `given` are the time of the handoff and the seconds of each clock."""
    handed_off_at, targets = given
    return Handoff(
        **dict(qualification),
        owner=owner,
        handed_off_at=handed_off_at,
        targets=dict(targets),
        contact=score.contact,
        explanation=fitting(score.explanation),
        touchpoints=score.touchpoints,
        origin=score.origin,
    )


def _tell(lead_id: str, episode: Episode, handoff: Handoff) -> tuple[Envelope, ...]:
    def envelope(what: str, time: datetime) -> dict[str, object]:
        event_id = derived_id(what, handoff.handoff_id)
        return {"id": event_id, "source": SOURCE, "subject": lead_id, "time": time, "finaltime": True}

    return (
        LeadQualified(data=episode.qualification, **envelope("qualified", handoff.qualified_at)),
        entry_event(lead_id, episode, 0),
        LeadHandedOff(data=handoff, **envelope("handed_off", handoff.handed_off_at)),
        entry_event(lead_id, episode, 1),
    )
