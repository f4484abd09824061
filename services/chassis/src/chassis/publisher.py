"""To Kafka: records are published in order and acknowledged by all replicas, or the caller hears that they were not."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerClosed,
    TopicAuthorizationFailedError,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from chassis import failpoints
from chassis.failures import BrokerAway, Unpublishable
from chassis.logs import logger
from chassis.settings import Kafka
from schemas.identity import partition_of

DEADLINE_SECONDS = 12
"""With the broker dead, send and stop hang for ever whatever the client's timeouts say (delivery.md §2)."""
STOP_SECONDS = 5
MAX_RECORD_BYTES = 2 * 1024 * 1024
_REFUSED = (MessageSizeTooLargeError, InvalidTopicError, TopicAuthorizationFailedError)

Headers = Sequence[tuple[str, bytes | None]]
"""Kafka allows a header without a value."""


@dataclass(frozen=True, slots=True)
class Record:
    """What goes to Kafka. Without a `partition` the key decides, as Kafka's default partitioner has it."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


def size_of(record: Record) -> int:
    """Bytes that the broker holds against the topic's limit (`schemas.topics.record_limit`), at most 20 too many."""
    size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(record.key, record.value, list(record.headers))
    return size


class Publisher:
    """One idempotent producer per process, replaced when it can no longer send.

    `publish` may be called from many tasks at once; the records of one call keep their order within a partition.
    `rebuilds` is how many producers were replaced.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._partitions: dict[str, int] = {}
        self.rebuilds = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        if self._producer is not None:
            self._retire(self._producer)
        if self._closing:
            await asyncio.wait(self._closing, timeout=STOP_SECONDS + 1)

    async def publish(self, records: Sequence[Record]) -> None:
        """Returns once every record is acknowledged with acks=all.

        Raises BrokerAway when that cannot be had within 12 s (some records may have landed, a retry repeats them), and
        Unpublishable that names the records which the broker refuses; the others of the call have then landed.
        """
        producer: AIOKafkaProducer | None = None
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                producer = await self._ready()
                failpoints.reach("sending")
                await self._send(producer, records)
                failpoints.reach("acknowledged")
        except _REFUSED as error:
            self._retire(producer)  # a refusal burns sequence numbers: the next batch would be out of order
            if len(records) == 1:
                raise Unpublishable(f"{records[0].topic}: {type(error).__name__}", records) from error
            await self._publish_apart(records)
        except (KafkaError, OSError, TimeoutError) as error:
            self._retire(producer)
            raise BrokerAway(f"publishing: {type(error).__name__}") from error

    async def _publish_apart(self, records: Sequence[Record]) -> None:
        """In halves, and halves of these, until each refused record is alone: the others still land, in their order."""
        middle = len(records) // 2
        refusals = []
        for half in (records[:middle], records[middle:]):
            try:
                await self.publish(half)
            except Unpublishable as refusal:
                refusals.append(refusal)
        if refusals:
            raise Unpublishable(str(refusals[0]), [record for refusal in refusals for record in refusal.records])

    async def _ready(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._kafka.bootstrap_servers,
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=0,
                    max_batch_size=256 * 1024,
                    max_request_size=MAX_RECORD_BYTES,
                    request_timeout_ms=10_000,
                )
                try:
                    await producer.start()
                except BaseException:
                    self._close(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[Record]) -> None:
        acknowledgements = []
        for (topic, partition), batch in (await self._by_partition(producer, records)).items():
            builder = producer.create_batch()
            for record in batch:
                if not _append(builder, record):
                    acknowledgements.append(await producer.send_batch(builder, topic, partition=partition))
                    builder = producer.create_batch()
                    _append(builder, record)
            acknowledgements.append(await producer.send_batch(builder, topic, partition=partition))
        failpoints.reach("sent")
        if failpoints.armed("partly_acknowledged") and len(acknowledgements) > 1:
            await acknowledgements[0]
            failpoints.reach("partly_acknowledged")
        for outcome in await asyncio.gather(*acknowledgements, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _by_partition(
        self, producer: AIOKafkaProducer, records: Sequence[Record]
    ) -> Mapping[tuple[str, int], list[Record]]:
        grouped: dict[tuple[str, int], list[Record]] = defaultdict(list)
        for record in records:
            partition = record.partition
            if partition is None:
                count = self._partitions.get(record.topic) or await self._count(producer, record.topic)
                partition = partition_of(record.key or b"", count)
            grouped[self._kafka.prefix + record.topic, partition].append(record)
        return grouped

    async def _count(self, producer: AIOKafkaProducer, topic: str) -> int:
        self._partitions[topic] = len(await producer.partitions_for(self._kafka.prefix + topic))
        return self._partitions[topic]

    def _retire(self, producer: AIOKafkaProducer | None) -> None:
        if producer is not None and producer is self._producer:
            self._producer = None
            self.rebuilds += 1
            self._close(producer)

    def _close(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.create_task(_stop(producer), name="producer stop")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _append(builder: Any, record: Record) -> bool:
    return builder.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers)) is not None


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()
    except (TimeoutError, KafkaError, OSError) as error:
        logger("chassis.publisher").warning("producer_stop_failed", error=type(error).__name__)
        await _abandon(producer)


async def _abandon(producer: AIOKafkaProducer) -> None:
    """An idempotent sender never gives a batch up: left alone it goes on for ever, and sends it much later."""
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(1):
            await producer._sender.close()
    producer._message_accumulator.fail_all(ProducerClosed())
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(1):
            await producer.client.close()
