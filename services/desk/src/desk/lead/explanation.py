"""Explains a lead's score line by line, from its facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from desk.lead.changes import Attribute, Change
from desk.lead.missing import CHANGES, Missing, missing
from desk.lead.person import KnownAs, Person, came_by, known_as, tell_found
from desk.lead.person import tell as tell_names
from desk.lead.row import Tombstone
from desk.policy.wording import attribute, company, counted, engagement, listed, number, reach
from schemas.engagements import LeadSuppressed
from schemas.envelope import Fact
from schemas.erasure import ERASED, FLOOD
from schemas.scores import Cut, Group, PolicyRef
from schemas.scoring import AttributeMatch, EngagementMatch
from scorer.rules import flood
from scorer.rules.criteria import Criteria
from scorer.rules.decision import State, agrees
from scorer.rules.names import ONE_NAME, Names
from scorer.rules.order import key_of, text_of, time_of
from scorer.rules.tally import fold, stands_on
from scorer.rules.verdict import Earned, score

WHY = {FLOOD: f"of one sort, {flood.DAILY} a day are kept", ERASED: "come after the erasure"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact that earned points; `by` is the weaker name under which it came."""

    source: str
    id: str
    time: datetime
    by: str | None = None


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """Points of a rule, since when, and the facts that it pays for."""

    rule: str
    group: Group | Literal["total"]
    points: float
    since: datetime
    events: tuple[Evidence, ...]
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A score computed again from its facts: `total` is the sum of the lines.

    `as_of`: only facts up to this instant are read; None: all of them. `stored_agrees`: the stored state and the score
    published last follow from these facts; None: not checked, or this version of the policy has not judged the lead
    yet. `missing`: to the next band; None in the top one. `dropped`: events not kept, by reason.
    """

    lead_id: str
    email: str | None
    score: float
    band: str
    band_since: datetime | None
    lines: tuple[ExplainedLine, ...]
    total: float
    facts: dict[str, datetime]
    asked_for_sales: datetime | None
    facts_read: int
    policy: PolicyRef
    as_of: datetime | None
    stored_agrees: bool | None
    missing: Missing | None
    suppressed: datetime | None
    dropped: dict[str, int] = field(default_factory=dict)
    erased: Tombstone | None = None
    known_as: KnownAs = field(default_factory=KnownAs)
    person: Person | None = None
    """Whom the name that was typed means."""


def explain(  # noqa: PLR0913 - the score's inputs, and what it is compared with
    lead_id: str,
    facts: Sequence[Fact],
    criteria: Criteria,
    instant: datetime,
    stored: State | None = None,
    *,
    names: Names = ONE_NAME,
) -> Explanation:
    """The explanation of the score of `facts`, in any order, at `instant`.

    With `stored`, the state of now, it is compared with that. Without, only facts up to the instant count. `names` are
    those of now: of an alias nothing counts, and nothing that came by an unmerged one.
    """
    names = stored.names if stored is not None else names
    facts = [fact for fact in facts if not names.hides(fact)]
    known = known_as(facts, len(names.aliases) + names.more)
    facts = [fact for fact in facts if stored is not None or fact.time <= instant]
    by = {fact.key: came_by(fact) for fact in facts}
    tally = fold([] if names.links else facts, criteria)
    verdict = score(tally.basis, criteria, text_of(instant), tally.memo)
    agreed = None
    if stored is not None and stands_on(stored.tally.basis, criteria):
        agreed = agrees(stored, tally, verdict, criteria, instant)
    latest = max([instant, *(fact.time for fact in facts)])
    return Explanation(
        lead_id=lead_id,
        email=str(tally.basis.address) if tally.basis.address else None,
        score=verdict.points,
        band=verdict.band,
        band_since=verdict.band_since,
        lines=tuple(_line(line, by) for line in verdict.lines),
        total=sum(line.milli for line in verdict.lines) / 1000,
        facts=dict(verdict.facts),
        asked_for_sales=time_of(tally.basis.intent) if tally.basis.intent else None,
        facts_read=len(facts),
        policy=criteria.policy,
        as_of=instant if stored is None else None,
        stored_agrees=agreed,
        missing=missing(tally, criteria, latest + timedelta(microseconds=1)),
        suppressed=min((fact.time for fact in facts if isinstance(fact.event, LeadSuppressed)), default=None),
        known_as=known,
    )


def second(instant: datetime | None) -> str:
    """An instant in UTC, to the second."""
    return "-" if instant is None else f"{instant:%Y-%m-%d %H:%M:%S}"


def tell(view: Explanation) -> list[str]:
    """The text above the lines."""
    lines = [
        f"Lead {f'{view.email}, ' if view.email else ''}{view.lead_id}",
        *(f"{text[0].upper()}{text[1:]}" for text in (tell_found(view.person) if view.person else ())),
    ]
    if view.as_of is not None:
        lines.append(f"As of {second(view.as_of)}, by what is known today of the time up to then")
        if not view.facts_read:
            lines.append("Nothing was known of the lead then: its first fact is later")
    lines += [standing(view), f"Policy {judged_by(view)}"]
    if view.as_of is None and view.stored_agrees is None:
        lines.append("This version has not judged the lead yet: what is stored is an earlier one's")
    if view.suppressed is not None:
        lines.append(f"Suppressed since {second(view.suppressed)}: nobody may approach the lead")
    if view.erased is not None:
        deleted = _were(view.erased.facts, "fact")
        lines.append(f"Erased {second(view.erased.at)}: {deleted} deleted, nothing more is kept of the lead")
    if names := tell_names(view.known_as):
        lines.append(f"Also known as {'; '.join(names)}")
    return [*lines, *(_dropped(reason, count) for reason, count in sorted(view.dropped.items()))]


def standing(view: Explanation) -> str:
    """Points and band. A lead in a lower band may have been above it since `band_since`."""
    top = view.missing is None
    since = f"{'' if top else ', in it or above'} since {second(view.band_since)}" if view.band_since else ""
    asked = f", asked for sales {second(view.asked_for_sales)}" if view.asked_for_sales else ""
    return f"{number(view.score)} points, band {view.band}{since}{asked}"


def judged_by(view: Explanation) -> str:
    """The policy's name and version, and the number of facts."""
    return f"{view.policy.name} version {view.policy.version}, {counted(view.facts_read, 'fact')}, times in UTC"


