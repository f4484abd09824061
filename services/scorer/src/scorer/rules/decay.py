"""Decay: what is left of points at an age. Ages are whole elapsed days, points are thousandths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from typing import NamedTuple

from schemas.scoring import Decay
from scorer.rules.order import MICROS_A_DAY, Instant, Micros, OrderKey, micros_of

DAY = timedelta(days=1)
AGES = 10_000
"""Most ages in a table; beyond it each age is computed when it is needed."""
TABLES = 64
"""Most tables of one decay: a rule's points are few numbers, its own and what caps leave of them."""
_FOREVER = 4_000_000
"""More days than the calendar has."""


class Lapse(NamedTuple):
    """What is left of an amount of thousandths at each age up to `end`, the first age at which nothing is.

    `left` is empty where `end` is more than AGES.
    """

    end: int
    left: Sequence[int]


@dataclass(frozen=True, slots=True)
class Fading:
    """A decay; all lengths in days. `share` is the policy's number exactly, as (numerator, denominator)."""

    linear: int | None = None
    share: tuple[int, int] = (0, 1)
    half_life: int | None = None
    expire: int | None = None
    _lapses: dict[int, Lapse] = field(default_factory=dict, init=False, compare=False, repr=False)

    @classmethod
    def of(cls, decay: Decay | None) -> Fading | None:
        if decay is None:
            return None
        days = [None if each is None else each // DAY for each in (decay.linear, decay.half_life, decay.expire)]
        return cls(days[0], Fraction(str(decay.share or 0)).as_integer_ratio(), days[1], days[2])

    def left(self, milli: int, age: int) -> int:
        """What is left after `age` whole days, rounded half up; never more than at an earlier age."""
        if self.linear is not None:
            share, of = self.share
            whole = of * self.linear
            return _part(milli, max(0, whole - share * age), whole)
        if self.half_life is not None:
            return _part(milli, *(2.0 ** (-age / self.half_life)).as_integer_ratio())
        assert self.expire is not None  # noqa: S101 - one of the three
        return milli if age < self.expire else 0

    def left_of(self, since: OrderKey, milli: int, instant: Instant) -> int:
        """What is left at the instant of points dated `since`."""
        return self.left(milli, (micros_of(instant) - micros_of(since)) // MICROS_A_DAY)

    def lapse(self, milli: int) -> Lapse:
        """The table of this amount, cached."""
        found = self._lapses.get(milli)
        if found is None:
            if len(self._lapses) >= TABLES:
                self._lapses.clear()
            end = _first(lambda age: self.left(milli, age) == 0, _FOREVER)
            left = [self.left(milli, age) for age in range(end)] if end <= AGES else []
            found = self._lapses[milli] = Lapse(end, left)
        return found

    def left_together(self, milli: int, lapse: Lapse, sinces: Sequence[Micros], at: Micros) -> int:
        """What is left at `at` of this amount from each of `sinces`."""
        end, left = lapse
        if not left:
            return sum([self.left(milli, (at - since) // MICROS_A_DAY) for since in sinces])
        if len(sinces) == 1:
            return left[age] if (age := (at - sinces[0]) // MICROS_A_DAY) < end else 0
        return sum([left[age] for since in sinces if (age := (at - since) // MICROS_A_DAY) < end])

    def last_change(self, milli: int, since: Micros, at: Micros) -> Micros:
        """The latest instant up to `at` at which what is left of points dated `since` changed."""
        age = (at - since) // MICROS_A_DAY
        now = self.left(milli, age)
        back = _first(lambda days: self.left(milli, age - days - 1) != now, age) if age else 0
        return since + (age - back) * MICROS_A_DAY


def _first(holds: Callable[[int], bool], most: int) -> int:
    """The first number up to `most` for which it holds, else `most`; once it holds it must hold for all larger ones."""
    low, high = 0, 1
    while high < most and not holds(high):
        low, high = high + 1, 2 * high + 1
    high = min(high, most)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _part(milli: int, part: int, whole: int) -> int:
    """Rounded half away from zero."""
    left = (2 * abs(milli) * part + whole) // (2 * whole)
    return left if milli >= 0 else -left
