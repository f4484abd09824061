"""Order keys: a fact's place in the total order of its lead's facts, (time, source, id), as a text.

Texts sort as the facts do: the time is in UTC and of fixed width, and the tab after it sorts below every character of
source and id. As texts, states are small, fast to read, and legible in the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar

from schemas.envelope import Fact

T = TypeVar("T")

OrderKey = str
Instant = str
"""The time at the start of an order key."""
Micros = int
"""Microseconds since 1970 in UTC; computing with them takes half the time."""
MICROS_A_DAY = 86_400_000_000
_WIDTH = len("2026-03-02T12:00:00.000000")
_EPOCH = datetime(1970, 1, 1)
RESOLUTION = timedelta(microseconds=1)
_READ = 65_536
"""Cached instants; those of a lead's shares are needed for each of its facts."""


def order_of(fact: Fact) -> OrderKey:
    event = fact.event
    return f"{text_of(fact.time)}\t{event.source}\t{event.id}"


def text_of(time: datetime) -> Instant:
    return time.astimezone(UTC).isoformat(timespec="microseconds")[:_WIDTH]


def later(instant: OrderKey | Instant, by: timedelta) -> Instant:
    return text_of(time_of(instant) + by)


def instant_of(order: OrderKey) -> Instant:
    return order[:_WIDTH]


def time_of(order: OrderKey | Instant) -> datetime:
    return datetime.fromisoformat(order[:_WIDTH] + "+00:00")


def micros_of(order: OrderKey | Instant) -> Micros:
    return _micros(order[:_WIDTH])


@lru_cache(_READ)
def _micros(instant: Instant) -> Micros:
    return (datetime.fromisoformat(instant) - _EPOCH) // RESOLUTION


def instant_at(micros: Micros) -> Instant:
    return (_EPOCH + micros * RESOLUTION).isoformat(timespec="microseconds")


def key_of(order: OrderKey) -> tuple[str, str]:
    """The fact's key: source and id."""
    _, source, id_ = order.split("\t")
    return source, id_


def with_entry(mapping: Mapping[str, T], key: str, value: T) -> dict[str, T]:
    """The mapping with one entry added or changed, sorted by key, so that equal mappings are equal texts."""
    if key in mapping:
        return {**mapping, key: value}
    return dict(sorted({**mapping, key: value}.items()))
