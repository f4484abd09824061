"""The format of a policy's scoring: what pays, how much, for how long, and what bands are called."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, model_validator

from schemas.engagements import Kind
from schemas.scores import Group
from schemas.terms import Bound, Days, Duration, Name, Strict, unique

Cap = Annotated[float, Field(gt=0, le=100_000, multiple_of=0.001)]
MOST_EVENTS = 200
"""Most engagements that one rule can pay for; a lead's state may hold as many."""
MOST_KEPT = 2_000
"""The same for all rules together; each decision about a lead goes through them."""
MOST_RULES = 500
"""Most rules: a score with a line for each still fits into a record."""
SESSION = timedelta(minutes=30)
"""A pause of this length ends a session."""


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
        if self.between is None and (self.name == "company_size" or not self.is_):
            raise ValueError("'is' takes one word at least, and company_size, a number, takes 'between'")
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
    """A line of the scoring policy, and what it pays at an instant.

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
        if not 1 <= self.needed <= MOST_EVENTS:
            raise ValueError(f"'count' must ask for one engagement at least, and for {MOST_EVENTS} at most")
        if self.count.window == timedelta(0):
            raise ValueError("'window' must be longer than nothing")
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
        if self.most_events > MOST_EVENTS:
            day = "" if self.per_day_cap is None else ", those that 'per_day_cap' leaves a part of included"
            raise ValueError(f"'total_cap' must not pay for more than {MOST_EVENTS} engagements{day}")
        return self

    @property
    def most_events(self) -> int:
        """The most engagements that a lead's state holds for the rule."""
        if self.total_cap is None:
            return self.needed if self.engagement else 0
        points, total, day = (round(each * 1000) for each in (abs(self.points), self.total_cap, self.per_day_cap or 0))
        return math.ceil(total / day) * math.ceil(day / points) if day else math.ceil(total / points)

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

    rules: Annotated[tuple[Rule, ...], Field(max_length=MOST_RULES)]
    groups: dict[Group, Clamp] = Field({}, description="bounds of what a group's rules come to")
    max: Annotated[float, Field(gt=0)] | None = Field(None, description="most points that a lead can have")
    bands: Annotated[tuple[Band, ...], Field(min_length=1, max_length=20)]
    profile: tuple[AttributeMatch, ...] = Field((), description="the target company profile: all must hold")
    high_intent: tuple[Kind, ...] = Field((), description="kinds of engagement that ask for sales")

    @model_validator(mode="after")
    def _in_order(self) -> Scoring:
        unique("rule ids", [rule.id for rule in self.rules])
        unique("band names", [band.name for band in self.bands])
        if (kept := sum(rule.most_events for rule in self.rules)) > MOST_KEPT:
            raise ValueError(f"the rules must not ask for more than {MOST_KEPT} engagements together, not {kept}")
        floors = [(band.least.n, band.least.op == ">") for band in self.bands]
        if floors != sorted(set(floors)):
            raise ValueError("bands must rise, the lowest first")
        if any(band.least.holds(0) for band in self.bands[1:]):
            raise ValueError("only the lowest band may begin at 0 or below: no score is below 0")
        return self
