"""Building blocks of a policy: names, durations, thresholds. Strict: an unknown field is an error."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints, WithJsonSchema

from schemas.envelope import Frozen

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Domain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length=253)]
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LONGEST = timedelta(days=36_500)
"""From any instant of today the calendar has room for it, in both directions."""
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


class Strict(Frozen):
    """Part of a policy; an unknown field is an error, for it is a misspelt one."""

    model_config = ConfigDict(extra="forbid")


class Bound(Strict):
    """A threshold that says itself whether the number is in."""

    op: Literal[">", ">="]
    n: float

    def holds(self, value: float) -> bool:
        return value > self.n if self.op == ">" else value >= self.n


def unique(what: str, names: list[str]) -> None:
    """Raises ValueError with the names that occur twice."""
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{what} must be unique: {', '.join(sorted(doubled))}")
