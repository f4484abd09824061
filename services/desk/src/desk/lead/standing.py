"""A lead's stage and gate for people: where it is and why, or why it does not qualify."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from desk.lead.row import Row, Tombstone
from desk.policy.wording import counted
from router.rules.gate import HIGH_INTENT, examine
from router.rules.handoff import Context, awaits_event, bar, find_opening
from router.rules.lead import ENDS, Entry, Episode, Lead, Past, Step
from schemas.handoffs import GateReport, Owner, Stage
from schemas.scores import Level, PolicyRef
from schemas.terms import spelt

EDITED = "an edit of the policy alone lets it pass, so it takes one new scored event"


@dataclass(frozen=True, slots=True)
class Passing:
    """The latest episode; `targets`: the seconds of each clock, from the publication of the handoff on."""

    episode: int
    handoff_id: str
    owner: Owner
    intent: Level
    score: float
    qualified_at: datetime
    handed_off_at: datetime
    targets: dict[str, int]
    stages: tuple[Entry, ...]
    gate: GateReport
    policy: PolicyRef


@dataclass(frozen=True, slots=True)
class Overview:
    """A lead as the router sees it under the policy in force.

    `gate` is of the latest score, None before the first one; `next_opening` is when the next episode opens if nothing
    changes, `barred` why none opens whatever the gate says.
    """

    lead_id: str
    email: str | None
    name: str | None
    stage: Stage
    score: float | None
    gate: GateReport | None
    missing: tuple[str, ...]
    barred: str | None
    next_opening: datetime | None
    episode: Passing | None
    refused: tuple[Step, ...]
    steps_dropped: int
    past: tuple[Past, ...]
    suppressed: datetime | None
    erased: Tombstone | None
    dropped: dict[str, int]


def overview(lead: Lead, context: Context, row: Row | None = None) -> Overview:
    """The overview of the lead; `missing` names the predicates that keep the gate shut.

    `row` says whether it was erased, and what was not kept.
    """
    score = lead.score
    gate = examine(score, context.policy, answered=lead.answered) if score else None
    shut = gate is not None and not gate.holds
    edited = gate is not None and gate.holds and awaits_event(lead, context)
    opening = find_opening(lead, context)
    taken = {entry.cause for entry in lead.episode.chain} if lead.episode else set()
    return Overview(
        lead_id=lead.lead_id,
        email=score.contact.email if score else None,
        name=score.contact.name if score else None,
        stage=lead.stage,
        score=score.score if score else None,
        gate=gate,
        missing=tuple(p.name for p in gate.predicates if not p.holds and p.name != HIGH_INTENT)
        if gate and shut
        else (),
        barred=bar(lead, erased=row is not None and row.erased is not None) or (EDITED if edited else None),
        next_opening=opening.earliest if opening else None,
        episode=_passing(lead.episode) if lead.episode else None,
        refused=tuple(step for step in lead.steps if step.refused and step.id not in taken),
        steps_dropped=lead.dropped,
        past=lead.past,
        suppressed=lead.suppressed,
        erased=row.erased if row else None,
        dropped=row.dropped if row else {},
    )


def tell(view: Overview) -> list[str]:
    """The overview as lines of text; instants are UTC."""
    who = f"{view.name} <{view.email}>" if view.name and view.email else view.email or view.name
    lines = [f"Lead      {f'{who}, ' if who else ''}{view.lead_id}"]
    if view.suppressed is not None:
        lines += [f"Suppressed since {_second(view.suppressed)}: nobody may approach the lead"]
    if view.erased is not None:
        lines += [f"Erased    {_second(view.erased.at)}: {counted(view.erased.facts, 'fact')} deleted"]
    lines += [f"Dropped   {counted(count, 'event')} as {reason}" for reason, count in sorted(view.dropped.items())]
    return [*lines, *tell_stage(view, alone=True), *tell_refused(view)]


def tell_stage(view: Overview, *, alone: bool) -> list[str]:
    """Stage, owner and gate; `alone`: with the score and the targets, which the screen of a lead shows elsewhere."""
    since = f" since {_second(view.episode.stages[-1].at)}" if view.episode else ""
    lines = [f"Stage     {view.stage}{since}"]
    if alone:
        lines += [f"Score     {_points(view.score)}" if view.score is not None else "Score     none yet"]
    if view.episode:
        lines += _tell_episode(view.episode, targets=alone)
    if not view.episode or view.episode.stages[-1].stage in ENDS:
        lines += _tell_gate_now(view)
    return lines


def tell_refused(view: Overview) -> list[str]:
    """The refused steps, and earlier episodes."""
    lines = [f"Refused   {step.activity} of {_second(step.time)} (event {step.id})" for step in view.refused]
    if view.steps_dropped:
        lines += [f"Dropped   {view.steps_dropped} sales activities more than are kept of one episode"]
    return lines + [f"Earlier   episode {p.number}, {p.owner}: {p.end} at {_second(p.ended_at)}" for p in view.past]


def _tell_episode(episode: Passing, *, targets: bool) -> list[str]:
    owner, given = episode.owner, episode.targets if targets else {}
    way = " by the fast track" if episode.gate.fast_track else ""
    return [
        f"Owner     {owner.name}{f' <{owner.email}>' if owner.email else ''}",
        f"Episode   {episode.episode}, {episode.intent} intent, {_points(episode.score)} points, "
        f"policy {episode.policy.name} version {episode.policy.version}",
        f"Handoff   {episode.handoff_id}",
        *(f"Target    {clock:<13} {_spelt(left)}" for clock, left in sorted(given.items(), key=lambda t: t[1])),
        *(["          when they are due, and whether they were met: baton due --all"] if given else []),
        *(f"Entered   {e.stage:<13} {_second(e.at)}{'  (implied)' if e.implied else ''}" for e in episode.stages),
        f"Gate      at the handoff: held since {_second(episode.qualified_at)}{way}",
        *_tell_predicates(episode.gate),
    ]


def _tell_gate_now(view: Overview) -> list[str]:
    if view.suppressed is not None:
        return [f"Next      no episode: {view.barred}"]
    if view.gate is None:
        return ["Gate      not judged: the lead has no score yet"]
    if view.barred is not None:
        return [f"Next      no episode: {view.barred}"]
    if view.next_opening is not None:
        verdict = f"Next      an episode opens at {_second(view.next_opening)}: the gate holds"
    else:
        verdict = f"Next      no episode: {', '.join(view.missing)} {'is' if len(view.missing) == 1 else 'are'} false"
    return [verdict, *_tell_predicates(view.gate)]


def _tell_predicates(gate: GateReport) -> list[str]:
    return [f"  {'true ' if p.holds else 'false'}   {p.name:<14} {p.evidence}" for p in gate.predicates]


def _passing(episode: Episode) -> Passing:
    given = episode.qualification
    return Passing(
        episode=given.episode,
        handoff_id=given.handoff_id,
        owner=episode.owner,
        intent=given.intent.level,
        score=given.score,
        qualified_at=given.qualified_at,
        handed_off_at=episode.handed_off_at,
        targets=episode.targets,
        stages=episode.chain,
        gate=given.gate,
        policy=given.policy,
    )


def _points(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _spelt(seconds: int) -> str:
    return spelt(timedelta(seconds=seconds))


def _second(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}"
