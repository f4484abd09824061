"""What a basis is worth at an instant under a policy, why, and since when (business.md B.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.scores import Cut, Group
from scorer.rules.basis import Basis, Kept, Paid, Settled
from scorer.rules.criteria import Criteria, Priced
from scorer.rules.place import Instant, Place, instant_of, later, time_of

Evidence = tuple[Place, ...]


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


@dataclass(frozen=True, slots=True)
class Pay:
    """What a rule pays: `milli` in all, less what the caps and age take (each 0 or of the other sign)."""

    rule: Priced
    milli: int
    evidence: Evidence
    over_day: int = 0
    over_cap: int = 0
    faded: int = 0

    @property
    def net(self) -> int:
        return self.milli + self.over_day + self.over_cap + self.faded


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


def next_change(basis: Basis, criteria: Criteria, instant: Instant) -> Instant | None:
    """The first instant after `instant` at which time alone changes what some rule by itself pays; None: never."""
    changes = (_own_change(rule, basis, instant) for rule in criteria.timed)
    return min((change for change in changes if change is not None), default=None)


def worth(basis: Basis, criteria: Criteria, instant: Instant) -> int:
    """The `milli` of `score` and nothing else, for who asks it of many: the history is not gone through."""
    return _worth(pays_at(basis, criteria, instant), criteria)


def counted(rule: Priced, basis: Basis, instant: Instant) -> int:
    """How many engagements the rule counts at the instant, those too many left out."""
    paid = basis.paid.get(rule.id)
    return len(_within(rule, basis, instant)) if rule.cap is None else paid.found if paid else 0


def can_tell(before: Basis, after: Basis, criteria: Criteria) -> bool:
    """False where the verdicts on both are the same for sure: more of what a rule counts came, and is still too few."""
    same = before.first is after.first and before.values is after.values and before.email is after.email
    if not (same and before.opted_in is after.opted_in and before.intent is after.intent):
        return True
    if before.paid is not after.paid:
        return True
    changed = [rule for rule in criteria.rules if before.kept.get(rule.key) is not after.kept.get(rule.key)]
    return any(len(after.kept[rule.key].places) >= rule.needed for rule in changed if rule.cap is None)


def _own_change(rule: Priced, basis: Basis, instant: Instant) -> Instant | None:
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
            if (change := rule.fading.next_change(*share, instant)) is not None:
                yield change


def _within(rule: Priced, basis: Basis, instant: Instant) -> Sequence[Place]:
    """The engagements that a rule which pays once counts at the instant, in order."""
    places = basis.kept.get(rule.key, Kept()).places
    if rule.window is None or not places:
        return places
    gone = later(instant, -rule.window)
    return [place for place in places if instant_of(place) > gone]


def pays_at(basis: Basis, criteria: Criteria, instant: Instant) -> list[Pay]:
    """What is paid at `instant`, in the policy's order; of exclusive rules the first that pays."""
    pays: list[Pay] = []
    taken: set[str] = set()
    for rule in criteria.rules:
        if rule.exclusive in taken:
            continue
        pay = _pay(rule, basis, instant)
        if pay is not None and pay.net:
            pays.append(pay)
            if rule.exclusive is not None:
                taken.add(rule.exclusive)
    return pays


def _pay(rule: Priced, basis: Basis, instant: Instant) -> Pay | None:
    if (rule.start and instant < rule.start) or (rule.end and instant >= rule.end):
        return None
    if rule.test is not None:
        statement = basis.values.get(rule.test.attribute)
        holds = statement is not None and rule.test.holds(statement.value)
        return Pay(rule, rule.milli, (statement.place,)) if statement and holds else None
    if rule.cap is not None:
        paid = basis.paid.get(rule.id)
        return _per_event(rule, paid, instant) if paid else None
    return _once(rule, basis, instant)


def _once(rule: Priced, basis: Basis, instant: Instant) -> Pay | None:
    places = _within(rule, basis, instant)
    if len(places) < rule.needed:
        return None
    if rule.window is None and rule.fading is None:
        return Pay(rule, rule.milli, tuple(places[: rule.needed]))
    faded = rule.fading.left_of(places[-1], rule.milli, instant) - rule.milli if rule.fading else 0
    return Pay(rule, rule.milli, tuple(places[-rule.needed :]), faded=faded)


def _per_event(rule: Priced, paid: Paid, instant: Instant) -> Pay:
    sign = 1 if rule.milli >= 0 else -1
    gross, used = paid.found * rule.milli, sign * paid.used
    over_day = -sign * paid.over_day
    left = [
        (place, rule.fading.left_of(place, share, instant) if rule.fading else share) for place, share in paid.shares
    ]
    return Pay(
        rule,
        gross,
        tuple(place for place, share in left if share),
        over_day,
        used - gross - over_day,
        sum(share for _, share in left) - used,
    )


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
