"""Foreign batches, topics and consumer groups, as the crash-point cases change them."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.protocol.group import LeaveGroupRequest

from baton_local.topics import create_topics
from tests.infrastructure import Room
from tests.integration.chassis import foreign
from tests.topics import delete_topics, ends


class Broker:
    """One room's topics and groups."""

    def __init__(self, room: Room, admin: AIOKafkaAdminClient) -> None:
        self.room = room
        self._admin = admin

    async def write(self, topic: str, part: int, batch: bytes) -> None:
        """A foreign producer's batch, byte by byte."""
        async with AIOKafkaProducer(bootstrap_servers=self.room.bootstrap_servers) as producer:
            await foreign.send(producer, self.room.prefix + topic, part, batch)

    async def truncate(self, topic: str, part: int, first: int) -> None:
        """Deletes the partition's records before the offset `first`."""
        await self._admin.delete_records({TopicPartition(self.room.prefix + topic, part): RecordsToDelete(first)})

    async def end(self, topic: str, part: int) -> int:
        """The partition's end offset."""
        name = self.room.prefix + topic
        return (await ends(self.room.bootstrap_servers, name))[name, part]

    async def recreate(self, topic: str) -> None:
        """Deletes the topic with all its records and makes it anew, empty."""
        await delete_topics(self.room.bootstrap_servers, self.room.prefix + topic)
        await create_topics(self.room.bootstrap_servers, self.room.prefix)

    async def members(self, service: str) -> list[str]:
        """Who is in the service's group, the dead whose session still runs among them."""
        described: list[Any] = await self._admin.describe_consumer_groups([self._group(service)])
        return [str(member[0]) for answer in described for group in answer.groups for member in group[5]]

    async def evict(self, service: str, members: Collection[str]) -> None:
        """Tells the group that they have left."""
        for member in members:
            coordinator = await self._admin.find_coordinator(self._group(service))
            await self._admin._send_request(LeaveGroupRequest(self._group(service), member), coordinator)

    async def told(self, service: str) -> int:
        """The sum of the offsets that the service has told to Kafka."""
        offsets = await self._admin.list_consumer_group_offsets(self._group(service))
        return sum(max(0, each.offset) for each in offsets.values())

    def _group(self, service: str) -> str:
        return self.room.prefix + service