def rows(view: Explanation) -> list[tuple[str, str, str, str]]:
    """Rule, points, since and evidence of each line, one row for each event, and the total."""
    found: list[tuple[str, str, str, str]] = []
    for line in view.lines:
        first, *others = [_event(event) for event in line.events] or [""]
        name = line.rule if line.cut is None else f"{line.rule}: {line.cut.replace('_', ' ')}"
        found.append((name, number(line.points), second(line.since), first))
        found.extend(("", "", "", other) for other in others)
    return [*found, ("total", number(view.total), "", "")]


def _event(event: Evidence) -> str:
    by = f", by {event.by}" if event.by else ""
    return f"{second(event.time)}  {event.id}  ({event.source}{by})"


def tell_missing(view: Explanation) -> list[str]:
    """The text below the lines: what is missing to the next band."""
    wanted = view.missing
    if view.erased is not None:
        return []
    if wanted is None:
        return [f"{view.band} is the top band: nothing is missing."]
    more = "more point" if wanted.points == 1 else "more points"
    goal = f"{number(wanted.points)} {more} to {wanted.band} ({reach(wanted.least)})"
    if wanted.ways:
        ways = [f"  {' and '.join(map(_change, way.changes))}: {number(way.score)} points" for way in wanted.ways]
        return [f"{goal}, for example by" if len(ways) == 1 else f"{goal}, by any one of", *ways]
    if wanted.attainable:
        return [f"{goal}: no {CHANGES} changes could bring it there."]
    return [f"{goal}: no rule could bring it there, all together give too little."]


def _dropped(reason: str, count: int) -> str:
    return f"{_were(count, 'event')} dropped as {reason}: {WHY[reason]}"


def _were(count: int, what: str) -> str:
    return f"{counted(count, what)} {'was' if count == 1 else 'were'}"


def _change(change: Change) -> str:
    if isinstance(change, Attribute):
        return _value(change)
    what = engagement(EngagementMatch(kind=change.kind, content=change.content))
    more = " more" if change.counted else ""
    return f"{what} once{more}" if change.more == 1 else f"{what} {change.more}{more} times"


def _value(change: Attribute) -> str:
    if change.between:
        return listed(company(low, high) for low, high in change.between)
    if change.one_of:
        return attribute(AttributeMatch.model_validate({"name": change.attribute, "is": change.one_of}))
    others = (code.replace("_", " ") for code in change.none_of)
    return f"{change.attribute} other than {listed(others)}"


def _line(line: Earned, by: Mapping[tuple[str, str], str | None]) -> ExplainedLine:
    events = tuple(Evidence(*key_of(place), time_of(place), by.get(key_of(place))) for place in line.evidence)
    return ExplainedLine(line.rule, line.group, line.milli / 1000, line.since, events, line.cut)
