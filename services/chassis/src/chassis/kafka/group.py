"""Reads topics as a member of a consumer group whose progress Kafka keeps, for a process without a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError

from chassis.kafka import records
from chassis.kafka.consumer import NotMember, Received, bounded, leave
from chassis.kafka.publisher import Place
from chassis.process.failures import BrokerAway
from chassis.process.settings import Kafka


class Arrived(NamedTuple):
    """A record of a topic of anybody's; only where `appended` is its time stamp the broker's, else its producer's."""

    record: Received
    appended: bool


class Group:
    """Fetches from all partitions that the group assigns to this process.

    Nothing is committed but by `commit`; a new group begins with the first record of each topic. Of a transaction only
    committed records are read, so an open one makes its partition wait.
    """

    def __init__(self, kafka: Kafka, group: str, topics: Sequence[str]) -> None:
        records.read_all()
        self._kafka = kafka
        self._group = group
        self._names = {kafka.prefix + topic: topic for topic in topics}
        self._started = False
        self.missing: frozenset[str] = frozenset(topics)
        """Topics that were not there at the last `start`."""

    @cached_property
    def _client(self) -> AIOKafkaConsumer:
        """Made at first use: the client logs an error when it is made and never stopped."""
        return AIOKafkaConsumer(
            **self._kafka.client(),
            group_id=self._kafka.prefix + self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            session_timeout_ms=10_000,
            heartbeat_interval_ms=1_000,
            rebalance_timeout_ms=60_000,
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=1024 * 1024,
            isolation_level="read_committed",
            metadata_max_age_ms=10_000,
        )

    async def start(self) -> None:
        """Joins the group for the topics that exist; to be called again for those that are `missing`.

        Raises BrokerAway when the broker does not answer, or none of them exists.
        """
        async with bounded("joining"):
            if not self._started:
                await self._client.start()
                self._started = True
            there = self._names.keys() & await self._client.topics()
        missing = frozenset(self._names[name] for name in self._names.keys() - there)
        if not there:
            raise BrokerAway(f"topics do not exist yet: {', '.join(sorted(missing))}")
        if missing != self.missing:
            self._client.subscribe(list(there))
        self.missing = missing

    async def stop(self) -> None:
        """Leaves the group within 5 s, else raises BrokerAway."""
        if self._started:
            await leave(self._client)

    async def fetch(self, most: int, wait: float) -> Mapping[Place, Sequence[Arrived]]:
        """Up to `most` records, each partition's in order; waits up to `wait` seconds for the first."""
        async with bounded("fetching"):
            batches = await self._client.getmany(timeout_ms=int(wait * 1000), max_records=most)
        return {
            (self._names[partition.topic], partition.partition): [self._arrived(record) for record in batch]
            for partition, batch in batches.items()
        }

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        """Commits the offset to read next of each partition that is still assigned.

        Raises NotMember when the group has another generation, BrokerAway when the broker does not answer.
        """
        try:
            owned = self._client.assignment()
            own = {at: offset for place, offset in offsets.items() if (at := self._partition(place)) in owned}
            async with bounded("committing offsets"):
                await self._client.commit(own)
        except (CommitFailedError, IllegalStateError) as error:
            raise NotMember("offset commit refused") from error

    def rewind(self, offsets: Mapping[Place, int]) -> None:
        """Of the partitions that are still assigned, `fetch` begins again at these offsets."""
        for place, offset in offsets.items():
            if (partition := self._partition(place)) in self._client.assignment():
                self._client.seek(partition, offset)

    def lag(self, place: Place, offset: int) -> int:
        """Number of records after `offset` at the last fetch; 0 where the partition is not assigned."""
        partition = self._partition(place)
        if partition not in self._client.assignment():
            return 0
        return max(0, (self._client.highwater(partition) or offset) - offset)

    def _partition(self, place: Place) -> TopicPartition:
        return TopicPartition(self._kafka.prefix + place[0], place[1])

    def _arrived(self, r: Any) -> Arrived:
        record = Received(self._names[r.topic], r.partition, r.offset, r.timestamp, r.key, r.value, r.headers)
        return Arrived(record, r.timestamp_type == records.LOG_APPEND_TIME)
