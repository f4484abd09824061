"""What a lead's score rests on, as it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scorer.rules.criteria import Value
from scorer.rules.place import Instant, Micros, Place


class Settled(NamedTuple):
    """Since when what holds at `at` has held. Time alone changes nothing of it before `until`; None: never.

    From `origin` on no fact has changed what the rules pay.
    """

    at: Instant
    held: Mapping[str, Instant]
    until: Instant | None
    origin: Micros


class Watch(NamedTuple):
    """The first instant at which time alone makes what was told last untrue; None: it never does."""

    due: Instant | None


class Statement(NamedTuple):
    """A value, and the fact that stated it."""

    place: Place
    value: Value


@dataclass(frozen=True, slots=True)
class Kept:
    """The engagements that rules count by one key, in order; `last` is the latest of all, for sessions."""

    places: tuple[Place, ...] = ()
    last: Instant = ""


@dataclass(frozen=True, slots=True)
class Paid:
    """What a rule that pays per event has paid: `shares` are (place, thousandths), the rest is for its caps.

    `found` counts the engagements, `day` is the UTC day of the latest one, `today` what that day was paid.
    """

    shares: tuple[tuple[Place, int], ...] = ()
    found: int = 0
    used: int = 0
    day: str = ""
    today: int = 0
    over_day: int = 0
    """Thousandths that the cap per day took away."""
    stretch: Any = field(default=None, init=False, compare=False, repr=False)
    """See `Basis.course`."""

    def remember(self, stretch: object) -> None:
        """No part of the value, so no change to it."""
        object.__setattr__(self, "stretch", stretch)


@dataclass(frozen=True, slots=True)
class Basis:
    """What the score and a gate rest on.

    `at` is the latest fact that the order matters for. `first` is the earliest fact, `email` the earliest statement,
    `intent` the latest engagement that asked for sales, `opted_in` the earliest opt-in: those four no order can change.
    `held` has since when what holds has held, as of just before the instant of `at`. What is not stored only spares
    work: `course` (`earlier`: of the basis before) and `settled` follow from the rest, `watch` also from what was told.
    """

    digest: str = ""
    at: Place = ""
    first: Place | None = None
    kept: Mapping[str, Kept] = field(default_factory=dict)
    paid: Mapping[str, Paid] = field(default_factory=dict)
    values: Mapping[str, Statement] = field(default_factory=dict)
    held: Mapping[str, Instant] = field(default_factory=dict)
    email: Statement | None = None
    opted_in: Place | None = None
    intent: Place | None = None
    course: Any = field(default=None, init=False, compare=False, repr=False)
    earlier: Any = field(default=None, init=False, compare=False, repr=False)
    settled: Settled | None = field(default=None, init=False, compare=False, repr=False)
    watch: Watch | None = field(default=None, init=False, compare=False, repr=False)

    def remember(self, **known: object) -> None:
        """Sets what is not stored: no part of the value, so no change to it."""
        for name, value in known.items():
            object.__setattr__(self, name, value)
