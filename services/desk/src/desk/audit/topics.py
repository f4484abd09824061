"""Raw records from Kafka, read without a consumer group: no offset is committed, no group is rebalanced."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from desk.audit.binary import whole

BARRIER_KEY = b"baton/barrier"
"""The key of a barrier, a record that is no event."""
QUIET_SECONDS = 30
"""Longest wait for an answer of the broker."""
ANSWER_SECONDS = 30

Place = tuple[str, int]
"""A topic, without the deployment's prefix, and a partition."""


class Unreachable(Exception):  # noqa: N818 - what an operator can mend
    """The servers do not answer, or are not those of a relay."""


class Raw(NamedTuple):
    """A record as it is; an output still in an outbox has neither offset nor time stamp (-1)."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes | None]

    @property
    def said(self) -> bytes | None:
        """The value as facts keep it."""
        return whole(self.headers, self.value)

    @property
    def name(self) -> str:
        """Its name for people."""
        return f"{self.topic}/{self.partition}" + (f"@{self.offset}" if self.offset >= 0 else " in the outbox")


@dataclass(slots=True)
class Extent:
    """The first offset of a partition and the offset after its last record, when they were read.

    `gaps`: offsets in between without a record, such as marks of a foreign producer's transactions.
    """

    first: int
    end: int
    gaps: int = 0


class Topics:
    """Reads topics from their beginning to their end at `measure`."""

    def __init__(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient, prefix: str) -> None:
        self._consumer = consumer
        self._admin = admin
        self._prefix = prefix
        self.extents: dict[Place, Extent] = {}

    async def measure(self, topics: Sequence[str]) -> None:
        """Stores the topics' extents. Raises Unreachable when one does not exist."""
        async with _answering():
            described = await self._admin.describe_topics([self._prefix + name for name in topics])
            if missing := [each["topic"] for each in described if not each["partitions"]]:
                raise Unreachable(f"there is no topic {missing[0]}")
            places = [
                TopicPartition(topic["topic"], each["partition"]) for topic in described for each in topic["partitions"]
            ]
            first = await self._consumer.beginning_offsets(places)
            ends = await self._consumer.end_offsets(places)
        for at in sorted(places):
            self.extents[at.topic.removeprefix(self._prefix), at.partition] = Extent(first[at], ends[at])

    async def names(self) -> set[str]:
        """The topics of the deployment."""
        async with _answering():
            found = await self._admin.list_topics()
        return {name.removeprefix(self._prefix) for name in found if name.startswith(self._prefix)}

    async def read(self, topic: str) -> AsyncIterator[Raw]:
        """Every record of the topic, each partition's in order."""
        extents = {part: extent for (name, part), extent in self.extents.items() if name == topic}
        expected = {part: extent.first for part, extent in extents.items()}
        async for record in self.between(topic, {part: (one.first, one.end) for part, one in extents.items()}):
            part, extent = record.partition, extents[record.partition]
            if record.offset > expected[part]:
                extent.gaps += record.offset - expected[part]
                await self._remeasure(TopicPartition(self._prefix + topic, part), extent)
            expected[part] = record.offset + 1
            if record.offset < extent.end:
                headers = dict(record.headers)
                yield Raw(topic, part, record.offset, record.timestamp, record.key, record.value, headers)

    async def between(self, topic: str, spans: Mapping[int, tuple[int, int]]) -> AsyncIterator[Any]:
        """The partitions' records from their first offset on until all have passed their end, those of one in order.

        A record behind its end may be among the last. Raises Unreachable.
        """
        places = {TopicPartition(self._prefix + topic, part): (a, b) for part, (a, b) in spans.items() if a < b}
        if not places:  # assigned for nothing, it would delay every other request by its poll of an empty partition
            return
        self._consumer.assign(list(places))
        for at, (first, _) in places.items():
            self._consumer.seek(at, first)
        while open_ := [at for at, (_, end) in places.items() if await self._position(at) < end]:
            for records in (await self._fetch(open_)).values():
                for record in records:
                    yield record

    async def retention(self, topics: Sequence[str]) -> dict[str, int]:
        """Topic -> milliseconds that it keeps a record, -1: for ever; absent where that may not be asked."""
        wanted = [ConfigResource(ConfigResourceType.TOPIC, self._prefix + name) for name in topics]
        async with _answering():
            answers: list[Any] = await self._admin.describe_configs(wanted)
        found = {}
        for code, _, _, name, entries, *_ in (resource for answer in answers for resource in answer.resources):
            values = {entry[0]: entry[1] for entry in entries} if code == 0 else {}
            if "retention.ms" in values:
                found[str(name).removeprefix(self._prefix)] = int(values["retention.ms"])
        return found

    async def _remeasure(self, at: TopicPartition, extent: Extent) -> None:
        """After a gap: retention may have taken what was about to be read, and nobody may call that missing."""
        async with _answering():
            extent.first = max(extent.first, (await self._consumer.beginning_offsets([at]))[at])

    async def _fetch(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, list[Any]]:
        deadline = asyncio.get_running_loop().time() + QUIET_SECONDS
        before = [await self._position(at) for at in partitions]
        while True:
            async with _answering():
                batches: dict[TopicPartition, list[Any]] = await self._consumer.getmany(*partitions, timeout_ms=500)
            if batches or [await self._position(at) for at in partitions] != before:
                return batches
            if asyncio.get_running_loop().time() > deadline:
                raise Unreachable(f"Kafka has sent nothing of {partitions[0].topic} for {QUIET_SECONDS} s")

    async def _position(self, at: TopicPartition) -> int:
        async with _answering():
            return int(await self._consumer.position(at))


@contextlib.asynccontextmanager
async def connected(kafka: Mapping[str, Any], prefix: str, isolation: str = "read_committed") -> AsyncIterator[Topics]:
    """Topics to read; `kafka` are the arguments of every client of the broker. Raises Unreachable."""
    consumer = AIOKafkaConsumer(
        **kafka,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level=isolation,
        max_partition_fetch_bytes=1024 * 1024,
        client_id="baton-desk",
    )
    admin = AIOKafkaAdminClient(**kafka, client_id="baton-desk")
    try:
        async with _answering():
            await admin.start()
            await consumer.start()
        yield Topics(consumer, admin, prefix)
    finally:
        for stop in (consumer.stop, admin.close):
            with contextlib.suppress(KafkaError, TimeoutError, OSError):
                async with asyncio.timeout(5):
                    await stop()


@contextlib.asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    """Bounds a wait on the broker."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            yield
    except (KafkaError, TimeoutError, OSError) as error:
        raise Unreachable(f"Kafka does not answer: {type(error).__name__}") from error
