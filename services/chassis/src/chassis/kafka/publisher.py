"""Publishes records to Kafka in order; every call ends with all replicas' acknowledgements or with an error."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from chassis.kafka.producers import MAX_BATCH_BYTES, Producers
from chassis.process import failpoints
from chassis.process.failures import BrokerAway, Unpublishable
from chassis.process.settings import Kafka
from schemas.identity import partition_of
from schemas.sizes import record_limit

DEADLINE_SECONDS = 12
"""Bounds each send and stop: with the broker dead both hang for ever, whatever the client's timeouts."""
_REFUSED = (MessageSizeTooLargeError, InvalidTopicError, TopicAuthorizationFailedError)

Headers = Sequence[tuple[str, bytes | None]]
"""Kafka allows a header without a value."""
Place = tuple[str, int]
"""A topic, without its prefix, and one of its partitions."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record to publish. Without a `partition` the key decides, as in Kafka's default partitioner."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


def size_of(record: Record) -> int:
    """Bytes that count towards the topic's limit (`schemas.sizes.record_limit`), at most 20 too many."""
    size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(record.key, record.value, list(record.headers))
    return size


_Sized = tuple[int, Record]


class Publisher:
    """One idempotent producer per process, replaced when it can no longer send.

    `publish` may be called from many tasks at once; the records of one call keep their order within a partition.

    A refusal uses up sequence numbers of an idempotent producer, which must then be replaced. So records that the
    contract forbids are never sent. A broker may accept less than the contract: each refusal halves the batch size
    assumed for the topic, larger batches go through a second producer without sequence numbers, and an acknowledgement
    there raises the assumed size again. So one topic costs at most 20 producers.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._producers = Producers(kafka)
        self._partitions: dict[str, int] = {}
        self._trusted: dict[str, int] = {}
        """Topic -> largest batch in bytes that its broker is assumed to accept, once it has refused one."""

    @property
    def rebuilds(self) -> int:
        """How many producers were replaced."""
        return self._producers.rebuilds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        await self._producers.close()

    async def publish(self, records: Sequence[Record], place: Place | None = None) -> None:
        """Returns once every record is acknowledged with acks=all. All go to `place`, where one is given.

        Raises BrokerAway when that does not happen within 12 s (some records may be written, a retry repeats them), and
        Unpublishable with the records that are too large for their topic or that the broker refuses; the others of the
        call are then written.
        """
        producer: AIOKafkaProducer | None = None
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                producer = await self._producers.ready()
                failpoints.reach("sending")
                if place is None:
                    await self._count(producer, records)
                grouped = self._grouped(records) if place is None else {place: records}
                refused = await self._send(producer, grouped)
                failpoints.reach("acknowledged")
        except (KafkaError, OSError, TimeoutError) as error:
            self._producers.retire(producer)
            raise BrokerAway(f"publishing: {type(error).__name__}") from error
        if refused:
            raise Unpublishable(f"{refused[0].topic}: too large, or not allowed", refused)

    async def append(self, record: Record) -> int:
        """Publishes one record to its `partition`. Returns its offset there, -1 where the broker does not return it.

        Raises BrokerAway and Unpublishable as `publish`.
        """
        producer: AIOKafkaProducer | None = None
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                producer = await self._producers.ready()
                sent = _batch(producer, [record])
                topic, partition = self._kafka.prefix + record.topic, record.partition
                offset: int = (await (await producer.send_batch(sent, topic, partition=partition))).offset
                return offset
        except _REFUSED as refusal:
            self._producers.retire(producer)
            raise Unpublishable(f"{record.topic}: {type(refusal).__name__}", [record]) from refusal
        except (KafkaError, OSError, TimeoutError) as error:
            self._producers.retire(producer)
            raise BrokerAway(f"publishing: {type(error).__name__}") from error

    async def by_place(self, records: Sequence[Record]) -> Mapping[Place, Sequence[Record]]:
        """The records by partition, in order. Raises BrokerAway as `publish`."""
        producer: AIOKafkaProducer | None = None
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                if not self._partitions.keys() >= {record.topic for record in records}:
                    producer = await self._producers.ready()
                    await self._count(producer, records)
                return self._grouped(records)
        except (KafkaError, OSError, TimeoutError) as error:
            self._producers.retire(producer)
            raise BrokerAway(f"asking for partitions: {type(error).__name__}") from error

    async def _send(self, producer: AIOKafkaProducer, grouped: Mapping[Place, Sequence[Record]]) -> list[Record]:
        """Returns the refused records; all others are acknowledged."""
        refused, groups = list[Record](), list(grouped.items())
        if failpoints.armed("partly_acknowledged") and len(groups) > 1:
            refused += await self._deliver(producer, *groups.pop())
            failpoints.reach("partly_acknowledged")
        if len(groups) == 1:
            return refused + await self._deliver(producer, *groups[0])
        sending = (self._deliver(producer, place, records) for place, records in groups)
        for outcome in await asyncio.gather(*sending, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
            refused += outcome
        return refused

    async def _deliver(self, producer: AIOKafkaProducer, place: Place, records: Sequence[Record]) -> list[Record]:
        """Sends one batch after the other, so that none overtakes a refused one. Returns the refused records."""
        topic, limit = place[0], record_limit(place[0])
        sized = [(size_of(record), record) for record in records]
        fitting: Sequence[_Sized] = [(size, record) for size, record in sized if size <= limit]
        refused = [record for size, record in sized if size > limit]
        trusted = self._trusted.get(topic, limit)
        if all(size <= trusted for size, _ in fitting):
            fitting = await self._together(producer, place, fitting, min(trusted, MAX_BATCH_BYTES))
        for batch in _batches(fitting, MAX_BATCH_BYTES):
            refused += await self._apart(place, batch)
        return refused

    async def _together(
        self, producer: AIOKafkaProducer, place: Place, sized: Sequence[_Sized], most: int
    ) -> Sequence[_Sized]:
        """Sends batches of at most `most` bytes; returns what is left from the first refused batch on."""
        for batch in _batches(sized, most):
            try:
                await self._put(producer, place, batch)
            except _REFUSED as refusal:
                self._producers.retire(producer)
                self._distrust(place[0], batch, refusal)
                return sized
            sized = sized[len(batch) :]
        return sized

    async def _apart(self, place: Place, batch: Sequence[_Sized]) -> list[Record]:
        """Bisects a refused batch until each refused record is alone; the others are written in their order."""
        producer = await self._producers.ready(idempotent=False)
        try:
            size = await self._put(producer, place, batch)
        except _REFUSED as refusal:
            self._distrust(place[0], batch, refusal)
            if len(batch) == 1:
                return [batch[0][1]]
            middle = len(batch) // 2
            return [*await self._apart(place, batch[:middle]), *await self._apart(place, batch[middle:])]
        except BaseException:
            self._producers.retire(producer)
            raise
        self._trusted[place[0]] = max(self._trusted.get(place[0], size), size)
        return []

    def _distrust(self, topic: str, batch: Sequence[_Sized], refusal: Exception) -> None:
        large = isinstance(refusal, MessageSizeTooLargeError)
        most = sum(size for size, _ in batch) // 2 if large else 0
        self._trusted[topic] = min(self._trusted.get(topic, most), most)

    async def _put(self, producer: AIOKafkaProducer, place: Place, batch: Sequence[_Sized]) -> int:
        """Returns how many bytes the broker acknowledged as one batch."""
        builder = _batch(producer, [record for _, record in batch])
        size: int = builder.size()
        acknowledged = await producer.send_batch(builder, self._kafka.prefix + place[0], partition=place[1])
        failpoints.reach("sent")
        await acknowledged
        return size

    async def _count(self, producer: AIOKafkaProducer, records: Sequence[Record]) -> None:
        for topic in {record.topic for record in records} - self._partitions.keys():
            self._partitions[topic] = len(await producer.partitions_for(self._kafka.prefix + topic))

    def _grouped(self, records: Sequence[Record]) -> Mapping[Place, Sequence[Record]]:
        grouped: dict[Place, list[Record]] = defaultdict(list)
        for record in records:
            partition = record.partition
            if partition is None:
                partition = partition_of(record.key or b"", self._partitions[record.topic])
            grouped[record.topic, partition].append(record)
        return grouped


def _batch(producer: AIOKafkaProducer, records: Sequence[Record]) -> Any:
    builder = producer.create_batch()
    for record in records:
        builder.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers))
    return builder


def _batches(sized: Sequence[_Sized], most: int) -> Iterator[Sequence[_Sized]]:
    """In order, each of at most `most` bytes, or of one record."""
    begin = total = 0
    for index, (size, _) in enumerate(sized):
        if total + size > most and index > begin:
            yield sized[begin:index]
            begin, total = index, 0
        total += size
    if sized[begin:]:
        yield sized[begin:]
