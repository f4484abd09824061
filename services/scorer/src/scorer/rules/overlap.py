"""Which rules of a policy can pay, which are true of the same lead, and what a lead can have at most."""

from __future__ import annotations

from functools import cached_property

from schemas.policy import Policy
from scorer.rules.criteria import Criteria, Priced, Test, Value

LARGEST = 10_000_000
"""The largest company_size that schemas.engagements.Description takes."""


class Overlap:
    """The rules of one policy side by side, by their places in it.

    Attributes are compared value by value: of values that no rule can tell apart the first stands for all. `held` has
    those that pass each test.
    """

    def __init__(self, policy: Policy) -> None:
        criteria = Criteria.of(policy)
        self.rules = policy.scoring.rules
        self.priced = criteria.rules
        self.profile = criteria.profile
        tests = {test for test in (*criteria.profile, *(rule.test for rule in criteria.rules)) if test}
        self._values = {name: _told_apart([t for t in tests if t.attribute == name]) for name in criteria.attributes}
        self.held = {test: frozenset(filter(test.holds, self._values[test.attribute])) for test in tests}

    def meet(self, i: int, j: int) -> bool:
        """Whether one value, or one engagement, counts for both rules."""
        if (shared := self.shared(i, j)) is not None:
            return bool(shared)
        one, other = self.rules[i].engagement, self.rules[j].engagement
        if one is None or other is None or one.kind != other.kind:
            return False
        return one.content is None or other.content is None or one.content == other.content

    def shared(self, i: int, j: int) -> frozenset[Value] | None:
        """The values that count for both rules, None unless both ask for the same attribute."""
        one, other = self.priced[i].test, self.priced[j].test
        if one is None or other is None or one.attribute != other.attribute:
            return None
        return self.held[one] & self.held[other]

    def rivals(self, j: int) -> list[int]:
        """The earlier rules of the same exclusive word that can be true together with this one."""
        word = self.rules[j].exclusive
        return [i for i in range(j) if word and self.rules[i].exclusive == word and self.meet(i, j)]

    def instead(self, j: int) -> list[int] | None:
        """None for a rule that can pay; else the earlier rules one of which pays whenever this one is true.

        An empty list: it never is.
        """
        test, rivals = self.priced[j].test, self.rivals(j)
        if test is None:
            return [i for i in rivals if self._includes(i, j)] or None
        left = self.held[test].difference(*(self.shared(i, j) or () for i in rivals))
        return None if left else rivals

    @cached_property
    def highest(self) -> float:
        """Points that no lead can have more of; what only a negative rule keeps a lead from is not taken off."""
        live = [rule for j, rule in enumerate(self.priced) if self.instead(j) is None]
        free = [rule for rule in live if not rule.exclusive]
        words = {rule.exclusive for rule in live if rule.exclusive}
        milli = sum(max(0, *(rule.milli for rule in live if rule.exclusive == word)) for word in words)
        milli += sum(max(0, rule.milli) for rule in free if rule.test is None)
        milli += sum(max((0, *(_worth(free, name, v) for v in values))) for name, values in self._values.items())
        return milli / 1000

    def _includes(self, i: int, j: int) -> bool:
        """Whether the engagements that are enough for rule j are enough for rule i, given that the two meet."""
        one, other = self.rules[i].engagement, self.rules[j].engagement
        assert one is not None  # noqa: S101 - only rules about engagements meet one
        return self.rules[i].needed <= self.rules[j].needed and (one.content is None or one == other)


def _told_apart(tests: list[Test]) -> frozenset[Value]:
    """One value for all of the attribute's that these tests judge alike; those that fail every test may lack one."""
    if any(test.attribute != "company_size" for test in tests):
        return frozenset(code for test in tests for code in test.codes)
    edges = {0, *(edge for test in tests for edge in (test.low, test.high + 1))}
    return frozenset(edge for edge in edges if 0 <= edge <= LARGEST)


def _worth(rules: list[Priced], attribute: str, value: Value) -> int:
    tests = ((rule.milli, rule.test) for rule in rules)
    return sum(milli for milli, test in tests if test and test.attribute == attribute and test.holds(value))
