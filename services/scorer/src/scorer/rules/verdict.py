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

    The lowest band has no floor: a lead is in it from the first that is known of it. `settled` is where to go on from.
    """

    milli: int
    band: str
    facts: Mapping[str, datetime]
    lines: tuple[Earned, ...]
    settled: Settled

    @property
    def at(self) -> datetime | None:
        """The latest instant, up to the one asked for, at which something changed."""
        return time_of(self.settled.at) if self.settled.at else None

    @property
    def until(self) -> datetime | None:
        """The next instant at which time alone will change something."""
        return None if self.settled.change is None else time_of(self.settled.change)

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
    settled = settled_at(basis, criteria, instant)
    pays = pays_at(basis, criteria, settled.at)
    facts = {name: since for name, since in settled.held.items() if not name.startswith("rule:")}
    if basis.first is not None:
        facts[f"band:{criteria.bands[0].name}"] = instant_of(basis.first)
    if basis.email is not None:
        facts["contactable"] = basis.email.place
    if basis.opted_in is not None:
        facts["double_opt_in"] = basis.opted_in
    lines = tuple(_lines(pays, criteria, settled.held, settled.at))
    milli = sum(line.milli for line in lines)
    return Verdict(
        milli,
        _bands(criteria, milli)[-1],
        {name: time_of(facts[name]) for name in sorted(facts)},
        lines,
        settled,
    )


def settled_at(basis: Basis, criteria: Criteria, instant: Instant, *, just_before: bool = False) -> Settled:
    """What holds at `instant`, or `just_before` it, by the last change up to then, if nothing but time comes between.

    An instant before the latest fact counts as that one's.
    """
    if not basis.at:
        return _UNTOUCHED
    settled = basis.settled
    if settled is None or settled.at > instant or (just_before and settled.at == instant):
        settled = _settled(basis, criteria, instant_of(basis.at), basis.held)
    while settled.change is not None and (settled.change < instant or (settled.change == instant and not just_before)):
        settled = _settled(basis, criteria, settled.change, settled.held)
    return settled


_UNTOUCHED = Settled("", {}, None)


def _settled(basis: Basis, criteria: Criteria, at: Instant, before: Mapping[str, Instant]) -> Settled:
    held = _held(basis, criteria, pays_at(basis, criteria, at), at, before)
    return Settled(at, held, next_change(basis, criteria, at))


def worth(basis: Basis, criteria: Criteria, instant: Instant) -> int:
    """The `milli` of `score` and nothing else, for who asks it of many: the history is not gone through."""
    return _worth(pays_at(basis, criteria, instant), criteria)


def can_tell(before: Basis, after: Basis, criteria: Criteria) -> bool:
    """False where what a gate can read of both is the same for sure: a rule counts more, but still has too few, or
    pays for no more of them.
    """
    if before.values is not after.values or before.email is not after.email:
        return True
    if before.opted_in is not after.opted_in or before.intent is not after.intent:
        return True
    if any(paid.shares is not _shares(before, rule) for rule, paid in after.paid.items()):
        return True
    if before.kept is after.kept:
        return False
    changed = [rule for rule in criteria.rules if before.kept.get(rule.key) is not after.kept.get(rule.key)]
    return any(len(after.kept[rule.key].places) >= rule.needed for rule in changed if rule.cap is None)


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
