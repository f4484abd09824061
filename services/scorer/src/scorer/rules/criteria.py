"""A policy's scoring, made ready once so that judging an event takes a look-up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from schemas.policy import AttributeMatch, Band, EngagementMatch, Policy, Rule
from schemas.scores import Group, PolicyRef

Value = int | str
CODE_LENGTH = 100
"""Characters of a code that count; bounds what a lead's state can hold."""


def code_of(value: Value) -> Value:
    """A text as policies spell it: "Financial Services" is financial_services. Numbers stay."""
    return value if isinstance(value, int) else re.sub(r"[\s_-]+", "_", value.strip().lower())[:CODE_LENGTH]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Engagements about `content` (absent: any) that rules count: the earliest `most` are enough for all of them."""

    key: str
    content: str | None
    most: int


@dataclass(frozen=True, slots=True)
class Test:
    """A condition on an attribute's value in force."""

    attribute: str
    low: int = 0
    high: int = 0
    codes: frozenset[Value] = frozenset()

    def holds(self, value: Value) -> bool:
        """Whether a value as `code_of` gives it passes."""
        if isinstance(value, int) and not self.codes:
            return self.low <= value <= self.high
        return value in self.codes


@dataclass(frozen=True, slots=True)
class Priced:
    """A rule of the policy: `milli` thousandths of a point while `test` holds, or `needed` engagements are there."""

    id: str
    group: Group
    milli: int
    exclusive: str | None
    test: Test | None
    key: str = ""
    needed: int = 0


@dataclass(frozen=True, slots=True)
class Criteria:
    """All that scoring asks of a policy. `collects` names what a tally gathers for it and nothing else.

    Policies that differ in points, bands or exclusion alone collect the same, so one tally serves them all.
    """

    policy: PolicyRef
    rules: tuple[Priced, ...]
    bands: tuple[Band, ...]
    profile: tuple[Test, ...]
    wanted: Mapping[str, tuple[Wanted, ...]]
    high_intent: frozenset[str]
    attributes: frozenset[str]
    collects: str

    def names(self, kind: str, content: str | None) -> bool:
        """Whether a rule or the list of high intent asks for such an engagement."""
        wanted = self.wanted.get(kind)
        if wanted is None:
            return kind in self.high_intent
        return any(want.content is None or want.content == content for want in wanted) or kind in self.high_intent

    @classmethod
    def of(cls, policy: Policy) -> Criteria:
        scoring = policy.scoring
        rules = tuple(_priced(rule) for rule in scoring.rules)
        profile = tuple(_test(match) for match in scoring.profile)
        wanted = _wanted(scoring.rules)
        attributes = {test.attribute for test in (*profile, *(rule.test for rule in rules if rule.test))}
        collected = [f"{want.key}*{want.most}" for wants in wanted.values() for want in wants]
        collected += [f"intent:{kind}" for kind in scoring.high_intent] + [f"attribute:{name}" for name in attributes]
        return cls(
            policy=policy.ref,
            rules=rules,
            bands=scoring.bands,
            profile=profile,
            wanted=wanted,
            high_intent=frozenset(scoring.high_intent),
            attributes=frozenset(attributes),
            collects=blake2b("\n".join(sorted(collected)).encode(), digest_size=6).hexdigest(),
        )


def _priced(rule: Rule) -> Priced:
    milli = round(rule.points * 1000)
    if rule.engagement is None:
        assert rule.attribute is not None  # noqa: S101 - the policy's own validation
        return Priced(rule.id, rule.group, milli, rule.exclusive, _test(rule.attribute))
    return Priced(rule.id, rule.group, milli, rule.exclusive, None, _key(rule.engagement), rule.needed)


def _test(match: AttributeMatch) -> Test:
    if match.between is not None:
        return Test(match.name, *match.between)
    return Test(match.name, codes=frozenset(code_of(text) for text in match.is_ or ()))


def _key(match: EngagementMatch) -> str:
    return match.kind if match.content is None else f"{match.kind}/{match.content}"


def _wanted(rules: tuple[Rule, ...]) -> dict[str, tuple[Wanted, ...]]:
    """Kind -> what is wanted of it; rules that count the same engagements share one list."""
    most: dict[EngagementMatch, int] = {}
    for rule in rules:
        if rule.engagement is not None:
            most[rule.engagement] = max(rule.needed, most.get(rule.engagement, 0))
    kinds = {match.kind for match in most}
    return {
        kind: tuple(Wanted(_key(match), match.content, n) for match, n in most.items() if match.kind == kind)
        for kind in sorted(kinds)
    }
