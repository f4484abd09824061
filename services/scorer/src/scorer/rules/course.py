"""Computes what the rules pay over time while no further fact comes, and finds when that next changes something.

From the basis's latest fact on, each rule pays during one stretch of time, and within it never more than before. So the
set of paying rules changes only where stretches begin and end, and between two instants the score is bounded by what
the rules pay at both: most spans are known not to matter after one look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas.scores import Group
from scorer.rules.basis import Basis, Kept, Shares, Statement
from scorer.rules.criteria import Criteria, Priced
from scorer.rules.decay import Lapse
from scorer.rules.order import MICROS_A_DAY, RESOLUTION, Instant, Micros, instant_of, micros_of
from scorer.rules.pay import total_of

NEVER: Micros = micros_of("9999-12-31T00:00:00.000000")
"""Later than anything that is looked for, and still in the calendar."""
_EVER: Micros = -NEVER
EFFORT = 96
"""Most spans that one search evaluates: enough for any score that only falls or only rises. Where earned and negative
points keep the score near a bound for months, the search ends early and the lead is due before anything changes."""
FIRST_SPAN = 4 * MICROS_A_DAY
"""The first span: one or two points fade within days."""
FEW = 16
"""Up to so many shares, a search within a day goes from share to share."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time during which one rule pays, other rules aside: from `start` up to `end`.

    `shares`: thousandths, their decay, and the instants they date from, the earliest first. `gross` is their sum before
    decay, `latest` the instant of the last. Before `fresh` something is left of every share.
    """

    rule: Priced
    start: Micros
    end: Micros
    shares: tuple[tuple[int, Lapse, tuple[Micros, ...]], ...]
    gross: int
    latest: Instant
    fresh: Micros

    def net(self, at: Micros) -> int:
        """Thousandths paid at an instant of the stretch."""
        fading = self.rule.fading
        if fading is None:
            return self.gross
        net = 0
        for milli, lapse, sinces in self.shares:
            net += fading.left_together(milli, lapse, sinces, at)
        return net

    def next_step(self, at: Micros) -> Micros:
        """The first instant after `at` at which decay may take something."""
        oldest = max([(at - since) % MICROS_A_DAY for _, _, sinces in self.shares for since in sinces])
        return at + MICROS_A_DAY - oldest

    def last_change(self, at: Micros) -> Micros:
        """The latest instant up to `at` at which the thousandths paid changed; -NEVER: they did not."""
        if not self.start <= at < self.end:
            return self.end if self.end <= at else _EVER
        fading = self.rule.fading
        shares = () if fading is None else ((milli, since) for milli, _, sinces in self.shares for since in sinces)
        return max([self.start, *(fading.last_change(milli, since, at) for milli, since in shares if fading)])


class Payment(NamedTuple):
    """An instant, the stretches that pay at it, what each pays, and the score in thousandths."""

    at: Micros
    paying: list[Stretch]
    nets: list[int]
    milli: int


@dataclass(frozen=True, slots=True)
class Course:
    """The stretches of all rules of the criteria, in the policy's order.

    `found` has one for each rule (None: it never pays), `sources` the part of the basis that each follows from.
    """

    basis: Basis
    criteria: Criteria
    sources: tuple[object, ...]
    found: tuple[Stretch | None, ...]
    stretches: tuple[Stretch, ...]

    def paying(self, at: Micros) -> list[Stretch]:
        """The stretches that pay at the instant; of exclusive rules the first that pays."""
        found: list[Stretch] = []
        taken: set[str] = set()
        for stretch in self.stretches:
            exclusive = stretch.rule.exclusive
            if stretch.start <= at < stretch.end and (exclusive is None or exclusive not in taken):
                found.append(stretch)
                if exclusive is not None:
                    taken.add(exclusive)
        return found

    def payment(self, at: Micros) -> Payment:
        paying = self.paying(at)
        nets = [stretch.net(at) for stretch in paying]
        return Payment(at, paying, nets, self._total(paying, nets))

    def turn(self, at: Micros) -> Micros:
        """The first instant after `at` at which a stretch begins or ends; NEVER: none does."""
        edges = [edge for stretch in self.stretches for edge in (stretch.start, stretch.end) if edge > at]
        return min(edges, default=NEVER)

    def changed(self, at: Micros) -> Micros:
        """The latest instant up to `at` at which what some rule pays changed; -NEVER: none did."""
        return max((stretch.last_change(at) for stretch in self.stretches), default=_EVER)

    def leaves(self, now: Payment, until: Micros, low: float, high: float) -> Micros:
        """The first instant after `now` at which the score leaves [low, high], in which it is now; else `until`.

        The same rules must pay up to `until`. After EFFORT spans: an earlier instant, up to which the score stays.
        """
        at, paying, here, _ = now
        fading = [stretch for stretch in paying if stretch.rule.fading is not None]
        if not fading:
            return until
        one_way = len({stretch.gross > 0 for stretch in fading}) == 1  # then the score lies between those at both ends
        few = sum([len(sinces) for stretch in fading for _, _, sinces in stretch.shares]) <= FEW
        last, span = until - 1, FIRST_SPAN
        for _ in range(EFFORT):
            if at >= last:
                return until
            span = min(span, last - at)
            to = at + span
            there = [stretch.net(to) for stretch in paying]
            if one_way:
                stays = low <= self._total(paying, there) <= high
            else:
                stays = low <= self._total(paying, map(min, here, there))
                stays = stays and self._total(paying, map(max, here, there)) <= high
            if stays:
                at, here, span = to, there, 2 * span
                continue
            step = min([stretch.next_step(at) for stretch in fading]) if span <= MICROS_A_DAY else to
            if span > MICROS_A_DAY or (not few and span > 2 * (step - at)):
                span //= 2
                continue
            there = [stretch.net(step) for stretch in paying]
            if not low <= self._total(paying, there) <= high:
                return step
            at, here = step, there
        return at

    def _total(self, paying: Sequence[Stretch], nets: Iterable[int]) -> int:
        sums: dict[Group, int] = {}
        for stretch, net in zip(paying, nets, strict=True):
            group = stretch.rule.group
            sums[group] = sums.get(group, 0) + net
        return total_of(sums, self.criteria)


def course_of(basis: Basis, criteria: Criteria, earlier: Course | None = None) -> Course:
    """The course of the basis, from its latest fact on.

    `earlier` is the course of the same or an earlier basis: the stretches whose sources are the same are taken from it.
    """
    if earlier is None or earlier.criteria is not criteria:
        sources = tuple([_source(rule, basis) for rule in criteria.rules])
        found = tuple(map(_stretch, criteria.rules, sources))
    elif earlier.basis is basis:
        return earlier
    else:
        sources = tuple([_source(rule, basis) for rule in criteria.rules])
        pairs = zip(criteria.rules, sources, earlier.sources, earlier.found, strict=True)
        found = tuple([same if now is then else _stretch(rule, now) for rule, now, then, same in pairs])
    return Course(basis, criteria, sources, found, tuple([stretch for stretch in found if stretch is not None]))


def fresh_until(rule: Priced, shares: Shares) -> Micros:
    """The first instant at which nothing is left of some share, for a rule that pays per event."""
    stretch = _of_shares(rule, shares) if shares else None
    return NEVER if stretch is None else stretch.fresh


def _source(rule: Priced, basis: Basis) -> Statement | Kept | Shares | None:
    if rule.test is not None:
        return basis.values.get(rule.test.attribute)
    if rule.cap is None:
        return basis.kept.get(rule.key)
    return basis.paid[rule.id].shares if rule.id in basis.paid else None


def _stretch(rule: Priced, source: Statement | Kept | Shares | None) -> Stretch | None:
    """The rule's stretch, None where it never pays."""
    if isinstance(source, Kept):
        orders = source.places
        if len(orders) < rule.needed:
            return None
        until = NEVER if rule.window is None else micros_of(orders[-rule.needed]) + rule.window // RESOLUTION
        counts = -1 if rule.window is not None or rule.fading is not None else rule.needed - 1
        return _of_shares(rule, ((orders[counts], rule.milli),), until)
    if isinstance(source, Statement):
        holds = rule.test is not None and rule.test.holds(source.value)
        return _of_shares(rule, ((source.order, rule.milli),)) if holds else None
    return _of_shares(rule, source) if source else None


def _of_shares(rule: Priced, shares: Shares, until: Micros = NEVER) -> Stretch | None:
    alike: dict[int, list[Micros]] = {}
    for order, milli in shares if rule.fading is not None else ():
        alike.setdefault(milli, []).append(micros_of(order))
    fresh = gone = NEVER
    fading, made = rule.fading, []
    if fading is not None:
        made = [(milli, fading.lapse(milli), tuple(sinces)) for milli, sinces in alike.items()]
        gone = max([sinces[-1] + lapse.end * MICROS_A_DAY for _, lapse, sinces in made])
        fresh = min([sinces[0] + lapse.end * MICROS_A_DAY for _, lapse, sinces in made])
    start = _EVER if rule.start is None else micros_of(rule.start)
    end = min(until, gone, NEVER if rule.end is None else micros_of(rule.end))
    if start >= end:
        return None
    gross = sum([milli for _, milli in shares])
    return Stretch(rule, start, end, tuple(made), gross, instant_of(shares[-1][0]), fresh)
