"""A fact's place in the total order of its lead's facts, (time, source, id) of business.md B.1, as one text.

Texts sort as the places do: the time is in UTC and of fixed width, and a tab, which neither source nor id can have,
sorts below all that they can. Kept as texts, states are small, quick to read and legible where they are stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar

from schemas.envelope import Fact

T = TypeVar("T")

Place = str
Instant = str
"""The time at the head of a place."""
Micros = int
"""The same as a number: microseconds since 1970 in UTC. It takes half the time to reckon with."""
MICROS_A_DAY = 86_400_000_000
_WIDTH = len("2026-03-02T12:00:00.000000")
_EPOCH = datetime(1970, 1, 1)
_MICRO = timedelta(microseconds=1)
_READ = 65_536
"""Instants that are not read again; those of a lead's shares are asked for with each of its facts."""


def place_of(fact: Fact) -> Place:
    event = fact.event
    return f"{text_of(fact.time)}\t{event.source}\t{event.id}"


def text_of(time: datetime) -> Instant:
    return time.astimezone(UTC).isoformat(timespec="microseconds")[:_WIDTH]


def later(instant: Place | Instant, by: timedelta) -> Instant:
    return text_of(time_of(instant) + by)


def instant_of(place: Place) -> Instant:
    return place[:_WIDTH]


def time_of(place: Place | Instant) -> datetime:
    return datetime.fromisoformat(place[:_WIDTH] + "+00:00")


def micros_of(place: Place | Instant) -> Micros:
    return _micros(place[:_WIDTH])


@lru_cache(_READ)
def _micros(instant: Instant) -> Micros:
    return (datetime.fromisoformat(instant) - _EPOCH) // _MICRO


def instant_at(micros: Micros) -> Instant:
    return (_EPOCH + micros * _MICRO).isoformat(timespec="microseconds")


def key_of(place: Place) -> tuple[str, str]:
    """Source and id of the fact."""
    _, source, id_ = place.split("\t")
    return source, id_


def with_entry(mapping: Mapping[str, T], key: str, value: T) -> dict[str, T]:
    """The mapping with one entry more or changed, in the order of keys, so that equal ones also read the same."""
    if key in mapping:
        return {**mapping, key: value}
    return dict(sorted({**mapping, key: value}.items()))
