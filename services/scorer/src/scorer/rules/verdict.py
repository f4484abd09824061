"""The score of a basis at an instant: its lines, and since when each condition has been true."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.scores import Cut, Group
from scorer.rules.basis import Basis
from scorer.rules.course import NEVER, Course, Payment, Stretch, course_of
from scorer.rules.criteria import Criteria, Priced
from scorer.rules.memo import EMPTY, Memo, Settled
from scorer.rules.order import Instant, instant_at, instant_of, micros_of, time_of
from scorer.rules.pay import Evidence, Pay, pays_at

POINT = 1000
"""Thousandths in a point."""


@dataclass(frozen=True, slots=True)
class Earned:
    """A line of the score: what a rule pays, since when without a break, and the facts that it pays for.

    With `cut`: what a cap, decay or a clamp takes from that.
    """

    rule: str
    group: Group | Literal["total"]
    milli: int
    since: datetime
    evidence: Evidence = ()
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A lead's score in thousandths of a point, the sum of its lines; `facts`: conditions, as in schemas.scores.Score.

    The lowest band has no floor: a lead is in it from its first fact on. `at` is the latest instant, up to the one
    asked for, at which something changed; `engaged_at` that of the latest engagement that the lead has points for.
    """

    milli: int
    band: str
    facts: Mapping[str, datetime]
    lines: tuple[Earned, ...]
    at: datetime | None
    engaged_at: Instant | None

    @property
    def points(self) -> float:
        return self.milli / 1000

    def points_of(self, group: Group) -> float:
        return sum(line.milli for line in self.lines if line.group == group) / 1000

    @property
    def band_since(self) -> datetime | None:
        return self.facts.get(f"band:{self.band}")


def score(basis: Basis, criteria: Criteria, instant: Instant, memo: Memo = EMPTY) -> Verdict:
    """The verdict at `instant`, or at the latest fact where that is later."""
    instant = max(instant, instant_of(basis.at))
    settled, memo = settled_at(basis, criteria, instant, memo)
    return verdict_of(course_of(basis, criteria, memo.course), settled, instant)


def verdict_of(course: Course, settled: Settled, instant: Instant) -> Verdict:
    """The verdict at `instant`, at which `settled` holds."""
    basis, criteria = course.basis, course.criteria
    pays = pays_at(basis, criteria, instant)
    conditions = {name: since for name, since in settled.held.items() if not name.startswith("rule:")}
    if basis.first is not None:
        conditions[f"band:{criteria.bands[0].name}"] = instant_of(basis.first)
    if basis.email is not None:
        conditions["contactable"] = basis.email.order
    if basis.opted_in is not None:
        conditions["double_opt_in"] = basis.opted_in
    at = changed_at(course, instant)
    lines = tuple(_lines(pays, criteria, settled.held, at))
    milli = sum(line.milli for line in lines)
    return Verdict(
        milli,
        criteria.bands_at(milli)[-1],
        {name: time_of(conditions[name]) for name in sorted(conditions)},
        lines,
        time_of(at) if at else None,
        _engaged_at(course.paying(micros_of(instant))) if basis.at else None,
    )


def settled_at(
    basis: Basis, criteria: Criteria, instant: Instant, memo: Memo = EMPTY, *, just_before: bool = False
) -> tuple[Settled, Memo]:
    """What is true at `instant`, or `just_before` it, if no further fact comes; and the memo with what was computed.

    An instant before the latest fact counts as that one's. Goes from one instant of change to the next.
    """
    if not basis.at:
        return _UNTOUCHED, memo
    settled, course = memo.settled, memo.course
    if settled is None or settled.at > instant or (just_before and settled.at == instant):
        course = course_of(basis, criteria, course)
        settled = _settled(course, Settled(instant_of(basis.at), basis.held, None, micros_of(basis.at)), instant)
    while settled.until is not None and (settled.until < instant or (settled.until == instant and not just_before)):
        course = course_of(basis, criteria, course)
        settled = _settled(course, settled._replace(at=settled.until), instant)
    if memo.settled is None or memo.settled.at < settled.at:
        memo = memo._replace(course=course, settled=settled)
    return settled, memo


_UNTOUCHED = Settled("", {}, None, 0)


def _settled(course: Course, before: Settled, instant: Instant) -> Settled:
    """What is true at the instant of `before`, which says what was true up to then.

    `until` is searched for over a span beyond `instant` as long as the time from the origin to `instant`. The next
    question will be of a later instant, so the number of searches grows only with the logarithm of that time.
    """
    at, criteria = before.at, course.criteria
    now = course.payment(micros_of(at))
    held = {name: before.held.get(name, at) for name in _holding(course, now)}
    far = max(now.at, 2 * micros_of(instant) - before.origin) + 1
    until = course.leaves(now, min(course.turn(now.at), far), *criteria.band_of(now.milli)) if criteria.timed else NEVER
    return Settled(at, held, None if until >= NEVER else instant_at(until), before.origin)


