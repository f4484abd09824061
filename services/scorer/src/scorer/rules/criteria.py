"""A policy's scoring, prepared once so that an event takes look-ups only."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from itertools import count

from schemas.policy import Policy
from schemas.scores import Group, PolicyRef
from schemas.scoring import AttributeMatch, Band, EngagementMatch, Rule
from schemas.terms import Bound
from scorer.rules.decay import Fading
from scorer.rules.order import Instant, text_of
from scorer.rules.sizes import ends_of

Value = int | str
CODE_LENGTH = 100
"""Characters of a code that count; it bounds a lead's state."""


def code_of(value: Value) -> Value:
    """A text in the spelling of policies: "Financial Services" is financial_services. Numbers are unchanged."""
    return value if isinstance(value, int) else re.sub(r"[\s_-]+", "_", value.strip().lower())[:CODE_LENGTH]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Engagements about `content` (absent: any) that rules count; `most` of them suffice for all those rules.

    `latest`: the latest ones, for rules whose points decay or have a window; else the earliest, which never change
    again.
    """

    key: str
    content: str | None
    most: int
    latest: bool
    session: bool

    def full(self, count: int) -> bool:
        """Whether engagements after the first `count` have no effect."""
        return not self.latest and count == self.most > 0


@dataclass(frozen=True, slots=True)
class Test:
    """A condition on an attribute's value in force."""

    attribute: str
    low: int = 0
    high: int = 0
    codes: frozenset[str] = frozenset()

    def holds(self, value: Value) -> bool:
        """Whether a value as `code_of` returns it passes; a range passes if all of it does."""
        if isinstance(value, int):
            return self.low <= value <= self.high
        if self.codes:
            return value in self.codes
        least, most = ends_of(value)
        return self.low <= least and most <= self.high


@dataclass(frozen=True, slots=True)
class Priced:
    """A rule of the policy: `milli` thousandths while `test` is true, or once `needed` engagements are there.

    `cap`, only of a rule that pays per event: most thousandths, of either sign; `day_cap` the same within a UTC day.
    """

    id: str
    group: Group
    milli: int
    exclusive: str | None
    test: Test | None
    key: str = ""
    needed: int = 0
    window: timedelta | None = None
    fading: Fading | None = None
    content: str | None = None
    session: bool = False
    cap: int | None = None
    day_cap: int | None = None
    start: Instant | None = None
    end: Instant | None = None

    @property
    def most(self) -> int:
        """The most thousandths that it gives, or that it takes, if it takes points."""
        return self.milli if self.cap is None else self.cap if self.milli > 0 else -self.cap

    @property
    def timed(self) -> bool:
        """Whether its points change with time alone."""
        return any(each is not None for each in (self.window, self.fading, self.start, self.end))


@dataclass(frozen=True, slots=True)
class Bounds:
    """Least and most thousandths of a group; None: no bound."""

    least: int | None
    most: int | None

    def within(self, milli: int) -> int:
        milli = milli if self.most is None else min(milli, self.most)
        return milli if self.least is None else max(milli, self.least)


