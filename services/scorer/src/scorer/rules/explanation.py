"""A lead's score told line by line, from its facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.envelope import Fact
from schemas.scores import Group, PolicyRef
from scorer.rules.criteria import Criteria
from scorer.rules.decision import State, agrees
from scorer.rules.place import key_of, time_of
from scorer.rules.tally import fold
from scorer.rules.verdict import Earned, score


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact that earned points."""

    source: str
    id: str
    time: datetime


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """Points that a rule gives, since when, and the facts that began it."""

    rule: str
    group: Group
    points: float
    since: datetime
    events: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A score recomputed from its facts: `total` is the sum of the lines, `score` what the rules say it is.

    `stored_agrees`: what the service has stored and last published is what these facts come to.
    """

    lead_id: str
    score: float
    band: str
    band_since: datetime | None
    lines: tuple[ExplainedLine, ...]
    total: float
    facts: dict[str, datetime]
    asked_for_sales: datetime | None
    facts_read: int
    policy: PolicyRef
    stored_agrees: bool


def explain(lead_id: str, facts: Sequence[Fact], stored: State, criteria: Criteria) -> Explanation:
    """The explanation of the score that `facts`, in any order, come to. Raises PolicyChanged."""
    tally = fold(facts, criteria)
    verdict = score(tally.basis, criteria)
    return Explanation(
        lead_id=lead_id,
        score=verdict.points,
        band=verdict.band,
        band_since=verdict.band_since,
        lines=tuple(_line(line) for line in verdict.lines),
        total=sum(line.milli for line in verdict.lines) / 1000,
        facts=dict(verdict.facts),
        asked_for_sales=time_of(tally.basis.intent) if tally.basis.intent else None,
        facts_read=len(facts),
        policy=criteria.policy,
        stored_agrees=agrees(stored, tally, verdict, criteria),
    )


def points(value: float) -> str:
    """Points as people write them: 15, 2.5."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def second(instant: datetime | None) -> str:
    """An instant in UTC, to the second."""
    return "-" if instant is None else f"{instant:%Y-%m-%d %H:%M:%S}"


def tell(view: Explanation) -> list[str]:
    """What stands above the lines."""
    asked = f", asked for sales {second(view.asked_for_sales)}" if view.asked_for_sales else ""
    return [
        f"Lead {view.lead_id}",
        f"{points(view.score)} points, band {view.band} since {second(view.band_since)}{asked}",
        f"Policy {view.policy.name} version {view.policy.version}, {view.facts_read} facts, times in UTC",
    ]


def rows(view: Explanation) -> list[tuple[str, str, str, str]]:
    """Rule, points, since and evidence of each line, one row for each event, and the total."""
    told: list[tuple[str, str, str, str]] = []
    for line in view.lines:
        first, *others = [f"{second(event.time)}  {event.id}  ({event.source})" for event in line.events]
        told.append((line.rule, points(line.points), second(line.since), first))
        told.extend(("", "", "", other) for other in others)
    return [*told, ("total", points(view.total), "", "")]


def _line(line: Earned) -> ExplainedLine:
    events = tuple(Evidence(*key_of(place), time_of(place)) for place in line.evidence)
    return ExplainedLine(line.rule, line.group, line.milli / 1000, line.since, events)
