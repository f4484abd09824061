"""Barriers: records of ours that prove up to when each input of a partition has been read.

A barrier is written with acks=all after an instant, so it is behind every record acknowledged before that instant; once
it has been read, all of those have been decided. Nothing else proves that. The end of a topic does not: read-committed
it stops at a foreign open transaction, and the high watermark lags while replicas catch up. A time stamp does not: the
broker's clock may be ahead of the database's. A barrier is identified by the offset that the broker acknowledged, so
barriers written by others prove nothing and delay nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from chassis.kafka.consumer import Received
from chassis.kafka.publisher import Publisher, Record
from schemas.barrier import BARRIER_KEY, BARRIER_TYPE

NEVER = datetime.min.replace(tzinfo=UTC)
PAUSE_SECONDS = 0.25
"""Least time between two barriers of one topic partition."""


def is_barrier(record: Received) -> bool:
    """Whether the record is a barrier, whoever wrote it: no fact follows from it."""
    return record.key == BARRIER_KEY


class Barriers:
    """The barriers of one partition, at most one of each topic waited for at a time. Every owner starts without any."""

    def __init__(self, service: str, part: int, topics: Iterable[str], publisher: Publisher) -> None:
        self._service = service
        self._part = part
        self._publisher = publisher
        self._known = dict.fromkeys(topics, NEVER)
        self._unread: dict[str, tuple[datetime, int]] = {}
        """Topic -> the instant after which its barrier was written, and the barrier's offset."""
        self._wanted = NEVER
        self._written = -PAUSE_SECONDS
        """The event loop's time of the latest ones."""

    @property
    def known(self) -> datetime:
        """Every record acknowledged before this instant, by the database's clock, has been decided."""
        return min(self._known.values(), default=NEVER)

    def want(self, instant: datetime) -> None:
        """Asks for proof that the inputs are read up to there."""
        self._wanted = max(self._wanted, instant)

    def passed(self, offsets: Mapping[str, int]) -> None:
        """Everything before these offsets is decided and committed."""
        for topic, (instant, offset) in list(self._unread.items()):
            if offsets.get(topic, 0) > offset:
                self._known[topic] = instant
                del self._unread[topic]

    async def write(self, now: datetime) -> None:
        """Writes the barriers that are wanted; `now` is the database's time. Raises BrokerAway, Unpublishable."""
        topics = [t for t, known in self._known.items() if known < self._wanted and t not in self._unread]
        loop_time = asyncio.get_running_loop().time()
        if not topics or now < self._wanted or loop_time < self._written + PAUSE_SECONDS:
            return
        self._written = loop_time
        for topic in topics:
            if (offset := await self._publisher.append(self._barrier(topic, now))) >= 0:
                self._unread[topic] = (now, offset)

    def _barrier(self, topic: str, now: datetime) -> Record:
        about = {"id": f"{self._part}/{now.isoformat()}", "source": f"baton/{self._service}", "type": BARRIER_TYPE}
        value = json.dumps({"specversion": "1.0", **about, "time": now.isoformat()}).encode()
        return Record(topic, BARRIER_KEY, value, (("content-type", b"application/cloudevents+json"),), self._part)