@dataclass(frozen=True, slots=True)
class Criteria:
    """All that scoring needs of a policy. A tally belongs to one `digest`; under another it is folded anew."""

    policy: PolicyRef
    rules: tuple[Priced, ...]
    timed: tuple[Priced, ...]
    groups: Mapping[Group, Bounds]
    total: Bounds
    bands: tuple[Band, ...]
    profile: tuple[Test, ...]
    wanted: Mapping[str, tuple[Wanted, ...]]
    each: Mapping[str, tuple[Priced, ...]]
    """Key of engagements -> the rules that pay per event for them."""
    high_intent: frozenset[str]
    attributes: frozenset[str]
    digest: str
    floors: tuple[int, ...]
    """The least thousandths of each band but the lowest, which has no floor."""

    def bands_at(self, milli: int) -> list[str]:
        """The score's band and those below it, the lowest first."""
        return [band.name for band in self.bands[: 1 + bisect_right(self.floors, milli)]]

    def band_of(self, milli: int) -> tuple[float, float]:
        """The least and the most thousandths of the score's band."""
        index = bisect_right(self.floors, milli)
        return (
            self.floors[index - 1] if index else -math.inf,
            self.floors[index] - 1 if index < len(self.floors) else math.inf,
        )

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of engagements that a rule or the list of high intent asks for."""
        return self.high_intent | self.wanted.keys()

    def names(self, kind: str, content: str | None) -> bool:
        """Whether a rule or the list of high intent asks for such an engagement."""
        for wanted in self.wanted.get(kind, ()):  # no generator: called for every page view
            if wanted.content is None or wanted.content == content:
                return True
        return kind in self.high_intent

    @classmethod
    def of(cls, policy: Policy) -> Criteria:
        scoring = policy.scoring
        rules = tuple(_priced(rule) for rule in scoring.rules)
        profile = tuple(_test(match) for match in scoring.profile)
        tests = (*profile, *(rule.test for rule in rules if rule.test))
        each: dict[str, tuple[Priced, ...]] = {}
        for rule in rules:
            if rule.cap is not None:
                each[rule.key] = (*each.get(rule.key, ()), rule)
        return cls(
            policy=policy.ref,
            rules=rules,
            timed=tuple(rule for rule in rules if rule.timed),
            groups={name: Bounds(_milli(clamp.min), _milli(clamp.max)) for name, clamp in scoring.groups.items()},
            total=Bounds(0, _milli(scoring.max)),
            bands=scoring.bands,
            profile=profile,
            wanted=_wanted(scoring.rules),
            each=each,
            high_intent=frozenset(scoring.high_intent),
            attributes=frozenset(test.attribute for test in tests),
            digest=blake2b(
                scoring.model_dump_json(exclude={"rules": {"__all__": {"because"}}}).encode(), digest_size=6
            ).hexdigest(),
            floors=tuple(_floor(band.least) for band in scoring.bands[1:]),
        )


def _milli(points: float | None) -> int | None:
    return None if points is None else round(points * 1000)


def _floor(least: Bound) -> int:
    """The least thousandths that pass the bound."""
    floor = math.floor(least.n * 1000) - 1
    return next(milli for milli in count(floor) if least.holds(milli / 1000))


def _priced(rule: Rule) -> Priced:
    milli = round(rule.points * 1000)
    start, end = (None if each is None else text_of(each) for each in (rule.valid_from, rule.valid_to))
    if rule.engagement is None:
        assert rule.attribute is not None  # noqa: S101 - the policy's own validation
        return Priced(rule.id, rule.group, milli, rule.exclusive, _test(rule.attribute), start=start, end=end)
    return Priced(
        rule.id,
        rule.group,
        milli,
        rule.exclusive,
        None,
        _key(rule),
        rule.needed,
        rule.count.window,
        Fading.of(rule.decay),
        rule.engagement.content,
        _by_session(rule),
        _milli(rule.total_cap),
        _milli(rule.per_day_cap),
        start,
        end,
    )


def _test(match: AttributeMatch) -> Test:
    if match.between is not None:
        return Test(match.name, *match.between)
    return Test(match.name, codes=frozenset(str(code_of(text)) for text in match.is_ or ()))


def _key(rule: Rule) -> str:
    """Equal for rules that count the same engagements in the same way."""
    match = rule.engagement
    assert match is not None  # noqa: S101 - asked of such rules only
    what = match.kind if match.content is None else f"{match.kind}/{match.content}"
    how = ["each"] * (rule.award == "per_event") + ["latest"] * _latest(rule) + ["session"] * _by_session(rule)
    return " ".join([what, *how])


def _by_session(rule: Rule) -> bool:
    return rule.count_by == "session"


def _latest(rule: Rule) -> bool:
    return rule.award == "once" and (rule.count.window is not None or rule.decay is not None)


def _wanted(rules: tuple[Rule, ...]) -> dict[str, tuple[Wanted, ...]]:
    """Kind -> the engagements that rules count of it; rules that count the same share one entry."""
    found: dict[str, tuple[EngagementMatch, Wanted]] = {}
    for rule in rules:
        if rule.engagement is not None:
            key = _key(rule)
            most = max(rule.needed, found[key][1].most if key in found else 0) if rule.award == "once" else 0
            found[key] = rule.engagement, Wanted(key, rule.engagement.content, most, _latest(rule), _by_session(rule))
    kinds = {match.kind for match, _ in found.values()}
    return {kind: tuple(want for match, want in found.values() if match.kind == kind) for kind in sorted(kinds)}
