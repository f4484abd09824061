"""Reads topics from one offset to another without joining a group: no trace is left on the broker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from chassis.kafka import records
from chassis.process.failures import BrokerAway
from chassis.process.settings import Kafka
from desk.audit.topics import Topics, Unreachable, connected

Bounds = Mapping[tuple[str, int], tuple[int, int]]
"""(topic, partition) -> its first offset and the offset after its last record."""


class Reader:
    """Topics are named without the deployment's prefix; `topics` are those that there were at first."""

    def __init__(self, topics: Topics, names: set[str]) -> None:
        self._topics = topics
        self.topics = names

    async def bounds(self, topics: Iterable[str]) -> Bounds:
        """What there is of each partition now, in order; nothing of a topic that does not exist."""
        self._topics.extents.clear()
        if known := self.topics.intersection(topics):
            await self._topics.measure(sorted(known))
        return {place: (extent.first, extent.end) for place, extent in sorted(self._topics.extents.items())}

    async def read(self, topic: str, part: int, first: int, end: int) -> AsyncIterator[Any]:
        """The records of the partition from the offset `first` to the one before `end`, in order."""
        async for record in self._topics.between(topic, {part: (first, end)}):
            if record.offset < end:
                yield replace(record, topic=topic)


@asynccontextmanager
async def reader(kafka: Kafka) -> AsyncIterator[Reader]:
    """A reader for the block. Raises BrokerAway when the broker does not answer, there or within the block."""
    records.read_all()  # strangers may write to a dead-letter topic too
    try:
        async with connected(kafka.client(), kafka.prefix, "read_uncommitted") as topics:
            yield Reader(topics, await topics.names())
    except Unreachable as error:
        raise BrokerAway(f"reading: {error}") from error
