"""Changes that can make a rule pay or stop paying: further engagements, other values of attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count, pairwise
from typing import NamedTuple
from uuid import UUID

from schemas.engagements import LARGEST_COMPANY, Description, Engagement, EngagementRecorded, LeadDescribed
from schemas.envelope import Envelope, Fact
from schemas.identity import derived_id
from schemas.scoring import SESSION
from scorer.rules.basis import Basis
from scorer.rules.criteria import Criteria, Priced, Test, Value
from scorer.rules.order import Instant
from scorer.rules.pay import counted, pays_at

SIZE = "company_size"
"""The attribute that is a number."""
EACH = 5
"""Most further engagements proposed at once for a rule that pays per event."""
SOURCE = "baton/what-if"
LEAD = str(UUID(int=0))
"""The lead of a change's facts, which scoring does not use."""


@dataclass(frozen=True, slots=True)
class Engagements:
    """`more` engagements of a kind (about `content`; absent: any) beside the `counted` ones."""

    kind: str
    content: str | None
    more: int
    counted: int
    apart: bool = False
    """Each in its own session."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """Another value of the attribute: any `between` (both ends included), or any that `one_of` or `none_of` allows."""

    attribute: str
    between: tuple[tuple[int, int], ...] = ()
    one_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()


Change = Engagements | Attribute


@dataclass(frozen=True, slots=True)
class Option:
    """A change to choose; of those with the same `slot` at most one. It gains at most `max_gain` thousandths."""

    slot: str
    change: Change
    max_gain: int


class Case(NamedTuple):
    """A lead's basis at an instant, under criteria."""

    basis: Basis
    criteria: Criteria
    instant: Instant


def options(case: Case) -> Iterator[Option]:
    """Every change that can make a rule pay more or less; engagements first."""
    basis, criteria, instant = case
    paying = {pay.rule.id: pay.net for pay in pays_at(basis, criteria, instant)}
    slots: set[tuple[str, str | None]] = set()
    for kind, wants in criteria.wanted.items():
        for want in wants:
            if (kind, want.content) in slots:
                continue
            slots.add((kind, want.content))
            rules = _counting(kind, want.content, criteria)
            apart = any(rule.session for rule in rules)
            have = max(counted(rule, basis, instant) for rule in rules)
            max_gain = _max_gain(rules, criteria, paying)
            for more in steps(kind, want.content, case):
                change = Engagements(kind, want.content, more, have, apart)
                yield Option(f"{kind}/{want.content}", change, max_gain)
    asked: dict[str, list[Priced]] = {}
    for rule in criteria.rules:
        if rule.test is not None:
            asked.setdefault(rule.test.attribute, []).append(rule)
    for attribute, rules in asked.items():
        tests = [rule.test for rule in rules if rule.test is not None]
        known = basis.values.get(attribute)
        now = tuple(known is not None and test.holds(known.value) for test in tests)
        values = _sizes(tests) if attribute == SIZE else _codes(attribute, tests)
        max_gain = _max_gain(rules, criteria, paying)
        yield from (
            Option(f"attribute {attribute}", change, max_gain) for held, change in values.items() if held != now
        )


def facts_of(change: Change, instant: datetime) -> list[Fact]:
    """The facts of the change at `instant`; for an attribute, of one of the values that it allows."""
    return [Fact(event, event.time, False, b"", b"", event.time) for event in _events(change, instant)]


def steps(kind: str, content: str | None, case: Case, others: Iterable[Change] = ()) -> list[int]:
    """How many more such engagements, beside the others, make a rule pay more, the fewest first.

    For a rule that decays one more suffices; for one that pays per event up to EACH more.
    """
    beside = sum(other.more for other in others if isinstance(other, Engagements) and other.kind == kind)
    found: set[int] = set()
    for rule in _counting(kind, content, case.criteria):
        if rule.cap is not None:
            found |= set(range(1, EACH + 1))
        else:
            have = counted(rule, case.basis, case.instant) + (beside if rule.content is None else 0)
            found |= {rule.needed - have, *([1] if rule.fading else [])}
    return sorted(step for step in found if step > 0)


def ceiling(rules: Iterable[Priced]) -> int:
    """An upper bound of the rules' sum, in thousandths; of exclusive rules only one pays."""
    best: dict[tuple[bool, str], int] = {}
    for rule in rules:
        word = (rule.exclusive is None, rule.exclusive or rule.id)
        best[word] = max(best.get(word, 0), rule.most)
    return sum(best.values())


def _counting(kind: str, content: str | None, criteria: Criteria) -> list[Priced]:
    """The rules that such an engagement counts for."""
    keys = {want.key for want in criteria.wanted[kind] if want.content in (None, content)}
    return [rule for rule in criteria.rules if rule.key in keys]


def _max_gain(rules: Sequence[Priced], criteria: Criteria, paying: Mapping[str, int]) -> int:
    """The most that the lead can gain when one of these rules starts or stops paying, and those that it excludes."""
    words = {rule.exclusive for rule in rules} - {None}
    switched = [rule for rule in criteria.rules if rule in rules or rule.exclusive in words]
    return ceiling(switched) - sum(paying.get(rule.id, 0) for rule in switched)


def _sizes(tests: Sequence[Test]) -> Mapping[tuple[bool, ...], Attribute]:
    """Company sizes, grouped by which of the tests pass."""
    cuts = {cut for test in tests if not test.codes for cut in (test.low, test.high + 1)}
    ranges: dict[tuple[bool, ...], list[tuple[int, int]]] = {}
    for low, after in pairwise([0, *sorted(cut for cut in cuts if 0 < cut <= LARGEST_COMPANY), LARGEST_COMPANY + 1]):
        ranges.setdefault(tuple(test.holds(low) for test in tests), []).append((low, after - 1))
    return {held: Attribute(SIZE, between=tuple(within)) for held, within in ranges.items()}


def _codes(attribute: str, tests: Sequence[Test]) -> Mapping[tuple[bool, ...], Attribute]:
    """The attribute's values, grouped by which of the tests pass; those that no test names are one group."""
    named = sorted(str(code) for code in frozenset[Value]().union(*(test.codes for test in tests)))
    codes: dict[tuple[bool, ...], list[str]] = {}
    for code in named:
        codes.setdefault(tuple(test.holds(code) for test in tests), []).append(code)
    by_tests = {held: Attribute(attribute, one_of=tuple(same)) for held, same in codes.items()}
    return {**by_tests, (False,) * len(tests): Attribute(attribute, none_of=tuple(named))}


def _events(change: Change, instant: datetime) -> Iterator[Envelope]:
    if isinstance(change, Engagements):
        data = Engagement(kind=change.kind, content=change.content)
        for number in range(change.more):
            time = instant + (number + 1) * SESSION if change.apart else instant
            name = derived_id(SOURCE, change.kind, change.content, number)
            yield EngagementRecorded(id=name, source=SOURCE, subject=LEAD, time=time, data=data)
    else:
        described = Description.model_validate({change.attribute: _value(change)})
        yield LeadDescribed(id=change.attribute, source=SOURCE, subject=LEAD, time=instant, data=described)


def _value(change: Attribute) -> Value:
    if change.between:
        return change.between[0][0]
    if change.one_of:
        return change.one_of[0]
    return next(code for number in count() if (code := f"other_{number}") not in change.none_of)
