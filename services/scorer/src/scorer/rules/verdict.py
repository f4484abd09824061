"""What a basis is worth at an instant under a policy, why, and since when (business.md B.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.scores import Cut, Group
from scorer.rules.basis import Basis, Settled
from scorer.rules.course import NEVER, Standing, Stretch, course_of
from scorer.rules.criteria import Criteria, Priced
from scorer.rules.pay import Evidence, Pay, pays_at
from scorer.rules.place import Instant, instant_at, instant_of, micros_of, time_of

POINT = 1000
"""Thousandths of a whole one."""


@dataclass(frozen=True, slots=True)
class Earned:
    """Points that a rule gives now, since when it pays without a break, and the facts that it pays for.

    With `cut`: what a cap, age or a clamp takes from that.
    """

    rule: str
    group: Group | Literal["total"]
    milli: int
    since: datetime
    evidence: Evidence = ()
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A lead's score in thousandths of a point, the sum of its lines; `facts` are those of schemas.scores.Score.

    The lowest band has no floor: a lead is in it from the first that is known of it. `at` is the latest instant, up to
    the one asked for, at which something changed; `engaged_at` of the latest engagement that the lead has points for.
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


def score(basis: Basis, criteria: Criteria, instant: Instant) -> Verdict:
    """The verdict at `instant`, which must not lie before the latest fact; it counts as that one's where it does."""
    instant = max(instant, instant_of(basis.at))
    settled = settled_at(basis, criteria, instant)
    pays = pays_at(basis, criteria, instant)
    facts = {name: since for name, since in settled.held.items() if not name.startswith("rule:")}
    if basis.first is not None:
        facts[f"band:{criteria.bands[0].name}"] = instant_of(basis.first)
    if basis.email is not None:
        facts["contactable"] = basis.email.place
    if basis.opted_in is not None:
        facts["double_opt_in"] = basis.opted_in
    at = changed_at(basis, criteria, instant)
    lines = tuple(_lines(pays, criteria, settled.held, at))
    milli = sum(line.milli for line in lines)
    return Verdict(
        milli,
        criteria.bands_at(milli)[-1],
        {name: time_of(facts[name]) for name in sorted(facts)},
        lines,
        time_of(at) if at else None,
        _engaged_at(course_of(basis, criteria).paying(micros_of(instant))) if basis.at else None,
    )


def settled_at(basis: Basis, criteria: Criteria, instant: Instant, *, just_before: bool = False) -> Settled:
    """What holds at `instant`, or `just_before` it, if nothing but time comes between the latest fact and then.

    An instant before the latest fact counts as that one's. It jumps from one instant at which something may change to
    the next; what it finds is remembered with the basis.
    """
    if not basis.at:
        return _UNTOUCHED
    settled = basis.settled
    if settled is None or settled.at > instant or (just_before and settled.at == instant):
        first = Settled(instant_of(basis.at), basis.held, None, micros_of(basis.at))
        settled = _settled(basis, criteria, first, instant)
    while settled.until is not None and (settled.until < instant or (settled.until == instant and not just_before)):
        settled = _settled(basis, criteria, settled._replace(at=settled.until), instant)
    if basis.settled is None or basis.settled.at < settled.at:
        basis.remember(settled=settled)
    return settled


_UNTOUCHED = Settled("", {}, None, 0)


def _settled(basis: Basis, criteria: Criteria, before: Settled, instant: Instant) -> Settled:
    """What holds at the instant of `before`, which has what held up to then.

    It is looked ahead from `instant` as far as nothing but time has come before it: who asks will ask again soon.
    """
    at, course = before.at, course_of(basis, criteria)
    now = course.standing(micros_of(at))
    held = {name: before.held.get(name, at) for name in _holding(basis, criteria, now)}
    far = max(now.at, 2 * micros_of(instant) - before.origin) + 1
    until = course.leaves(now, min(course.turn(now.at), far), *criteria.band_of(now.milli)) if criteria.timed else NEVER
    return Settled(at, held, None if until >= NEVER else instant_at(until), before.origin)


def changed_at(basis: Basis, criteria: Criteria, instant: Instant) -> Instant:
    """The latest instant up to `instant` at which a fact or time alone changed what some rule by itself pays."""
    latest = instant_of(basis.at)
    if not latest or not criteria.timed:
        return latest
    changed = course_of(basis, criteria).changed(micros_of(instant))
    return max(latest, instant_at(changed)) if changed > 0 else latest


def next_told(basis: Basis, criteria: Criteria, instant: Instant, told: int) -> Instant | None:
    """The first instant after `instant` at which time alone changes what a gate can read, or takes the score a whole
    point away from the `told` one, which it now is not; None: it never does.

    Nothing may be found there where points lost and taken keep the score near a bound for long.
    """
    if not basis.at or not criteria.timed:
        return None
    course = course_of(basis, criteria)
    now = course.standing(micros_of(instant))
    read = _read(basis, criteria, now)
    while True:
        turn, (low, high) = course.turn(now.at), criteria.band_of(now.milli)
        until = course.leaves(now, turn, max(low, told - POINT + 1), min(high, told + POINT - 1))
        if until < turn:
            return instant_at(until)
        if turn >= NEVER:
            return None
        now = course.standing(turn)
        if abs(now.milli - told) >= POINT or _read(basis, criteria, now) != read:
            return instant_at(turn)


def worth(basis: Basis, criteria: Criteria, instant: Instant) -> int:
    """The `milli` of `score` and nothing else, for who asks it of many: the history is not gone through."""
    return course_of(basis, criteria).worth(micros_of(instant))


def can_tell(before: Basis, after: Basis, criteria: Criteria) -> bool:
    """False where what a gate can read of both is the same for sure, at any time from both on."""
    if before.email is not after.email or before.opted_in is not after.opted_in or before.intent is not after.intent:
        return True
    return not pay_alike(before, after, criteria)


def pay_alike(before: Basis, after: Basis, criteria: Criteria) -> bool:
    """Whether the rules pay the same of both for sure: a rule counts more, but still has too few, or pays for no more
    of them.
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


def _holding(basis: Basis, criteria: Criteria, now: Standing) -> list[str]:
    """Everything that holds."""
    engaged = _engaged_at(now.paying) is not None
    return holding(basis, criteria, [stretch.rule for stretch in now.paying], now.milli, engaged=engaged)


def holding(basis: Basis, criteria: Criteria, paying: Iterable[Priced], milli: int, *, engaged: bool) -> list[str]:
    """Everything that holds where these rules pay, and come to `milli`."""
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


def _read(basis: Basis, criteria: Criteria, now: Standing) -> list[str]:
    """What of that a gate can read, and the day of the latest engagement."""
    names = [name for name in _holding(basis, criteria, now) if not name.startswith("rule:")]
    return [*names, (_engaged_at(now.paying) or "")[:10]]


def _engaged_at(paying: Iterable[Stretch]) -> Instant | None:
    """When the lead last did something that it has points for: neither a description nor what takes points."""
    earned = (stretch.latest for stretch in paying if stretch.rule.test is None and stretch.gross > 0)
    return max(earned, default=None)
