"""Reads topics from one offset to another, outside of every group: it leaves no trace on the broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from chassis.kafka import records
from chassis.process.failures import BrokerAway
from chassis.process.settings import Kafka

DEADLINE_SECONDS = 12
"""For every wait on the broker that brings nothing."""
STOP_SECONDS = 5

Bounds = Mapping[tuple[str, int], tuple[int, int]]
"""(topic, partition) -> its first offset and the one after its last."""


class Reader:
    """Topics are named without the deployment's prefix. `topics` has each one's partitions, as they were at first."""

    def __init__(self, client: AIOKafkaConsumer, prefix: str, topics: Mapping[str, Sequence[int]]) -> None:
        self._client = client
        self._prefix = prefix
        self.topics = topics

    async def bounds(self, topics: Iterable[str]) -> Bounds:
        """What there is of each partition now, in order; nothing of a topic that does not exist."""
        places = [
            TopicPartition(self._prefix + topic, part)
            for topic in sorted(topics)
            for part in sorted(self.topics.get(topic, ()))
        ]
        async with asyncio.timeout(DEADLINE_SECONDS):
            first = await self._client.beginning_offsets(places)
            end = await self._client.end_offsets(places)
        return {(p.topic.removeprefix(self._prefix), p.partition): (first[p], end[p]) for p in places}

    async def read(self, topic: str, part: int, first: int, end: int) -> AsyncIterator[Any]:
        """The records of the partition from the offset `first` to the one before `end`, in order."""
        place = TopicPartition(self._prefix + topic, part)
        self._client.assign([place])
        self._client.seek(place, first)
        position = first
        while position < end:
            async with asyncio.timeout(DEADLINE_SECONDS):
                moved, found = position, []
                while moved == position:  # it moves without a record too, over the marks of a foreign transaction
                    found = (await self._client.getmany(place, timeout_ms=500)).get(place, [])
                    moved = await self._client.position(place)
            for record in found:
                if record.offset < end:
                    yield replace(record, topic=topic)
            position = moved


@asynccontextmanager
async def reader(kafka: Kafka) -> AsyncIterator[Reader]:
    """A reader for the block. Raises BrokerAway when the broker does not answer, there or within the block."""
    records.read_all()  # strangers may write to a dead-letter topic too
    where = kafka.bootstrap_servers
    client = AIOKafkaConsumer(bootstrap_servers=where, enable_auto_commit=False, auto_offset_reset="none")
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await client.start()
            topics = await _topics(where)
        own = {name: parts for name, parts in topics.items() if name.startswith(kafka.prefix)}
        yield Reader(client, kafka.prefix, {name.removeprefix(kafka.prefix): parts for name, parts in own.items()})
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerAway(f"reading: {type(error).__name__}") from error
    finally:
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await client.stop()


async def _topics(bootstrap_servers: str) -> dict[str, list[int]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        described = await admin.describe_topics()
    finally:
        await admin.close()
    return {each["topic"]: [part["partition"] for part in each["partitions"]] for each in described}
