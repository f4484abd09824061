"""What age leaves of an event's points (business.md B.2): ages are whole elapsed days, points are thousandths."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from schemas.scoring import Decay
from scorer.rules.place import Instant, Place, later, time_of

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Fading:
    """A decay; all lengths in days. `share` is exact, as (numerator, denominator) of what the policy writes."""

    linear: int | None = None
    share: tuple[int, int] = (0, 1)
    half_life: int | None = None
    expire: int | None = None

    @classmethod
    def of(cls, decay: Decay | None) -> Fading | None:
        if decay is None:
            return None
        days = [None if each is None else each // DAY for each in (decay.linear, decay.half_life, decay.expire)]
        return cls(days[0], Fraction(str(decay.share or 0)).as_integer_ratio(), days[1], days[2])

    def left(self, milli: int, age: int) -> int:
        """What is left at an age of so many whole days, rounded half up."""
        if self.linear is not None:
            share, of = self.share
            whole = of * self.linear
            return _part(milli, max(0, whole - share * age), whole)
        if self.half_life is not None:
            return _part(milli, *(2.0 ** (-age / self.half_life)).as_integer_ratio())
        assert self.expire is not None  # noqa: S101 - one of the three
        return milli if age < self.expire else 0

    def left_of(self, since: Place, milli: int, instant: Instant) -> int:
        """What is left at the instant of the points of `since`."""
        return self.left(milli, age_at(since, instant))

    def next_change(self, since: Place, milli: int, instant: Instant) -> Instant | None:
        """The first instant after `instant` at which something else is left of the points of `since`; None: never."""
        age = age_at(since, instant)
        now = self.left(milli, age)
        if now == 0:
            return None
        if self.expire is not None:
            return later(since, self.expire * DAY)
        age += 1
        while self.left(milli, age) == now:  # ends: at some age nothing is left
            age += 1
        return later(since, age * DAY)


def age_at(since: Place, instant: Instant) -> int:
    """Whole days from one instant to the other."""
    return (time_of(instant) - time_of(since)) // DAY


def _part(milli: int, part: int, whole: int) -> int:
    """Half up: away from nought for what is earned, and for what is taken the mirror of it."""
    left = (2 * abs(milli) * part + whole) // (2 * whole)
    return left if milli >= 0 else -left
