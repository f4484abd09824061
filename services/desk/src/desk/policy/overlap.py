"""Which rules of a policy can pay, which can be true of the same lead, and the most points a lead can have."""

from __future__ import annotations

from functools import cached_property
from itertools import combinations

from schemas.engagements import LARGEST_COMPANY, SizeRange
from schemas.policy import Policy
from scorer.rules.criteria import Criteria, Priced, Test, Value
from scorer.rules.sizes import text_of


class Overlap:
    """The rules of one policy, by their index in it.

    Attributes are compared value by value; of values that every rule treats alike the first stands for all. A range of
    sizes is a value too: it may pass one test only where each number in it passes another one as well. `held` has the
    values that pass each test.
    """

    def __init__(self, policy: Policy) -> None:
        criteria = Criteria.of(policy)
        self.rules = policy.scoring.rules
        self._begins = policy.effective_from
        self._groups, self._total = criteria.groups, criteria.total
        self.priced = criteria.rules
        self.profile = criteria.profile
        tests = {test for test in (*criteria.profile, *(rule.test for rule in criteria.rules)) if test}
        self._values = {name: _told_apart([t for t in tests if t.attribute == name]) for name in criteria.attributes}
        self.held = {test: frozenset(filter(test.holds, self._values[test.attribute])) for test in tests}

    def meet(self, i: int, j: int) -> bool:
        """Whether one value, or one engagement, counts for both rules at some instant."""
        if not self._coincide(i, j):
            return False
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
        """The earlier rules with the same `exclusive` that can be true together with this one."""
        word = self.rules[j].exclusive
        return [i for i in range(j) if word and self.rules[i].exclusive == word and self.meet(i, j)]

    def over(self, j: int) -> bool:
        """Whether the rule has ended when the policy begins."""
        end = self.rules[j].valid_to
        return end is not None and end <= self._begins

    def instead(self, j: int) -> list[int] | None:
        """None for a rule that can pay; else the earlier rules of which one pays whenever this one is true.

        An empty list: it is never true.
        """
        if self.over(j):
            return []
        test, rivals = self.priced[j].test, [i for i in self.rivals(j) if self._outlasts(i, j)]
        if test is None:
            return [i for i in rivals if self._includes(i, j)] or None
        left = self.held[test].difference(*(self.shared(i, j) or () for i in rivals))
        return None if left else rivals

    @cached_property
    def live(self) -> list[Priced]:
        """The rules that can pay."""
        return [rule for j, rule in enumerate(self.priced) if self.instead(j) is None]

    @cached_property
    def highest(self) -> float:
        """An upper bound of a lead's points; points lost by a negative rule are not subtracted.

        Each bounded group by itself, the others together: a value that loses in one of those may gain in another.
        """
        milli = self._most([rule for rule in self.live if rule.group not in self._groups])
        for group, bounds in self._groups.items():
            rules = [rule for rule in self.live if rule.group == group]
            milli += max(0, bounds.within(self._most(rules))) if rules else 0
        return self._total.within(milli) / 1000

    def _most(self, rules: list[Priced]) -> int:
        """An upper bound of the thousandths of these rules together, at least 0."""
        free = [rule for rule in rules if not rule.exclusive]
        words = {rule.exclusive for rule in rules if rule.exclusive}
        milli = sum(max(0, *(rule.most for rule in rules if rule.exclusive == word)) for word in words)
        milli += sum(max(0, rule.most) for rule in free if rule.test is None)
        return milli + sum(max((0, *(_worth(free, name, v) for v in vs))) for name, vs in self._values.items())

    def _coincide(self, i: int, j: int) -> bool:
        """Whether both rules pay at some instant from the policy's beginning on, by their dates."""
        rules = (self.rules[i], self.rules[j])
        ends = [rule.valid_to for rule in rules if rule.valid_to]
        begin = max(self._begins, *(rule.valid_from or self._begins for rule in rules))
        return not ends or begin < min(ends)

    def _outlasts(self, i: int, j: int) -> bool:
        """Whether rule i pays, by its dates, at every instant of the policy at which rule j does."""
        one, other, first = self.rules[i], self.rules[j], self._begins
        begins = max(first, one.valid_from or first) <= max(first, other.valid_from or first)
        return begins and (one.valid_to is None or (other.valid_to is not None and other.valid_to <= one.valid_to))

    def _includes(self, i: int, j: int) -> bool:
        """Whether rule i pays whenever engagements make rule j pay, given that the two meet.

        What decays, or leaves a window earlier than the other's, may be gone by then. One session with engagements of
        several contents may be several sessions of one content.
        """
        one, other = self.rules[i], self.rules[j]
        same, window = one.engagement == other.engagement, one.count.window
        assert one.engagement is not None  # noqa: S101 - only rules about engagements meet one
        if one.decay or one.needed > other.needed or not (same or one.engagement.content is None):
            return False
        if window is not None and (other.count.window is None or window < other.count.window):
            return False
        if one.count_by == "event" or (one.needed == 1 and window is None):
            return True
        return same and other.count_by == "session"


def _told_apart(tests: list[Test]) -> frozenset[Value]:
    """One value for all that these tests judge alike; it may lack one for those that fail every test."""
    if any(test.attribute != "company_size" for test in tests):
        return frozenset(code for test in tests for code in test.codes)
    edges = sorted({0, *(edge for test in tests for edge in (test.low, test.high + 1))})
    sizes = [edge for edge in edges if 0 <= edge <= LARGEST_COMPANY]
    within = ([size for size in sizes if test.holds(size)] for test in tests)
    ranges = {SizeRange(least=least, most=most) for some in within for least, most in combinations(some, 2)}
    return frozenset(sizes) | {text for each in ranges if (text := text_of(each))}


def _worth(rules: list[Priced], attribute: str, value: Value) -> int:
    """The rules' sum for a lead with this value; negative points that apply only at times may be left out."""
    tests = ((rule.milli, rule.test) for rule in rules if rule.milli > 0 or not rule.timed)
    return sum(milli for milli, test in tests if test and test.attribute == attribute and test.holds(value))
