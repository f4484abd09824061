"""The format of a policy: what marketing and sales agreed, as one versioned, effective-dated document.

Sources: business.md B.2 (scoring), B.3 (gate), B.5 (clocks), B.6 (routing).
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from schemas.engagements import Kind
from schemas.envelope import Frozen
from schemas.handoffs import Owner
from schemas.scores import Group, PolicyRef
from schemas.sla import Party

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LONGEST = timedelta(days=36_500)
"""From any instant of today's the calendar has room for it, forwards and back."""
_DURATION = r"^[0-9]{1,9}[smhd]$"


def _duration(text: object) -> object:
    if not isinstance(text, str) or not re.fullmatch(_DURATION, text):
        raise ValueError("a duration is a whole number and a unit: 90s, 30m, 24h or 5d")
    duration = timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])
    if duration > _LONGEST:
        raise ValueError("a duration is a hundred years (36500d) at most")
    return duration


def _whole_days(duration: timedelta) -> timedelta:
    if duration < timedelta(days=1) or duration % timedelta(days=1):
        raise ValueError("ages are counted in whole days: 1d or more")
    return duration


def spelt(duration: timedelta) -> str:
    """The duration as a policy writes it, in the largest unit that fits."""
    seconds = int(duration.total_seconds())
    unit = next(unit for unit, size in _UNITS.items() if seconds % size == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(spelt),
    WithJsonSchema({"type": "string", "pattern": _DURATION}),
]


Days = Annotated[Duration, AfterValidator(_whole_days)]
Cap = Annotated[float, Field(gt=0, le=100_000, multiple_of=0.001)]
MOST_EVENTS = 200
"""Engagements that one rule can pay for at the same time: so many a lead's state may hold."""
SESSION = timedelta(minutes=30)
"""Without an engagement for so long the next one begins a new session (business.md B.2)."""


class Strict(Frozen):
    """Part of a policy; an unknown field is an error, for it is a misspelt one."""

    model_config = ConfigDict(extra="forbid")


class Bound(Strict):
    """A threshold that says itself whether the number is in (business.md CON-1)."""

    op: Literal[">", ">="]
    n: float

    def holds(self, value: float) -> bool:
        return value > self.n if self.op == ">" else value >= self.n


def _unique(what: str, names: list[str]) -> None:
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{what} must be unique: {', '.join(sorted(doubled))}")


class AttributeMatch(Strict):
    """The attribute's value in force is one of `is`, or within `between` (both ends included)."""

    name: Literal["company_size", "industry", "title", "country"]
    between: tuple[int, int] | None = None
    is_: tuple[str, ...] | None = Field(None, alias="is")

    @model_validator(mode="after")
    def _one_test(self) -> AttributeMatch:
        if (self.between is None) == (self.is_ is None):
            raise ValueError("needs exactly one of 'between' and 'is'")
        if self.between and (self.name != "company_size" or self.between[0] > self.between[1]):
            raise ValueError("'between' takes [low, high] of company_size")
        return self


class EngagementMatch(Strict):
    """An engagement of this kind, about this content where one is named; machines' doings never count."""

    kind: Kind
    content: str | None = None


class Decay(Strict):
    """What is left of points at an age of whole elapsed days: of each event by itself, from that event's own time.

    `linear`: points x max(0, 1 - share x age / linear). `half_life`: points x 2^(-age / half_life), rounded half up to
    a thousandth. `expire`: all of them before that age, none from it on.
    """

    linear: Days | None = None
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    half_life: Days | None = None
    expire: Days | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Decay:
        if sum(way is not None for way in (self.linear, self.half_life, self.expire)) != 1:
            raise ValueError("needs exactly one of 'linear', 'half_life' and 'expire'")
        if (self.linear is None) != (self.share is None):
            raise ValueError("'linear' and 'share' go together")
        return self


class Count(Bound):
    """How many engagements it takes; within `window`, where there is one: later than `window` ago, up to now."""

    window: Duration | None = None


