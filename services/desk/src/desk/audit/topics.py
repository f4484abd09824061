"""Raw records from Kafka, outside every consumer group: nobody's offsets move, nobody is rebalanced."""

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

BARRIER_KEY = b"baton/barrier"
"""The key of a record that is no event: it only says how far an input has been read."""
QUIET_SECONDS = 30
"""How long the broker may answer nothing before the audit gives up."""
ANSWER_SECONDS = 30

Place = tuple[str, int]
"""A topic, without the deployment's prefix, and a partition."""


class Unreachable(Exception):  # noqa: N818 - what an operator can mend
    """The servers do not answer, or are not what they should be."""


class Raw(NamedTuple):
    """A record as it is; an output that is still in an outbox has neither offset nor time stamp (-1)."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes | None]

    @property
    def name(self) -> str:
        """How people find it."""
        return f"{self.topic}/{self.partition}" + (f"@{self.offset}" if self.offset >= 0 else " in the outbox")


@dataclass(slots=True)
class Extent:
    """What a partition holds: its first offset and the one after its last, both when they were asked for.

    `gaps`: offsets in between that no record has; the marks of a foreign producer's transactions are such.
    """

    first: int
    end: int
    gaps: int = 0


class Topics:
    """Reads topics from their beginning to the end that they had at `measure`."""

    def __init__(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient, prefix: str) -> None:
        self._consumer = consumer
        self._admin = admin
        self._prefix = prefix
        self.extents: dict[Place, Extent] = {}

    async def measure(self, topics: Sequence[str]) -> None:
        """Notes the topics' extents. Raises Unreachable when one does not exist."""
        async with _answering():
            for described in await self._admin.describe_topics([self._prefix + name for name in topics]):
                partitions = [TopicPartition(described["topic"], each["partition"]) for each in described["partitions"]]
                if not partitions:
                    raise Unreachable(f"there is no topic {described['topic']}")
                first = await self._consumer.beginning_offsets(partitions)
                ends = await self._consumer.end_offsets(partitions)
                for at in sorted(partitions):
                    self.extents[at.topic.removeprefix(self._prefix), at.partition] = Extent(first[at], ends[at])

    async def read(self, topic: str) -> AsyncIterator[Raw]:
        """Every record of the topic, each partition's in order."""
        partitions = self._partitions(topic)
        self._consumer.assign(partitions)
        expected = {at: self.extents[topic, at.partition].first for at in partitions}
        for at, first in expected.items():
            self._consumer.seek(at, first)
        while open_ := [at for at in partitions if await self._position(at) < self.extents[topic, at.partition].end]:
            for at, records in (await self._fetch(open_)).items():
                extent = self.extents[topic, at.partition]
                for record in records:
                    if record.offset > expected[at]:
                        extent.gaps += record.offset - expected[at]
                        await self._remeasure(at, extent)
                    expected[at] = record.offset + 1
                    if record.offset < extent.end:
                        yield Raw(
                            topic, at.partition, record.offset, record.timestamp, record.key, record.value,
                            dict(record.headers),
                        )  # fmt: skip

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

    def _partitions(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(self._prefix + topic, part) for name, part in self.extents if name == topic]


@contextlib.asynccontextmanager
async def connected(bootstrap: str, prefix: str) -> AsyncIterator[Topics]:
    """Topics to read. Raises Unreachable."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=1024 * 1024,
        client_id="baton-audit",
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="baton-audit")
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
