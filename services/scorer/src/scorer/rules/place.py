"""A fact's place in the total order of its lead's facts, (time, source, id) of business.md B.1, as one text.

Texts sort as the places do: the time is in UTC and of fixed width, and a tab, which neither source nor id can have,
sorts below all that they can. Kept as texts, states are small, quick to read and legible where they are stored.
"""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.envelope import Fact

Place = str
Instant = str
"""The time at the head of a place."""
_WIDTH = len("2026-03-02T12:00:00.000000")


def place_of(fact: Fact) -> Place:
    time, event = fact.time.astimezone(UTC), fact.event
    return f"{time.isoformat(timespec='microseconds')[:_WIDTH]}\t{event.source}\t{event.id}"


def instant_of(place: Place) -> Instant:
    return place[:_WIDTH]


def time_of(place: Place | Instant) -> datetime:
    return datetime.fromisoformat(place[:_WIDTH] + "+00:00")


def key_of(place: Place) -> tuple[str, str]:
    """Source and id of the fact."""
    _, source, id_ = place.split("\t")
    return source, id_
