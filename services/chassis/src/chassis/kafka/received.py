"""A record of an input topic as the services take it, and the demand that it tells when the broker got it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from chassis.process.failures import Failure

LOG_APPEND_TIME = 1
"""Kafka's number for a time stamp that is the broker's."""


class Received(NamedTuple):
    """One record of an input topic, which is named without the prefix; `timestamp` is the broker's."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class NoAppendTime(Failure):
    """An input's records do not tell when the broker got them: stop, page."""


def require_append_time(records: Iterable[Any]) -> None:
    """Raises NoAppendTime for the first record that does not tell when the broker got it.

    By the record itself, since to read a topic's configuration takes a right that a service need not have.
    """
    for record in records:
        if record.timestamp_type != LOG_APPEND_TIME:
            raise NoAppendTime(
                f"{record.topic}/{record.partition} keeps its producers' time stamps, which are anybody's clock: set "
                f"message.timestamp.type=LogAppendTime, and make the topic anew (offset {record.offset})"
            )
