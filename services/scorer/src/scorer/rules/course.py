"""What a basis comes to as time goes by and nothing is heard, found by search instead of going through every day.

From its latest fact on each rule pays on one stretch of time, and there only less and less, share by share. So which
rules pay changes where stretches begin and end only; and between two instants the score is no more and no less than
what their two ends allow, so that most of a time is known to be quiet at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from schemas.scores import Group
from scorer.rules.basis import Basis, Kept, Paid, Statement
from scorer.rules.criteria import Criteria, Priced
from scorer.rules.decay import Lapse
from scorer.rules.pay import total_of
from scorer.rules.place import MICROS_A_DAY, Instant, Micros, Place, instant_of, micros_of

_MICRO = timedelta(microseconds=1)
NEVER: Micros = micros_of("9999-12-31T00:00:00.000000")
"""Later than anything that is looked for, and still in the calendar."""
_EVER: Micros = -NEVER
EFFORT = 96
"""Spans that one search looks at: enough for any score that only falls or only rises. One that points lost and points
taken keep near a bound for months is then looked at again before anything has changed."""


FIRST_SPAN = 4 * MICROS_A_DAY
"""Looked at first: within days a point or two fade."""
FEW = 16
"""Shares that are looked at one after the other within a day."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """When a rule by itself pays: from `start` up to `end`, at each instant something.

    `shares`: thousandths, what becomes of them, and the times that as many date from each, the earliest first; `gross`
    is what they all are before age, `latest` the instant of the last. Nothing of any is gone before `fresh`.
    """

    rule: Priced
    start: Micros
    end: Micros
    shares: tuple[tuple[int, Lapse, tuple[Micros, ...]], ...]
    gross: int
    latest: Instant
    fresh: Micros

    def net(self, at: Micros) -> int:
        """What it pays at an instant of the stretch."""
        fading = self.rule.fading
        if fading is None:
            return self.gross
        net = 0
        for milli, lapse, sinces in self.shares:
            net += fading.left_together(milli, lapse, sinces, at)
        return net

    def next_step(self, at: Micros) -> Micros:
        """The first instant after `at` at which age may take something."""
        oldest = max([(at - since) % MICROS_A_DAY for _, _, sinces in self.shares for since in sinces])
        return at + MICROS_A_DAY - oldest

    def last_change(self, at: Micros) -> Micros:
        """The latest instant up to `at` at which what it pays has changed; -NEVER: it has not."""
        if not self.start <= at < self.end:
            return self.end if self.end <= at else _EVER
        fading = self.rule.fading
        shares = () if fading is None else ((milli, since) for milli, _, sinces in self.shares for since in sinces)
        return max([self.start, *(fading.last_change(milli, since, at) for milli, since in shares if fading)])


class Standing(NamedTuple):
    """What is paid at an instant, the stretches with what each pays, and the score in thousandths."""

    at: Micros
    paying: list[Stretch]
    nets: list[int]
    milli: int


@dataclass(frozen=True, slots=True)
class Course:
    """The stretches of all rules, in the policy's order, and what the policy makes of them.

    `sources` are what each rule's follows from, None: it has none.
    """

    criteria: Criteria
    sources: tuple[object, ...]
    found: tuple[Stretch | None, ...]
    stretches: tuple[Stretch, ...]

    def paying(self, at: Micros) -> list[Stretch]:
        """What is paid at the instant; of exclusive rules the first that pays."""
        found: list[Stretch] = []
        taken: set[str] = set()
        for stretch in self.stretches:
            exclusive = stretch.rule.exclusive
            if stretch.start <= at < stretch.end and (exclusive is None or exclusive not in taken):
                found.append(stretch)
                if exclusive is not None:
                    taken.add(exclusive)
        return found

    def worth(self, at: Micros) -> int:
        """The score in thousandths."""
        return self.standing(at).milli

    def standing(self, at: Micros) -> Standing:
        """What is paid at the instant, and the score."""
        paying = self.paying(at)
        nets = [stretch.net(at) for stretch in paying]
        return Standing(at, paying, nets, self._total(paying, nets))

    def turn(self, at: Micros) -> Micros:
        """The first instant after `at` at which a rule by itself begins or ends to pay; NEVER: there is none."""
        edges = [edge for stretch in self.stretches for edge in (stretch.start, stretch.end) if edge > at]
        return min(edges, default=NEVER)

    def changed(self, at: Micros) -> Micros:
        """The latest instant up to `at` at which what some rule by itself pays changed; -NEVER: it never did."""
        return max((stretch.last_change(at) for stretch in self.stretches), default=_EVER)

    def leaves(self, now: Standing, until: Micros, low: float, high: float) -> Micros:
        """The first instant after `now` at which the score, which now is within [low, high], is not; else `until`.

        Up to `until` the same rules must pay. After EFFORT an earlier instant, up to which the score surely stays.
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


def course_of(basis: Basis, criteria: Criteria) -> Course:
    """From the basis's latest fact on, or from any later instant on; of most rules it is that of the basis before."""
    known: Course | None = basis.course
    if known is None or known.criteria is not criteria:
        earlier: Course | None = basis.earlier
        sources = tuple([_source(rule, basis) for rule in criteria.rules])
        if earlier is None or earlier.criteria is not criteria:
            found = tuple(map(_stretch, criteria.rules, sources))
        else:
            pairs = zip(criteria.rules, sources, earlier.sources, earlier.found, strict=True)
            found = tuple([same if now is then else _stretch(rule, now) for rule, now, then, same in pairs])
        known = Course(criteria, sources, found, tuple([stretch for stretch in found if stretch is not None]))
        basis.remember(course=known, earlier=None)
    return known


def paid_stretch(rule: Priced, paid: Paid) -> Stretch | None:
    """That of a rule that pays per event; None: nothing has been paid."""
    if paid.stretch is None and paid.shares:
        paid.remember(_of_shares(rule, paid.shares))
    stretch: Stretch | None = paid.stretch
    return stretch


def _source(rule: Priced, basis: Basis) -> Statement | Paid | Kept | None:
    if rule.test is not None:
        return basis.values.get(rule.test.attribute)
    return basis.kept.get(rule.key) if rule.cap is None else basis.paid.get(rule.id)


def _stretch(rule: Priced, source: Statement | Paid | Kept | None) -> Stretch | None:
    """None: whatever time it is, the rule pays nothing."""
    if isinstance(source, Kept):
        places = source.places
        if len(places) < rule.needed:
            return None
        until = NEVER if rule.window is None else micros_of(places[-rule.needed]) + rule.window // _MICRO
        counts = -1 if rule.window is not None or rule.fading is not None else rule.needed - 1
        return _of_shares(rule, ((places[counts], rule.milli),), until)
    if isinstance(source, Paid):
        return paid_stretch(rule, source)
    if source is None or rule.test is None or not rule.test.holds(source.value):
        return None
    return _of_shares(rule, ((source.place, rule.milli),))


def _of_shares(rule: Priced, shares: Sequence[tuple[Place, int]], until: Micros = NEVER) -> Stretch | None:
    alike: dict[int, list[Micros]] = {}
    for place, milli in shares if rule.fading is not None else ():
        alike.setdefault(milli, []).append(micros_of(place))
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
