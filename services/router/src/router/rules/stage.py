"""The stages: a fold over the sales activities of an episode, in the order in which they happened.

A late activity is put in its place in that order, so published stages may change. A `lead.stage_changed` names the
stage before it: whatever was published to follow that stage is void.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from router.rules.lead import ENDS, STEPS_KEPT, WAITING_KEPT, Entry, Episode, Lead, Step
from schemas.envelope import Envelope, Fact
from schemas.handoffs import LeadStageChanged, Stage, StageChange, StageRefusal, StageRejected, handoff_id_of
from schemas.identity import derived_id
from schemas.policy import Policy
from schemas.sales import Reasoned, SalesActivity

SOURCE = "baton/router"
DISORDER = timedelta(minutes=5)
"""How far a sales tool's clock may be behind ours. An activity that names no episode and is up to so much earlier
than the handoff belongs to its episode; an earlier one belongs to no open episode."""
_TICK = timedelta(microseconds=1)

LIFECYCLE: dict[str, tuple[frozenset[Stage], Stage]] = {
    "sales.accepted": (frozenset(("handed_off",)), "sal"),
    "sales.qualified": (frozenset(("handed_off", "sal")), "sql"),
    "sales.disqualified": (frozenset(("handed_off", "sal", "sql")), "disqualified"),
    "sales.recycled": (frozenset(("handed_off", "sal", "sql", "opportunity")), "recycled"),
    "opportunity.created": (frozenset(("handed_off", "sal", "sql")), "opportunity"),
    "lead.suppressed": (frozenset(("handed_off", "sal", "sql", "opportunity")), "suppressed"),
    "lead.merged": (frozenset(("handed_off", "sal", "sql", "opportunity")), "merged"),
    "lead.unmerged": (frozenset(("handed_off", "sal", "sql", "opportunity")), "unmerged"),
    "deal.won": (frozenset(("opportunity",)), "won"),
    "deal.lost": (frozenset(("opportunity",)), "lost"),
}
"""Activity -> the stages it may come from, and the stage it leads to. Other activities ask for no stage.

A suppression, a merge and an unmerge are no sales activities, but end an episode as one does.
"""
_WAY: tuple[Stage, ...] = ("handed_off", "sal", "sql", "opportunity")
"""Those that an allowed step skips are entered at the same instant, so that funnels stay monotone."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A step that the lifecycle does not allow at `stage`."""

    step: Step
    episode: int
    stage: Stage
    why: str


def step_of(fact: Fact) -> Step | None:
    """The stage that a sales activity asks for; None for a contact or feedback."""
    event = fact.event
    activity = event.type.removeprefix("baton.").removesuffix(".v1")
    if not isinstance(event, SalesActivity) or activity not in LIFECYCLE:
        return None
    reason = event.data.reason if isinstance(event.data, Reasoned) else None
    return Step(fact.time.astimezone(UTC), event.source, event.id, activity, event.data.episode, reason)


def fold(episode: Episode, steps: Sequence[Step]) -> tuple[tuple[Entry, ...], tuple[Refusal, ...]]:
    """The episode's stages and the refused steps; the steps are in the lead's order.

    A stage is entered at its step's time, never before the stage that it follows.
    """
    chain, refusals = list(episode.chain[:2]), []
    for step in steps:
        now = chain[-1].stage
        allowed, wanted = LIFECYCLE[step.activity]
        if now not in allowed:
            refusals.append(Refusal(step, episode.number, now, _why(step, now)))
            continue
        at = max(step.time, chain[-1].at)
        skipped = _WAY[_WAY.index(now) + 1 : _WAY.index(wanted)] if wanted in _WAY else ()
        chain += [Entry(stage, at, step.id, implied=True) for stage in skipped]
        chain.append(Entry(wanted, at, step.id, reason=step.reason))
    return tuple(chain), tuple(refusals)


def take(lead: Lead, step: Step) -> tuple[Lead, tuple[Envelope, ...]]:
    """The lead with one more step, and what that changes in public.

    A step of the next episode is refused in public, and taken when that episode opens.
    """
    number = step.episode or lead.number
    if why := _misplaced(lead, step):
        refusal = refusal_event(lead.lead_id, Refusal(step, number, lead.stage, why))
        return (_wait(lead, step) if step.episode in (None, lead.number + 1) else lead), (refusal,)
    if len(steps_of_episode(lead)) >= STEPS_KEPT:
        why = f"the episode has {STEPS_KEPT} steps already, no more are kept"
        refusal = refusal_event(lead.lead_id, Refusal(step, number, lead.stage, why))
        return replace(lead, dropped=lead.dropped + 1), (refusal,)
    return restage(replace(lead, steps=_in_order(*lead.steps, step)))


def steps_of_episode(lead: Lead) -> tuple[Step, ...]:
    """The steps of the latest episode: those that name it and those that name none."""
    return tuple(step for step in lead.steps if 0 < lead.number == (step.episode or lead.number))


