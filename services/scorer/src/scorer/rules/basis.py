"""The part of a lead's state that decides its score, as it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from scorer.rules.criteria import Value
from scorer.rules.order import Instant, OrderKey


class Statement(NamedTuple):
    """A value and the order key of the fact that stated it."""

    order: OrderKey
    value: Value


Shares = tuple[tuple[OrderKey, int], ...]
"""What a rule has paid for each engagement, in thousandths, in order."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The engagements that rules count by one key, as order keys; `last` is the instant of the latest, for sessions."""

    places: tuple[OrderKey, ...] = ()
    last: Instant = ""


@dataclass(frozen=True, slots=True)
class Paid:
    """What a rule that pays per event has paid; all but `shares` is for its caps.

    `found` counts the engagements, `used` are the thousandths paid, `day` is the UTC day of the latest engagement and
    `today` the thousandths paid on it.
    """

    shares: Shares = ()
    found: int = 0
    used: int = 0
    day: str = ""
    today: int = 0
    over_day: int = 0
    """Thousandths that the cap per day took away."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What the score and the gate depend on.

    `at` is the latest fact for which the order matters. `first` is the earliest fact, `email` the earliest statement
    of an address, `own_email` the lead's own address where `email` is that of a lead merged into it, `intent` the
    latest engagement that asked for sales, `opted_in` the earliest opt-in: these five are the same in every order of
    arrival. `held` says since when each condition has been true, as of just before the instant of `at`.
    """

    digest: str = ""
    at: OrderKey = ""
    first: OrderKey | None = None
    kept: Mapping[str, Kept] = field(default_factory=dict)
    paid: Mapping[str, Paid] = field(default_factory=dict)
    values: Mapping[str, Statement] = field(default_factory=dict)
    held: Mapping[str, Instant] = field(default_factory=dict)
    email: Statement | None = None
    opted_in: OrderKey | None = None
    intent: OrderKey | None = None
    own_email: str | None = None
    public: tuple[str, ...] = ()
    """The attributes in `values` that only a public word has stated so far."""

    @property
    def address(self) -> Value | None:
        """Where the lead is written to."""
        return self.own_email or (self.email and self.email.value)
