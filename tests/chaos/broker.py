"""Faults of the broker: away for a minute, with the same data afterwards."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from baton_local.topics import PARTITIONS
from tests.chaos.book import Backoff, Book
from tests.chaos.traffic import Message

DEADLINE = 12.0
"""Seconds around every call to the client, which waits for ever when the broker is gone."""
FAILURES = (TimeoutError, KafkaError, OSError)


class Producer:
    """Sends records until each is acknowledged by all replicas; Kafka's default partitioner places them."""

    def __init__(self, bootstrap_servers: str, topic: str, book: Book) -> None:
        self._servers = bootstrap_servers
        self._topic = topic
        self._book = book
        self._producer: Any = None
        self._closing: set[asyncio.Task[None]] = set()

    async def send(self, messages: Sequence[Message]) -> None:
        """Returns once all are acknowledged."""
        backoff = Backoff()
        while messages:
            messages = await self._attempt(messages)
            if messages:
                self._book.counts["kafka_retries"] += len(messages)
                self._retire()
                await backoff.pause()

    async def stop(self) -> None:
        """Lets every client go, within 30 s."""
        self._retire()
        if self._closing:
            await asyncio.wait(self._closing, timeout=30)

    async def _attempt(self, messages: Sequence[Message]) -> list[Message]:
        """Those that were not acknowledged."""
        sent: list[asyncio.Future[Any]] = []
        with contextlib.suppress(*FAILURES):
            async with asyncio.timeout(DEADLINE):
                producer = await self._connected()
                for message in messages:
                    future = await producer.send(self._topic, message.raw, key=message.record_key.encode())
                    future.add_done_callback(lambda done: done.cancelled() or done.exception())
                    sent.append(future)
                await asyncio.wait(sent)
        acknowledged = [future.done() and not future.cancelled() and not future.exception() for future in sent]
        self._book.counts["kafka_acknowledged"] += sum(acknowledged)
        return [m for m, done in zip(messages, [*acknowledged, *[False] * len(messages)], strict=False) if not done]

    async def _connected(self) -> Any:
        if self._producer is None:
            self._producer = AIOKafkaProducer(bootstrap_servers=self._servers, acks="all", request_timeout_ms=10_000)
            await self._producer.start()
        return self._producer

    def _retire(self) -> None:
        if self._producer is not None:
            task = asyncio.create_task(_stopped(self._producer))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._producer = None


async def follow(bootstrap_servers: str, topic: str, book: Book) -> AsyncIterator[list[Any]]:
    """The topic's records from its beginning, as they come, through whatever happens to the broker.

    Belongs to no group. Yields an empty list every 200 ms while there is nothing.
    """
    positions: dict[TopicPartition, int] = {}
    while True:
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False)
        try:
            async with asyncio.timeout(DEADLINE):
                await consumer.start()
                parts = [TopicPartition(topic, part) for part in range(PARTITIONS)]
                consumer.assign(parts)
                for part in parts:
                    consumer.seek(part, positions.get(part, 0))
            while True:
                async with asyncio.timeout(DEADLINE):
                    batches = await consumer.getmany(timeout_ms=200)
                for part, records in batches.items():
                    positions[part] = records[-1].offset + 1
                yield [record for records in batches.values() for record in records]
        except FAILURES:
            book.counts["reader_restarts"] += 1
            yield []
            await asyncio.sleep(1)
        finally:
            await _stopped(consumer)


async def _stopped(client: Any) -> None:
    with contextlib.suppress(*FAILURES):
        async with asyncio.timeout(20):
            await client.stop()