def steps_of_next(lead: Lead, handed_off_at: datetime) -> tuple[Step, ...]:
    """The steps that belong to the next episode once it is handed off: by name or by their time."""
    end = lead.episode.end if lead.episode else None
    since = max(handed_off_at - DISORDER, end.at + _TICK if end else handed_off_at - DISORDER)
    return tuple(
        step for step in lead.steps if (step.time >= since if step.episode is None else step.episode == lead.number + 1)
    )


def restage(lead: Lead) -> tuple[Lead, tuple[Envelope, ...]]:
    """The lead with the stages of its latest episode folded again, and the changes not published yet."""
    episode = lead.episode
    if episode is None:
        return lead, ()
    chain, refusals = fold(episode, steps_of_episode(lead))
    fresh = [refusal for refusal in refusals if not refusal.step.refused]
    refused = {(refusal.step.source, refusal.step.id) for refusal in fresh}
    steps = tuple(replace(step, refused=step.refused or (step.source, step.id) in refused) for step in lead.steps)
    changes = _changes(lead.lead_id, episode, chain)
    events = (*changes, *(refusal_event(lead.lead_id, refusal) for refusal in fresh))
    return replace(lead, episode=replace(episode, chain=chain), steps=steps), events


def stand(lead: Lead, policy: Policy) -> tuple[Lead, tuple[Envelope, ...]]:
    """The stage before any episode: `nurture` in the second lowest band or above, `lead` below it.

    It changes at the instant the band was entered; downwards, at that of the score.
    """
    score, bands = lead.score, policy.scoring.bands
    if score is None or lead.episode is not None:
        return lead, ()
    since = score.facts.get(f"band:{bands[1].name}") if len(bands) > 1 else None
    stage: Stage = "lead" if since is None else "nurture"
    if stage == lead.standing:
        return lead, ()
    change = StageChange(episode=0, before=lead.standing, after=stage, at=since or score.as_of, cause=score.cause)
    event_id = derived_id("stage", lead.lead_id, "score", score.version)
    return replace(lead, standing=stage), (tell_change(lead.lead_id, event_id, change),)


def entry_event(lead_id: str, episode: Episode, index: int) -> LeadStageChanged:
    """The change into the stage at `index` of the episode's chain; its id is derived from the whole chain up to it."""
    entry = episode.chain[index]
    change = StageChange(
        episode=episode.number,
        before=episode.chain[index - 1].stage if index else episode.before,
        after=entry.stage,
        at=entry.at,
        implied=entry.implied,
        cause=entry.cause,
    )
    way = (part for past in episode.chain[: index + 1] for part in (past.stage, past.at.isoformat(), past.cause))
    return tell_change(lead_id, derived_id("stage", handoff_id_of(lead_id, episode.number), *way), change)


def tell_change(lead_id: str, event_id: str, change: StageChange) -> LeadStageChanged:
    return LeadStageChanged(id=event_id, source=SOURCE, subject=lead_id, time=change.at, finaltime=True, data=change)


def refusal_event(lead_id: str, refusal: Refusal) -> StageRejected:
    """The refusal of a step, always under the same id."""
    step = refusal.step
    return StageRejected(
        id=derived_id("rejected", lead_id, step.source, step.id),
        source=SOURCE,
        subject=lead_id,
        time=step.time,
        finaltime=True,
        data=StageRefusal(
            episode=refusal.episode, stage=refusal.stage, activity=step.activity, why=refusal.why, cause=step.id
        ),
    )


def _changes(lead_id: str, episode: Episode, chain: tuple[Entry, ...]) -> tuple[LeadStageChanged, ...]:
    """The changes not published yet: all from the first entry that differs."""
    same = next((i for i, (old, new) in enumerate(zip(episode.chain, chain, strict=False)) if old != new), None)
    first = min(len(episode.chain), len(chain)) if same is None else same
    after = replace(episode, chain=chain)
    return tuple(entry_event(lead_id, after, index) for index in range(first, len(chain)))


def _wait(lead: Lead, step: Step) -> Lead:
    """The lead with the step among those that wait for the next episode, of which the latest are kept."""
    if step.episode is None and lead.episode is not None:
        return lead
    mine = steps_of_episode(lead)
    waiting = _in_order(*(other for other in lead.steps if other not in mine), replace(step, refused=True))
    return replace(lead, steps=_in_order(*mine, *waiting[-WAITING_KEPT:]))


def _in_order(*steps: Step) -> tuple[Step, ...]:
    return tuple(sorted(steps, key=lambda step: step.order))


def _misplaced(lead: Lead, step: Step) -> str | None:
    """Why the step is not of the latest episode; one that names none is of the latest."""
    episode = lead.episode
    if step.episode is not None and step.episode > lead.number:
        return f"episode {step.episode} has not been opened"
    if episode is None:
        return "no episode has been opened"
    if step.episode is not None:
        return None if step.episode == episode.number else f"episode {step.episode} is over"
    if step.time < episode.handed_off_at - DISORDER or (episode.after is not None and step.time <= episode.after):
        return f"it happened before the handoff of episode {episode.number}"
    return None


def _why(step: Step, stage: Stage) -> str:
    allowed, wanted = LIFECYCLE[step.activity]
    if stage in ENDS:
        return f"the episode has ended as {stage}"
    return f"{wanted} follows {' or '.join(sorted(allowed))}, and the lead is {stage}"
