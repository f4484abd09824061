"""Reference for the search: evaluates every instant at which decay may take something; slow and plain.

The scorer worked so up to 2026-11-28; what it finds by search since then has to be the same.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from schemas.scores import Group
from scorer.rules import Criteria
from scorer.rules.basis import Basis
from scorer.rules.criteria import Priced
from scorer.rules.decay import DAY, Fading
from scorer.rules.order import Instant, OrderKey, instant_of, later, time_of
from scorer.rules.pay import _pay, _within, pays_at
from scorer.rules.verdict import POINT


class Walked(NamedTuple):
    """What holds since when from `at` on, where what a rule by itself pays has changed, the score, and the day of the
    latest engagement that earns."""

    at: Instant
    held: Mapping[str, Instant]
    milli: int
    engaged: str


def walk(basis: Basis, criteria: Criteria, until: Instant) -> list[Walked]:
    """From the basis's latest fact up to `until`."""
    found = [_walked(basis, criteria, instant_of(basis.at), basis.held)]
    while (at := _next(basis, criteria, found[-1].at)) is not None and at <= until:
        found.append(_walked(basis, criteria, at, found[-1].held))
    return found


def first_told(walked: list[Walked], told: int) -> Instant | None:
    """When time alone changes what a gate can read at the first of these, or takes the score a point from `told`."""
    read = _read(walked[0])
    return next((each.at for each in walked[1:] if _read(each) != read or abs(each.milli - told) >= POINT), None)


def worth(basis: Basis, criteria: Criteria, instant: Instant) -> int:
    sums: dict[Group, int] = {}
    for pay in pays_at(basis, criteria, instant):
        sums[pay.rule.group] = sums.get(pay.rule.group, 0) + pay.net
    groups = criteria.groups
    return criteria.total.within(sum(groups[g].within(net) if g in groups else net for g, net in sums.items()))


def _read(walked: Walked) -> tuple[dict[str, Instant], str]:
    return {name: since for name, since in walked.held.items() if not name.startswith("rule:")}, walked.engaged


def _walked(basis: Basis, criteria: Criteria, at: Instant, before: Mapping[str, Instant]) -> Walked:
    pays = pays_at(basis, criteria, at)
    milli = worth(basis, criteria, at)
    names = [f"rule:{pay.rule.id}" for pay in pays]
    names += [f"band:{band.name}" for band in criteria.bands[1:] if band.least.holds(milli / 1000)]
    names += ["engaged"] * any(pay.rule.test is None and pay.net > 0 for pay in pays)
    stated = [basis.values.get(test.attribute) for test in criteria.profile]
    fits = [value is not None and test.holds(value.value) for value, test in zip(stated, criteria.profile, strict=True)]
    names += ["fit_profile"] * (bool(fits) and all(fits))
    earned = [pay for pay in pays if pay.rule.test is None and pay.milli > 0]
    latest = [basis.paid[pay.rule.id].shares[-1][0] if pay.rule.cap else pay.evidence[-1] for pay in earned]
    return Walked(at, {name: before.get(name, at) for name in names}, milli, max(latest, default="")[:10])


def _next(basis: Basis, criteria: Criteria, at: Instant) -> Instant | None:
    changes = (_own_change(rule, basis, at) for rule in criteria.timed)
    return min((change for change in changes if change is not None), default=None)


def _own_change(rule: Priced, basis: Basis, instant: Instant) -> Instant | None:
    """The first instant after `instant` at which time alone changes what the rule by itself pays."""
    before = _pay(rule, basis, instant)
    while (turn := min((each for each in _turns(rule, basis, instant) if each > instant), default=None)) is not None:
        after = _pay(rule, basis, turn)
        if (before.net if before else 0) != (after.net if after else 0):
            return turn
        instant = turn
    return None


def _turns(rule: Priced, basis: Basis, instant: Instant) -> Iterator[Instant]:
    """Where what the rule pays may change next; before its first day that is the only one."""
    if rule.start is not None and instant < rule.start:
        yield rule.start
        return
    if rule.end is not None:
        yield rule.end
    places = _within(rule, basis, instant)
    enough = rule.cap is None and len(places) >= rule.needed > 0
    if rule.window is not None and enough:
        yield later(places[-rule.needed], rule.window)
    if rule.fading is not None:
        once = ((places[-1], rule.milli),) if enough else ()
        for share in basis.paid[rule.id].shares if rule.id in basis.paid else once:
            if (change := _fades(rule.fading, *share, instant)) is not None:
                yield change


def _fades(fading: Fading, since: OrderKey, milli: int, instant: Instant) -> Instant | None:
    age = (time_of(instant) - time_of(since)) // DAY
    now = fading.left(milli, age)
    if now == 0:
        return None
    age += 1
    while fading.left(milli, age) == now:
        age += 1
    return later(since, age * DAY)
