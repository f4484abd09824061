"""Producers of the Kafka client: started at first use, replaced when they can no longer send."""

from __future__ import annotations

import asyncio
import contextlib

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed

from chassis.process.logs import logger
from chassis.process.settings import Kafka

STOP_SECONDS = 5
MAX_RECORD_BYTES = 2 * 1024 * 1024
MAX_BATCH_BYTES = 256 * 1024


class Producers:
    """One idempotent producer, and one without sequence numbers for batches that the broker may refuse.

    `rebuilds` is how many were retired.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._producers: dict[bool, AIOKafkaProducer] = {}
        """By whether it is idempotent."""
        self._starting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self.rebuilds = 0

    async def ready(self, *, idempotent: bool = True) -> AIOKafkaProducer:
        """The started producer."""
        async with self._starting:
            if idempotent not in self._producers:
                producer = AIOKafkaProducer(
                    **self._kafka.client(),
                    acks="all",
                    enable_idempotence=idempotent,
                    linger_ms=0,
                    max_batch_size=MAX_BATCH_BYTES,
                    max_request_size=MAX_RECORD_BYTES,
                    request_timeout_ms=10_000,
                )
                try:
                    await producer.start()
                except BaseException:
                    self._close(producer)
                    raise
                self._producers[idempotent] = producer
            return self._producers[idempotent]

    def retire(self, producer: AIOKafkaProducer | None) -> None:
        """Stops using the producer; no effect for one retired before, or None."""
        for idempotent, current in list(self._producers.items()):
            if current is producer:
                del self._producers[idempotent]
                self.rebuilds += 1
                self._close(current)

    async def close(self) -> None:
        """Retires all and waits up to 6 s until they have stopped."""
        for producer in list(self._producers.values()):
            self.retire(producer)
        if self._closing:
            await asyncio.wait(self._closing, timeout=STOP_SECONDS + 1)

    def _close(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.create_task(_stop(producer), name="producer stop")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()
    except (TimeoutError, KafkaError, OSError) as error:
        logger(__name__).warning("producer_stop_failed", error=type(error).__name__)
        await _abandon(producer)


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Cancels the sender: an idempotent one retries a batch for ever, and may send it much later."""
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(1):
            await producer._sender.close()
    producer._message_accumulator.fail_all(ProducerClosed())
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(1):
            await producer.client.close()