def changed_at(course: Course, instant: Instant) -> Instant:
    """The latest instant up to `instant` at which a fact or time alone changed what some rule pays."""
    latest = instant_of(course.basis.at)
    if not latest or not course.criteria.timed:
        return latest
    changed = course.changed(micros_of(instant))
    return max(latest, instant_at(changed)) if changed > 0 else latest


def next_publication(course: Course, instant: Instant, published: int) -> Instant | None:
    """The first instant after `instant` at which time alone changes what a gate can read, or moves the score a whole
    point away from the `published` thousandths; None: never.

    Where points gained and lost keep the score near a bound for long, an earlier instant at which neither happens.
    """
    criteria = course.criteria
    if not course.basis.at or not criteria.timed:
        return None
    now = course.payment(micros_of(instant))
    read = _read(course, now)
    while True:
        turn, (low, high) = course.turn(now.at), criteria.band_of(now.milli)
        until = course.leaves(now, turn, max(low, published - POINT + 1), min(high, published + POINT - 1))
        if until < turn:
            return instant_at(until)
        if turn >= NEVER:
            return None
        now = course.payment(turn)
        if abs(now.milli - published) >= POINT or _read(course, now) != read:
            return instant_at(turn)


def worth(basis: Basis, criteria: Criteria, instant: Instant, memo: Memo = EMPTY) -> int:
    """The `milli` of `score`, without the instants since when each condition is true."""
    return course_of(basis, criteria, memo.course).payment(micros_of(instant)).milli


def may_differ(before: Basis, after: Basis, criteria: Criteria) -> bool:
    """False only if a gate reads the same of both at every later instant."""
    if before.email is not after.email or before.own_email is not after.own_email:
        return True
    if before.opted_in is not after.opted_in or before.intent is not after.intent:
        return True
    return not pay_alike(before, after, criteria)


def pay_alike(before: Basis, after: Basis, criteria: Criteria) -> bool:
    """True only if the rules pay the same for both at every later instant.

    So it is where a rule counts more engagements, but has too few of them still, or pays for no more of them.
    """
    if before.values is not after.values or any(
        paid.shares is not _shares(before, rule) for rule, paid in after.paid.items()
    ):
        return False
    if before.kept is after.kept:
        return True
    changed = [rule for rule in criteria.rules if before.kept.get(rule.key) is not after.kept.get(rule.key)]
    return all(len(after.kept[rule.key].places) < rule.needed for rule in changed if rule.cap is None)


def _shares(basis: Basis, rule: str) -> Sequence[object]:
    return basis.paid[rule].shares if rule in basis.paid else ()


def _lines(pays: Sequence[Pay], criteria: Criteria, held: Mapping[str, Instant], at: Instant) -> Iterator[Earned]:
    sums: dict[Group, int] = {}
    for pay in pays:
        rule, since = pay.rule, time_of(held[f"rule:{pay.rule.id}"])
        yield Earned(rule.id, rule.group, pay.milli, since, pay.evidence)
        cuts: tuple[tuple[Cut, int], ...] = (
            ("per_day_cap", pay.over_day),
            ("total_cap", pay.over_cap),
            ("decay", pay.faded),
        )
        yield from (Earned(rule.id, rule.group, milli, since, cut=cut) for cut, milli in cuts if milli)
        sums[rule.group] = sums.get(rule.group, 0) + pay.net
    total = 0
    for group, milli in sums.items():
        bounds = criteria.groups.get(group)
        within = milli if bounds is None else bounds.within(milli)
        if within != milli:
            yield Earned(group, group, within - milli, time_of(at), cut="clamp")
        total += within
    if (within := criteria.total.within(total)) != total:
        yield Earned("total", "total", within - total, time_of(at), cut="clamp")


def _holding(course: Course, now: Payment) -> list[str]:
    engaged, rules = _engaged_at(now.paying) is not None, [stretch.rule for stretch in now.paying]
    return holding(course.basis, course.criteria, rules, now.milli, engaged=engaged)


def holding(basis: Basis, criteria: Criteria, paying: Iterable[Priced], milli: int, *, engaged: bool) -> list[str]:
    """The names of all conditions that are true where these rules pay `milli` thousandths together."""
    names = [f"rule:{rule.id}" for rule in paying]
    names += [f"band:{band}" for band in criteria.bands_at(milli)[1:]]
    if engaged:
        names.append("engaged")
    if criteria.profile and all(
        (statement := basis.values.get(test.attribute)) is not None and test.holds(statement.value)
        for test in criteria.profile
    ):
        names.append("fit_profile")
    return names


def _read(course: Course, now: Payment) -> list[str]:
    """The conditions that a gate can read, and the day of the latest engagement."""
    names = [name for name in _holding(course, now) if not name.startswith("rule:")]
    return [*names, (_engaged_at(now.paying) or "")[:10]]


def _engaged_at(paying: Iterable[Stretch]) -> Instant | None:
    """The instant of the latest engagement that adds points."""
    earned = (stretch.latest for stretch in paying if stretch.rule.test is None and stretch.gross > 0)
    return max(earned, default=None)
