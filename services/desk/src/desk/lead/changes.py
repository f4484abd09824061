"""Changes that can make a rule pay or no longer pay: engagements still to come, attributes that take another value."""

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
from scorer.rules.pay import counted, pays_at
from scorer.rules.place import Instant

SIZE = "company_size"
"""The attribute that is a number."""
EACH = 5
"""More engagements of a rule that pays for each are not proposed at once."""
SOURCE = "baton/what-if"
LEAD = str(UUID(int=0))
"""Whose the facts of a change are; scoring does not ask."""


@dataclass(frozen=True, slots=True)
class Engagements:
    """`more` engagements of a kind (about `content`; absent: any) beside the `counted` ones that there are."""

    kind: str
    content: str | None
    more: int
    counted: int
    apart: bool = False
    """Each in a session of its own."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """The attribute takes another value: any `between` (both ends included), any that `one_of` or `none_of` allows."""

    attribute: str
    between: tuple[tuple[int, int], ...] = ()
    one_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()


Change = Engagements | Attribute


@dataclass(frozen=True, slots=True)
class Option:
    """A change to choose, of those with the same `place` one; it gains the lead `hope` milli-points at most."""

    place: str
    change: Change
    hope: int


class Standing(NamedTuple):
    """How a lead stands at an instant."""

    basis: Basis
    criteria: Criteria
    instant: Instant


def options(standing: Standing) -> Iterator[Option]:
    """Every change that can make a rule pay more or less: engagements first."""
    basis, criteria, instant = standing
    paying = {pay.rule.id: pay.net for pay in pays_at(basis, criteria, instant)}
    places: set[tuple[str, str | None]] = set()
    for kind, wants in criteria.wanted.items():
        for want in wants:
            if (kind, want.content) in places:
                continue
            places.add((kind, want.content))
            rules = _counting(kind, want.content, criteria)
            apart = any(rule.session for rule in rules)
            have = max(counted(rule, basis, instant) for rule in rules)
            hope = _hope(rules, criteria, paying)
            for more in steps(kind, want.content, standing):
                change = Engagements(kind, want.content, more, have, apart)
                yield Option(f"{kind}/{want.content}", change, hope)
    asked: dict[str, list[Priced]] = {}
    for rule in criteria.rules:
        if rule.test is not None:
            asked.setdefault(rule.test.attribute, []).append(rule)
    for attribute, rules in asked.items():
        tests = [rule.test for rule in rules if rule.test is not None]
        known = basis.values.get(attribute)
        now = tuple(known is not None and test.holds(known.value) for test in tests)
        values = _sizes(tests) if attribute == SIZE else _codes(attribute, tests)
        hope = _hope(rules, criteria, paying)
        yield from (Option(f"attribute {attribute}", change, hope) for held, change in values.items() if held != now)


def facts_of(change: Change, instant: datetime) -> list[Fact]:
    """What a scorer is given when the change comes at `instant`; of the values that it allows one."""
    return [Fact(event, event.time, False, b"", b"", event.time) for event in _events(change, instant)]


def steps(kind: str, content: str | None, standing: Standing, others: Iterable[Change] = ()) -> list[int]:
    """How many more such engagements, beside the others, make a rule pay more, the fewest first.

    One more is enough to make anew what fades; of a rule that pays for each, up to EACH more.
    """
    beside = sum(other.more for other in others if isinstance(other, Engagements) and other.kind == kind)
    found: set[int] = set()
    for rule in _counting(kind, content, standing.criteria):
        if rule.cap is not None:
            found |= set(range(1, EACH + 1))
        else:
            have = counted(rule, standing.basis, standing.instant) + (beside if rule.content is None else 0)
            found |= {rule.needed - have, *([1] if rule.fading else [])}
    return sorted(step for step in found if step > 0)


def ceiling(rules: Iterable[Priced]) -> int:
    """More than this the rules cannot give together, in milli-points: of exclusive ones one pays."""
    best: dict[tuple[bool, str], int] = {}
    for rule in rules:
        word = (rule.exclusive is None, rule.exclusive or rule.id)
        best[word] = max(best.get(word, 0), rule.most)
    return sum(best.values())


def _counting(kind: str, content: str | None, criteria: Criteria) -> list[Priced]:
    """The rules that such an engagement counts for."""
    keys = {want.key for want in criteria.wanted[kind] if want.content in (None, content)}
    return [rule for rule in criteria.rules if rule.key in keys]


def _hope(rules: Sequence[Priced], criteria: Criteria, paying: Mapping[str, int]) -> int:
    """What the lead can gain at most when any of these rules is switched, and with it those that it excludes."""
    words = {rule.exclusive for rule in rules} - {None}
    switched = [rule for rule in criteria.rules if rule in rules or rule.exclusive in words]
    return ceiling(switched) - sum(paying.get(rule.id, 0) for rule in switched)


def _sizes(tests: Sequence[Test]) -> Mapping[tuple[bool, ...], Attribute]:
    """Company sizes by which of the tests hold."""
    cuts = {cut for test in tests if not test.codes for cut in (test.low, test.high + 1)}
    ranges: dict[tuple[bool, ...], list[tuple[int, int]]] = {}
    for low, after in pairwise([0, *sorted(cut for cut in cuts if 0 < cut <= LARGEST_COMPANY), LARGEST_COMPANY + 1]):
        ranges.setdefault(tuple(test.holds(low) for test in tests), []).append((low, after - 1))
    return {held: Attribute(SIZE, between=tuple(within)) for held, within in ranges.items()}


def _codes(attribute: str, tests: Sequence[Test]) -> Mapping[tuple[bool, ...], Attribute]:
    """The attribute's values by which of the tests hold; those that no test names are one."""
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
