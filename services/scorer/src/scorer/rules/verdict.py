"""What a basis is worth at an instant under a policy, why, and since when (business.md B.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.scores import Cut, Group
from scorer.rules.basis import Basis, Settled
from scorer.rules.criteria import Criteria
from scorer.rules.pay import Evidence, Pay, next_change, pays_at
from scorer.rules.place import Instant, instant_of, time_of


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
    the one asked for, at which something changed, `until` the next at which time alone will change something.
    """

    milli: int
    band: str
    facts: Mapping[str, datetime]
    lines: tuple[Earned, ...]
    at: datetime | None
    until: datetime | None

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
    at = instant_of(basis.at)
    pays = pays_at(basis, criteria, at)
    settled = settled_of(basis, criteria, pays)
    while settled.change is not None and settled.change <= instant:
        at = settled.change
        pays = pays_at(basis, criteria, at)
        settled = Settled(_held(basis, criteria, pays, at, settled.held), next_change(basis, criteria, at))
    facts = {name: since for name, since in settled.held.items() if not name.startswith("rule:")}
    if basis.first is not None:
        facts[f"band:{criteria.bands[0].name}"] = instant_of(basis.first)
    if basis.email is not None:
        facts["contactable"] = basis.email.place
    if basis.opted_in is not None:
        facts["double_opt_in"] = basis.opted_in
    lines = tuple(_lines(pays, criteria, settled.held, at))
    milli = sum(line.milli for line in lines)
    return Verdict(
        milli,
        _bands(criteria, milli)[-1],
        {name: time_of(facts[name]) for name in sorted(facts)},
        lines,
        time_of(at) if at else None,
        None if settled.change is None else time_of(settled.change),
    )


def settled_of(basis: Basis, criteria: Criteria, pays: Sequence[Pay] | None = None) -> Settled:
    """What holds at the latest fact; `pays` spares working out again what is paid then."""
    if basis.settled is None:
        at = instant_of(basis.at)
        pays = pays_at(basis, criteria, at) if pays is None else pays
        basis.settle(Settled(_held(basis, criteria, pays, at, basis.held), next_change(basis, criteria, at)))
    assert basis.settled is not None  # noqa: S101 - a line ago
    return basis.settled


def held_before(basis: Basis, criteria: Criteria, until: Instant) -> Mapping[str, Instant]:
    """Since when what holds just before `until` has held, if nothing but time comes in between."""
    held, change = settled_of(basis, criteria)
    while change is not None and change < until:
        held = _held(basis, criteria, pays_at(basis, criteria, change), change, held)
        change = next_change(basis, criteria, change)
    return held


def worth(basis: Basis, criteria: Criteria, instant: Instant) -> int:
    """The `milli` of `score` and nothing else, for who asks it of many: the history is not gone through."""
    return _worth(pays_at(basis, criteria, instant), criteria)


def can_tell(before: Basis, after: Basis, criteria: Criteria) -> bool:
    """False where the verdicts on both are the same for sure: more of what a rule counts came, and is still too few."""
    same = before.first is after.first and before.values is after.values and before.email is after.email
    if not (same and before.opted_in is after.opted_in and before.intent is after.intent):
        return True
    if before.paid is not after.paid:
        return True
    changed = [rule for rule in criteria.rules if before.kept.get(rule.key) is not after.kept.get(rule.key)]
    return any(len(after.kept[rule.key].places) >= rule.needed for rule in changed if rule.cap is None)


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


def _worth(pays: Sequence[Pay], criteria: Criteria) -> int:
    sums: dict[Group, int] = {}
    for pay in pays:
        sums[pay.rule.group] = sums.get(pay.rule.group, 0) + pay.net
    return criteria.total.within(
        sum(
            criteria.groups[group].within(milli) if group in criteria.groups else milli for group, milli in sums.items()
        )
    )


def _held(
    basis: Basis, criteria: Criteria, pays: Sequence[Pay], at: Instant, before: Mapping[str, Instant]
) -> dict[str, Instant]:
    """Everything that holds at the instant, since when it has without a break."""
    names = [f"rule:{pay.rule.id}" for pay in pays]
    names += [f"band:{band}" for band in _bands(criteria, _worth(pays, criteria))[1:]]
    if any(pay.rule.test is None and pay.net > 0 for pay in pays):
        names.append("engaged")
    if criteria.profile and all(
        (statement := basis.values.get(test.attribute)) is not None and test.holds(statement.value)
        for test in criteria.profile
    ):
        names.append("fit_profile")
    return {name: before.get(name, at) for name in names}


def _bands(criteria: Criteria, milli: int) -> list[str]:
    """The bands that the score is in or above, the lowest first."""
    lowest, *others = criteria.bands
    return [lowest.name, *(band.name for band in others if band.least.holds(milli / 1000))]