class Rule(Strict):
    """A line of the scoring policy, and what it pays at an instant (business.md B.2).

    `award: once` pays the points while enough matching engagements have happened; with a decay it is the latest of
    them whose age counts. `award: per_event` pays for each, in the lead's order, up to the caps, which count points
    before decay: an engagement that found no room pays nothing for ever.
    """

    id: Name
    group: Group
    points: Annotated[float, Field(ge=-1000, le=1000, multiple_of=0.001)]
    attribute: AttributeMatch | None = None
    engagement: EngagementMatch | None = None
    award: Literal["once", "per_event"] = "once"
    count: Count = Field(Count(op=">=", n=1), description="how many distinct engagements it takes")
    count_by: Literal["event", "session"] = Field("event", description="a session ends after 30 minutes without one")
    per_day_cap: Cap | None = Field(None, description="most points, either sign, of the events of one UTC day")
    total_cap: Cap | None = Field(None, description="most points, either sign, of the rule")
    decay: Decay | None = None
    valid_from: AwareDatetime | None = Field(None, description="the rule pays nothing before")
    valid_to: AwareDatetime | None = Field(None, description="nor from this instant on")
    exclusive: Name | None = Field(None, description="of the rules with the same word here the first that holds pays")
    because: str | None = Field(None, description="why these points, for those who did not agree on them")

    @model_validator(mode="after")
    def _one_condition(self) -> Rule:
        if (self.attribute is None) == (self.engagement is None):
            raise ValueError("needs exactly one of 'attribute' and 'engagement'")
        if not self.points:
            raise ValueError("'points' must not be 0: the rule would say nothing")
        if self.needed < 1:
            raise ValueError("'count' must ask for one engagement at least")
        if self.attribute is not None and (self.award, self.count_by, self.decay) != ("once", "event", None):
            raise ValueError("an attribute pays once, without decay, while it holds")
        if self.valid_from and self.valid_to and self.valid_from >= self.valid_to:
            raise ValueError("'valid_to' must be after 'valid_from'")
        return self

    @model_validator(mode="after")
    def _bounded(self) -> Rule:
        if self.award == "once":
            if self.per_day_cap is not None or self.total_cap is not None:
                raise ValueError("caps are for 'award: per_event'")
            return self
        if self.total_cap is None or self.count != Count(op=">=", n=1):
            raise ValueError("'award: per_event' takes a 'total_cap' and no 'count'")
        if not 0 < self.total_cap <= MOST_EVENTS * abs(self.points):
            raise ValueError(f"'total_cap' must not pay for more than {MOST_EVENTS} engagements")
        return self

    @property
    def needed(self) -> int:
        """How many matching engagements make the rule pay."""
        return math.floor(self.count.n) + 1 if self.count.op == ">" else math.ceil(self.count.n)


class Band(Strict):
    """A named range of the score, from `least` up to the next band's."""

    name: Name
    least: Bound


class Clamp(Strict):
    """Bounds of what the rules of a group come to together; 0 is within, so that nobody has points for nothing."""

    min: Annotated[float, Field(le=0)] | None = None
    max: Annotated[float, Field(ge=0)] | None = None


class Scoring(Strict):
    """How points are given, and what the bands are called, lowest first.

    Rule by rule (caps, then decay), then each group within its clamp, then the total within 0 and `max`.
    """

    rules: tuple[Rule, ...]
    groups: dict[Group, Clamp] = Field({}, description="bounds of what a group's rules come to")
    max: Annotated[float, Field(gt=0)] | None = Field(None, description="most points that a lead can have")
    bands: Annotated[tuple[Band, ...], Field(min_length=1)]
    profile: tuple[AttributeMatch, ...] = Field((), description="the target company profile: all must hold")
    high_intent: tuple[Kind, ...] = Field((), description="kinds of engagement that ask for sales")

    @model_validator(mode="after")
    def _in_order(self) -> Scoring:
        _unique("rule ids", [rule.id for rule in self.rules])
        _unique("band names", [band.name for band in self.bands])
        floors = [(band.least.n, band.least.op == ">") for band in self.bands]
        if floors != sorted(set(floors)):
            raise ValueError("bands must rise, the lowest first")
        if any(band.least.holds(0) for band in self.bands[1:]):
            raise ValueError("only the lowest band may begin at 0 or below: no score is below 0")
        return self


class Gate(Strict):
    """The conditions of qualification; an e-mail address is always one of them (business.md B.1)."""

    band: Name = Field(description="the score must be in this band or above")
    double_opt_in: bool = False
    fit_profile: bool = False
    engaged: bool = Field(False, description="at least one scored engagement")
    fast_track: bool = Field(False, description="a high-intent engagement qualifies at any score")
    intent_window: Duration = timedelta(days=7)
    cool_off: Duration = Field(timedelta(days=30), description="rest after an episode's end before the next may open")


class Routing(Strict):
    """Who takes leads, in turn."""

    roster: Annotated[tuple[Owner, ...], Field(min_length=1)]


class ClockRule(Strict):
    """One promise: who owes what, from which event, within which elapsed time (24 x 7)."""

    id: Name
    party: Party
    start: Literal["qualified", "handed_off"]
    stop: Literal["handed_off", "contacted", "decided", "feedback"]
    intent: Literal["high", "low"] | None = Field(None, description="only for leads of this intent; absent: all")
    target: Duration
    warn: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.5, 0.8)


class Policy(Strict):
    """One version of an agreement, in force from `effective_from` until a higher version is."""

    policy: Name
    version: Annotated[int, Field(ge=1)]
    effective_from: AwareDatetime
    about: str
    scoring: Scoring
    gate: Gate
    routing: Routing
    clocks: tuple[ClockRule, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> Policy:
        if self.gate.band not in {band.name for band in self.scoring.bands}:
            raise ValueError(f"gate.band: no band is called {self.gate.band!r}")
        if self.gate.fit_profile and not self.scoring.profile:
            raise ValueError("gate.fit_profile needs scoring.profile")
        _unique("clock ids", [clock.id for clock in self.clocks])
        return self

    @property
    def ref(self) -> PolicyRef:
        return PolicyRef(name=self.policy, version=self.version)
