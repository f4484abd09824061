"""Topics, foreign batches, and consumer groups, as the crash-point cases use them."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.protocol.group import LeaveGroupRequest

from baton_local.topics import PARTITIONS, create_topics
from chassis.kafka.records import read_all
from tests.infrastructure import Room
from tests.integration.chassis import foreign
from tests.until import until

TOPICS = ("engagements", "engagements-dlq", "lead-scores", "lead-handoffs", "sla-clocks", "sla-breaches")


class Broker:
    """One room's topics and groups. Remembers every record it has read of TOPICS, so that looking again is cheap."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._consumer = AIOKafkaConsumer(bootstrap_servers=room.bootstrap_servers, auto_offset_reset="earliest")
        self._admin = AIOKafkaAdminClient(bootstrap_servers=room.bootstrap_servers)
        self._read: dict[str, list[Any]] = defaultdict(list)
        self._partitions = [TopicPartition(room.prefix + topic, part) for topic in TOPICS for part in range(PARTITIONS)]

    async def __aenter__(self) -> Self:
        read_all()  # some of what the cases write only the services' client can read
        await self._consumer.start()
        await self._admin.start()
        self._consumer.assign(self._partitions)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def records(self, topic: str) -> list[Any]:
        """Every record of the topic up to its present end."""
        ends = await self._consumer.end_offsets(self._partitions)
        while any([await self._consumer.position(each) < ends[each] for each in self._partitions]):
            for batch in (await self._consumer.getmany(timeout_ms=200)).values():
                for record in batch:
                    self._read[record.topic.removeprefix(self.room.prefix)].append(record)
        return self._read[topic]

    async def events(self, topic: str, lead: str, kind: str = "") -> list[dict[str, Any]]:
        """The lead's events on the topic whose type contains `kind`, repeats included."""
        key = lead.encode()
        found = [json.loads(record.value) for record in await self.records(topic) if record.key == key]
        return [event for event in found if kind in event["type"]]

    async def write(self, topic: str, part: int, batch: bytes) -> None:
        """A foreign producer's batch, byte by byte."""
        async with AIOKafkaProducer(bootstrap_servers=self.room.bootstrap_servers) as producer:
            await foreign.send(producer, self.room.prefix + topic, part, batch)

    async def truncate(self, topic: str, part: int, first: int) -> None:
        """Deletes the partition's records before the offset `first`."""
        await self._admin.delete_records({TopicPartition(self.room.prefix + topic, part): RecordsToDelete(first)})

    async def end(self, topic: str, part: int) -> int:
        """The partition's end offset."""
        partition = TopicPartition(self.room.prefix + topic, part)
        return int((await self._consumer.end_offsets([partition]))[partition])

    async def recreate(self, topic: str) -> None:
        """Deletes the topic with all its records and makes it anew, empty."""
        await self._admin.delete_topics([self.room.prefix + topic])

        async def gone() -> bool:
            return self.room.prefix + topic not in await self._admin.list_topics()

        await until(gone, f"{topic} to be deleted")
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
