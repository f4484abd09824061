"""Turns one record of an inbox into records to publish: its events, and what of it is set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from chassis.kafka.group import Arrived
from chassis.kafka.publisher import Record
from chassis.kafka.records import UNREADABLE
from ingest.formats import CLOUDEVENTS, Format, Origin, Read, read
from ingest.http import body as bodies
from ingest.http.answers import Problem
from ingest.http.calls import rejected
from ingest.http.door import records_of
from ingest.inbox.file import Inbox
from ingest.settings import Limits
from schemas import binary
from schemas.envelope import Refused
from schemas.identity import derived_id

REGISTRY_HEADER = 5
"""Bytes before a value of a schema registry: a zero and the schema's number."""


@dataclass(slots=True)
class Outcome:
    """What became of records: their events, and the reasons of what was set aside."""

    read: Read = field(default_factory=Read)
    aside: list[Record] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    count: int = 0
    """Number of records of the inbox."""

    def add(self, more: Outcome) -> None:
        self.read.add(more.read)
        self.aside += more.aside
        self.reasons += more.reasons
        self.count += more.count

    def records(self) -> list[Record]:
        """Everything to publish."""
        return [*records_of(self.read.events), *self.aside]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the records of one inbox. Whatever a record is, it raises nothing."""

    inbox: Inbox
    how: Format
    limits: Limits

    def take(self, arrived: Arrived, now: datetime) -> Outcome:
        """What becomes of the record. Its id, for events without one, is that of its place: a repeat has the same."""
        result, origin = Outcome(count=1), self._origin(arrived, now)
        address = {"address": "/".join(map(str, arrived.record[:3]))}
        try:
            items = self._items(arrived)
        except Refused as refused:
            about = {**origin.as_json(), **address, "whole": True}
            self._aside(result, refused, arrived.record.value or b"", about)
            return result
        for place, item in enumerate(items):
            its = origin.at(place, len(items))
            try:
                result.read.add(_read(item, self.how, its, self.limits))
            except Refused as refused:
                self._aside(result, refused, orjson.dumps(item), {**its.as_json(), **address})
        return result

    def _origin(self, arrived: Arrived, now: datetime) -> Origin:
        """The receipt is the append time; a producer's own time stamp is anybody's clock, and says nothing."""
        record, inbox = arrived.record, self.inbox
        return Origin(
            f"inbox/{inbox.source}",
            inbox.sentby,
            min(record.append_time, now) if arrived.appended else now,
            inbox.format,
            frozenset(inbox.sends),
            derived_id("inbox", record.topic, record.partition, record.offset, record.timestamp),
            queued=not arrived.appended,
        )

    def _items(self, arrived: Arrived) -> Sequence[object]:
        record = arrived.record
        if record.value is None and (trouble := dict(record.headers).get(UNREADABLE)) is not None:
            raise Refused("unreadable", f"its batch cannot be read: {trouble.decode()}; whole at its offset only")
        value = record.value
        if self.inbox.format == CLOUDEVENTS:
            value = binary.of_record(record.headers, value)
        items = self.how.split(content_of(value, self.limits))
        if len(items) > self.limits.batch:
            raise Refused("too_large", f"a record may have {self.limits.batch} items")
        return items

    def _aside(self, result: Outcome, refused: Refused, original: bytes, about: dict[str, Any]) -> None:
        result.reasons[refused.reason] += 1
        why = {"reason": refused.reason, "detail": refused.detail}
        result.aside.append(rejected(original, {**why, **about}, strict=False))


def content_of(value: bytes | None, limits: Limits) -> Any:
    """The JSON of a record's value, behind a registry's header or not; None for none. Raises Refused."""
    if value is None:
        return None
    if value[:1] == b"\0":
        value = value[REGISTRY_HEADER:]
    if len(value) > limits.inflated:
        raise Refused("too_large", f"a record may have {limits.inflated} bytes")
    try:
        return bodies.parse(value, limits)[0]
    except Problem as problem:
        raise Refused("unreadable", problem.message) from problem


def _read(item: object, how: Format, origin: Origin, limits: Limits) -> Read:
    try:
        return read(item, how, origin, limits)
    except Refused:
        raise
    except Exception as error:
        raise Refused("unreadable", f"cannot be read: {type(error).__name__}") from error
