"""What a tally is worth under a policy, why, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from schemas.scores import Group
from scorer.rules.criteria import Criteria, Priced, Value
from scorer.rules.place import Instant, Place, instant_of, time_of
from scorer.rules.tally import Basis, Statement

Evidence = tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Earned:
    """Points that a rule gives now, since when without a break, and the facts that began it."""

    rule: str
    group: Group
    milli: int
    since: datetime
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Verdict:
    """A lead's score in thousandths of a point, the sum of its lines; `facts` are those of schemas.scores.Score.

    The lowest band has no floor: a lead is in it from the first that is known of it.
    """

    milli: int
    band: str
    facts: Mapping[str, datetime]
    lines: tuple[Earned, ...]

    @property
    def points(self) -> float:
        return self.milli / 1000

    def points_of(self, group: Group) -> float:
        return sum(line.milli for line in self.lines if line.group == group) / 1000

    @property
    def band_since(self) -> datetime | None:
        return self.facts.get(f"band:{self.band}")


def score(basis: Basis, criteria: Criteria) -> Verdict:
    """The verdict on everything known; no points come or go with time alone, so it is for no instant in particular.

    Goes through every instant at which something changed, in order of time and not of arrival; what holds at the last
    one has held since the instant after which it never failed.
    """
    held: dict[str, tuple[Instant, Evidence]] = {}
    values: dict[str, Statement] = {}
    paying: list[tuple[Priced, Evidence]] = []
    counted = _counted(basis, criteria)
    changes = _changes(basis, counted)
    for instant in sorted(changes):
        values |= changes[instant]
        paying = _paying(criteria, values, counted, instant)
        held = {name: held.get(name, (instant, evidence)) for name, evidence in _holding(criteria, values, paying)}
    facts = {name: instant for name, (instant, _) in held.items() if not name.startswith("rule:")}
    if basis.email is not None:
        facts["contactable"] = basis.email.place
    if basis.opted_in is not None:
        facts["double_opt_in"] = basis.opted_in
    milli = sum(rule.milli for rule, _ in paying)
    return Verdict(
        milli,
        _bands(criteria, milli)[-1],
        {name: time_of(facts[name]) for name in sorted(facts)},
        tuple(_line(rule, *held[f"rule:{rule.id}"]) for rule, _ in paying),
    )


def worth(basis: Basis, criteria: Criteria) -> int:
    """The `milli` of `score` and nothing else, for who asks it of many: the history is not gone through."""
    counted = _counted(basis, criteria)
    values = {attribute: history[-1] for attribute, history in basis.history.items()}
    last = max((instant for instant, _ in counted.values()), default="")
    return sum(rule.milli for rule, _ in _paying(criteria, values, counted, last))


def can_tell(before: Basis, after: Basis, criteria: Criteria) -> bool:
    """False where the verdicts on both are the same for sure: more of what a rule counts came, and is still too few."""
    same = before.first is after.first and before.history is after.history and before.email is after.email
    if not (same and before.opted_in is after.opted_in and before.intent is after.intent):
        return True
    changed = (rule for rule in criteria.rules if before.earned.get(rule.key) is not after.earned.get(rule.key))
    return any(len(after.earned[rule.key]) >= rule.needed for rule in changed)


def _line(rule: Priced, since: Instant, evidence: Evidence) -> Earned:
    return Earned(rule.id, rule.group, rule.milli, time_of(since), evidence)


def _counted(basis: Basis, criteria: Criteria) -> dict[str, tuple[Instant, Evidence]]:
    """Id of each rule that counts engagements and has enough -> since when it has, and which."""
    enough = ((rule, basis.earned.get(rule.key, ())[: rule.needed]) for rule in criteria.rules if rule.test is None)
    return {rule.id: (instant_of(places[-1]), places) for rule, places in enough if len(places) == rule.needed}


def _changes(basis: Basis, counted: dict[str, tuple[Instant, Evidence]]) -> dict[Instant, dict[str, Statement]]:
    """Every instant at which the score can have changed, with the attributes that took another value then."""
    changes: dict[Instant, dict[str, Statement]] = {instant: {} for instant, _ in counted.values()}
    if basis.first is not None:
        changes.setdefault(instant_of(basis.first), {})
    for attribute, history in basis.history.items():
        before: Value | None = None
        for statement in history:
            if statement.value != before:
                changes.setdefault(instant_of(statement.place), {})[attribute] = statement
                before = statement.value
    return changes


def _paying(
    criteria: Criteria,
    values: dict[str, Statement],
    counted: dict[str, tuple[Instant, Evidence]],
    instant: Instant,
) -> list[tuple[Priced, Evidence]]:
    """The rules that give points at `instant`, in the policy's order; of exclusive ones the first."""
    paying: list[tuple[Priced, Evidence]] = []
    taken: set[str] = set()
    for rule in criteria.rules:
        if rule.exclusive in taken:
            continue
        if rule.test is not None:
            statement = values.get(rule.test.attribute)
            evidence: Evidence = (statement.place,) if statement and rule.test.holds(statement.value) else ()
        else:
            since, places = counted.get(rule.id, (None, ()))
            evidence = places if since is not None and since <= instant else ()
        if evidence:
            paying.append((rule, evidence))
            if rule.exclusive is not None:
                taken.add(rule.exclusive)
    return paying


def _holding(
    criteria: Criteria, values: dict[str, Statement], paying: list[tuple[Priced, Evidence]]
) -> Iterator[tuple[str, Evidence]]:
    """Names of all that holds, each with the facts by which it does where a line tells them."""
    for rule, evidence in paying:
        yield f"rule:{rule.id}", evidence
    for band in _bands(criteria, sum(rule.milli for rule, _ in paying)):
        yield f"band:{band}", ()
    if any(rule.test is None for rule, _ in paying):
        yield "engaged", ()
    if criteria.profile and all(
        (statement := values.get(test.attribute)) is not None and test.holds(statement.value)
        for test in criteria.profile
    ):
        yield "fit_profile", ()


def _bands(criteria: Criteria, milli: int) -> list[str]:
    """The bands that the score is in or above, the lowest first."""
    lowest, *others = criteria.bands
    return [lowest.name, *(band.name for band in others if band.least.holds(milli / 1000))]
