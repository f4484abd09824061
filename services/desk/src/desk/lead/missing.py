"""Finds what would bring a lead to the next band, by trying changes on the scorer's own functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from itertools import combinations

from desk.lead.changes import Case, Change, Engagements, Option, ceiling, facts_of, options, steps
from schemas.envelope import Fact
from schemas.scoring import Band
from schemas.terms import Bound
from scorer.rules.criteria import Criteria
from scorer.rules.order import text_of
from scorer.rules.tally import Tally, add
from scorer.rules.verdict import score, settled_at, worth

CHANGES = 4
"""Most changes in one way; it bounds the search, and a longer way would not be read."""
WAYS = 3


@dataclass(frozen=True, slots=True)
class Way:
    """Changes that together bring the lead to `score`; without any one of them it stays below the band."""

    score: float
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """What is missing to `band`, which begins at `least`: `points`, and the ways to get them.

    `attainable` is false where no lead can have the points. It is true and there are no ways where the search, of up to
    CHANGES changes, found none.
    """

    band: str
    least: Bound
    points: float
    attainable: bool
    ways: tuple[Way, ...]


def missing(tally: Tally, criteria: Criteria, instant: datetime) -> Missing | None:
    """The nearest changes that bring the lead at least to the next band; None in the top band.

    At most WAYS of them: fewest changes first, then fewest points over, then in the policy's order. Each was tried as
    facts at `instant`, which must be later than every fact of the tally. Raises Late.
    """
    _, memo = settled_at(tally.basis, criteria, text_of(instant), tally.memo)
    tally = replace(tally, memo=memo)
    verdict = score(tally.basis, criteria, text_of(instant), memo)
    place = [band.name for band in criteria.bands].index(verdict.band)
    if place + 1 == len(criteria.bands):
        return None
    band = criteria.bands[place + 1]
    trial = _Trial(tally, criteria, instant, band)
    least = _least(band, criteria)
    ways = _ways(trial, list(options(trial.case)), least - verdict.milli)
    return Missing(
        band=band.name,
        least=band.least,
        points=(least - verdict.milli) / 1000,
        attainable=least <= criteria.total.within(ceiling(criteria.rules)),
        ways=tuple(Way(trial.milli(changes) / 1000, changes) for changes in ways),
    )


@dataclass(frozen=True, slots=True)
class _Trial:
    """Tries changes by the scorer's rules."""

    tally: Tally
    criteria: Criteria
    instant: datetime
    band: Band
    _facts: dict[Change, list[Fact]] = field(default_factory=dict)

    @property
    def case(self) -> Case:
        return Case(self.tally.basis, self.criteria, text_of(self.instant))

    def milli(self, changes: Iterable[Change]) -> int:
        facts = sorted((fact for change in changes for fact in self._of(change)), key=lambda fact: fact.order)
        tally = reduce(lambda tally, fact: add(tally, fact, self.criteria), facts, self.tally)
        return worth(tally.basis, self.criteria, text_of(facts[-1].time if facts else self.instant), tally.memo)

    def reaches(self, changes: Iterable[Change]) -> bool:
        return self.band.least.holds(self.milli(changes) / 1000)

    def _of(self, change: Change) -> list[Fact]:
        if change not in self._facts:
            self._facts[change] = facts_of(change, self.instant)
        return self._facts[change]


def _ways(trial: _Trial, options: Sequence[Option], wanted: int) -> list[tuple[Change, ...]]:
    """The nearest changes that gain at least `wanted` thousandths, chosen among the options."""
    ways: list[tuple[Change, ...]] = []
    for size in range(1, CHANGES + 1):
        reaching: dict[tuple[Change, ...], int] = {}
        for chosen in combinations(options, size):
            if sum(option.max_gain for option in chosen) < wanted or len({option.slot for option in chosen}) < size:
                continue
            if any(set(way) < {option.change for option in chosen} for way in ways):
                continue
            for changes in _fitted(tuple(option.change for option in chosen), trial):
                if trial.reaches(changes):
                    fewest = _fewest(changes, trial)
                    reaching[fewest] = trial.milli(fewest)
        for changes in sorted(reaching, key=lambda changes: reaching[changes]):
            if not any(trial.reaches(_without(changes, change)) for change in changes):
                ways.append(changes)
            if len(ways) == WAYS:
                return ways
    return ways


def _fitted(changes: tuple[Change, ...], trial: _Trial) -> Iterator[tuple[Change, ...]]:
    """The changes, and the same with other numbers of engagements where one engagement counts for two of them."""
    yield changes
    kinds = [change.kind for change in changes if isinstance(change, Engagements)]
    for change in changes:
        if isinstance(change, Engagements) and kinds.count(change.kind) > 1:
            yield from _numbered(changes, change, trial)


def _fewest(changes: tuple[Change, ...], trial: _Trial) -> tuple[Change, ...]:
    """The same changes with the fewest engagements that suffice."""
    for change in changes:
        if isinstance(change, Engagements):
            reaching = (fewer for fewer in _numbered(changes, change, trial, change.more) if trial.reaches(fewer))
            changes = next(reaching, changes)
    return changes


def _numbered(
    changes: tuple[Change, ...], change: Engagements, trial: _Trial, below: float = math.inf
) -> Iterator[tuple[Change, ...]]:
    """The same with each number of this change's engagements that makes a rule pay, the fewest first."""
    others = _without(changes, change)
    for more in steps(change.kind, change.content, trial.case, others):
        if more < below:
            yield tuple(replace(change, more=more) if other is change else other for other in changes)


def _without(changes: tuple[Change, ...], change: Change) -> tuple[Change, ...]:
    return tuple(other for other in changes if other != change)


def _least(band: Band, criteria: Criteria) -> int:
    """The lowest score in the band, in thousandths; a whole point where all rules give whole points."""
    unit = 1 if any(rule.milli % 1000 or rule.fading for rule in criteria.rules) else 1000
    floor = math.floor(band.least.n * 1000 / unit) * unit
    return floor if band.least.holds(floor / 1000) else floor + unit
