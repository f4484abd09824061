"""Reads and changes topics outside every consumer group."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from baton_local.topics import PARTITIONS
from tests.until import until

Ends = dict[tuple[str, int], int]
"""Topic and partition -> the offset after its last record."""


@asynccontextmanager
async def _consumer(bootstrap_servers: str, isolation: str) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        enable_auto_commit=False,
        isolation_level=isolation,
        auto_offset_reset="earliest",  # a seek after `assign` can be overtaken by the reset that `assign` began
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def ends(bootstrap_servers: str, *topics: str, isolation: str = "read_uncommitted") -> Ends:
    """The present ends of all partitions of the topics, for readers of that isolation level."""
    async with _consumer(bootstrap_servers, isolation) as consumer:
        places = [TopicPartition(topic, part) for topic in topics for part in range(PARTITIONS)]
        return {(place.topic, place.partition): end for place, end in (await consumer.end_offsets(places)).items()}


async def records(bootstrap_servers: str, topic: str, isolation: str = "read_uncommitted") -> AsyncIterator[Any]:
    """Every record of the topic from its beginning to its present end, those of a partition in order."""
    async with _consumer(bootstrap_servers, isolation) as consumer:
        partitions = [TopicPartition(topic, part) for part in range(PARTITIONS)]
        consumer.assign(partitions)
        last = await consumer.end_offsets(partitions)
        while any([await consumer.position(each) < last[each] for each in partitions]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                for record in batch:
                    yield record


async def written(bootstrap_servers: str, topic: str) -> list[Any]:
    """The same at once, partition by partition."""
    found = [record async for record in records(bootstrap_servers, topic)]
    return sorted(found, key=lambda each: (each.partition, each.offset))


@asynccontextmanager
async def admin(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """An administrator of the broker."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def configure(bootstrap_servers: str, topic: str, config: dict[str, str]) -> None:
    """Sets the whole of the topic's configuration: what is not named goes back to the broker's default."""
    async with admin(bootstrap_servers) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=config)])


async def delete_topics(bootstrap_servers: str, *topics: str) -> None:
    """Returns when the broker does not know them any more."""
    async with admin(bootstrap_servers) as client:
        await client.delete_topics(list(topics))

        async def gone() -> bool:
            return not set(topics) & set(await client.list_topics())

        await until(gone, f"{', '.join(topics)} to be deleted")
