"""Reads a topic outside every consumer group."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from baton_local.topics import PARTITIONS


async def written(bootstrap_servers: str, topic: str) -> list[Any]:
    """Every record of the topic from its beginning to its present end, those of a partition in order."""
    partitions = [TopicPartition(topic, part) for part in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Any] = []
        while any([await consumer.position(each) < ends[each] for each in partitions]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += batch
        return sorted(found, key=lambda each: (each.partition, each.offset))
    finally:
        await consumer.stop()
