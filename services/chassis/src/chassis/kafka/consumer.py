"""Fetches records of the partitions that the Kafka group assigns to this process, and commits offsets as a hint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from chassis.kafka import records
from chassis.process.failures import BrokerAway, Failure
from chassis.process.settings import Kafka

DEADLINE_SECONDS = 12
LEAVE_SECONDS = 5
YEAR_9999 = 253_370_764_800_000
"""Milliseconds; a producer's time stamp may be later, and is then no date."""
Offsets = Mapping[str, int]
"""Topic -> the offset to read next, for one partition."""


class Received(NamedTuple):
    """One record of an input topic, which is named without the prefix; `timestamp` is the broker's, in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]

    @property
    def append_time(self) -> datetime:
        """When the broker got the record."""
        return append_time(self.timestamp)


class NotMember(Failure):
    """The group has another generation: this process no longer owns its partitions."""


class PartitionOwner(Protocol):
    """Receives rebalances. Must not await anything slow, since the client sends no heartbeat meanwhile, and must not
    raise, since the client swallows it.
    """

    def assigned(self, parts: set[int], partial: set[int]) -> None:
        """The partitions of `parts` are owned on every input topic, those of `partial` on some only."""

    def revoked(self) -> None:
        """No partition is owned until `assigned`."""


class Consumer(ConsumerRebalanceListener):
    """Fetches for many partition workers at once, for each only its own partition."""

    def __init__(self, kafka: Kafka, group: str, topics: Sequence[str]) -> None:
        records.read_all()
        self._prefix = kafka.prefix
        self._topics = tuple(topics)
        self._owner: PartitionOwner
        self._started = False
        self._kafka = kafka
        self._group = group

    @cached_property
    def _client(self) -> AIOKafkaConsumer:
        """Made at first use: the client logs an error when it is made and never stopped."""
        return AIOKafkaConsumer(
            **self._kafka.client(),
            group_id=self._kafka.prefix + self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=10_000,
            heartbeat_interval_ms=1_000,
            rebalance_timeout_ms=60_000,
            fetch_min_bytes=32_768,
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=1024 * 1024,
            isolation_level="read_committed",
            metadata_max_age_ms=10_000,
        )

    async def start(self, owner: PartitionOwner) -> None:
        """Joins the group; `owner` receives its rebalances.

        Raises BrokerAway when the broker does not answer or lacks a topic; call it again then. A group that joined
        without its topics assigns nothing and reports no error.
        """
        self._owner = owner
        names = [self._prefix + topic for topic in self._topics]
        async with bounded("joining"):
            if not self._started:
                await self._client.start()
                self._started = True
            if missing := set(names) - await self._client.topics():
                raise BrokerAway(f"topics do not exist yet: {', '.join(sorted(missing))}")
        self._client.subscribe(names, listener=self)

    async def stop(self) -> None:
        """Leaves the group within 5 s, else raises BrokerAway."""
        await leave(self._client)

    def on_partitions_revoked(self, _: Iterable[TopicPartition]) -> None:
        self._owner.revoked()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        owned: dict[int, set[str]] = {}
        for partition in assigned:
            self._client.pause(partition)
            self._client.seek(partition, 0)  # else the fetcher raises NoOffsetForPartition
            owned.setdefault(partition.partition, set()).add(self._name(partition))
        whole = {part for part, topics in owned.items() if topics >= set(self._topics)}
        self._owner.assigned(whole, owned.keys() - whole)

    async def fetch(self, part: int, most: int, wait: float) -> list[Received]:
        """Up to `most` records of the partition, each topic's in order; waits up to `wait` seconds for the first.

        Raises NoAppendTime for a record that has its producer's time stamp.
        """
        async with bounded("fetching"):
            batches = await self._client.getmany(*self._partitions(part), timeout_ms=int(wait * 1000), max_records=most)
        found: list[Received] = []
        for partition, batch in batches.items():
            records.require_append_time(batch)
            topic = self._name(partition)
            found += [Received(topic, part, r.offset, r.timestamp, r.key, r.value, r.headers) for r in batch]
        return found

    async def poll_nothing(self) -> None:
        """Calls poll for 200 ms, which keeps the membership and raises the group's errors while every worker waits."""
        await self._client.getmany(self._partition(self._topics[0], -1), timeout_ms=200)

    def start_reading(self, part: int, offsets: Offsets) -> None:
        """`fetch` answers from now on, beginning at `offsets`. Raises NotMember when the partition is not owned."""
        try:
            for partition in self._partitions(part):
                self._client.seek(partition, offsets[self._name(partition)])
                self._client.resume(partition)
        except IllegalStateError as error:
            raise NotMember(f"partition {part}") from error

    def stop_reading(self, part: int) -> None:
        """Nothing is fetched for the partition until `start_reading`."""
        for partition in self._partitions(part):
            if partition in self._client.assignment():
                self._client.pause(partition)

    def partitions(self) -> int:
        """How many partitions every input topic has. Raises BrokerAway while they differ, or are not known."""
        counts = {len(self._client.partitions_for_topic(self._prefix + topic) or ()) for topic in self._topics}
        if len(counts) > 1 or 0 in counts:
            raise BrokerAway(f"input topics have {sorted(counts)} partitions, and must have as many each")
        return counts.pop()

    async def bounds(self, part: int) -> Mapping[str, tuple[int, int]]:
        """Each topic's first offset and the offset after its last record, as the broker has them now."""
        partitions = self._partitions(part)
        async with bounded("asking for offsets"):
            first = await self._client.beginning_offsets(partitions)
            last = await self._client.end_offsets(partitions)
        return {self._name(p): (first[p], last[p]) for p in partitions}

    async def before(self, part: int, offsets: Offsets) -> Mapping[str, int]:
        """The time stamp of the record before each offset, where the log still has it. Raises NotMember.

        It moves the reading position: `start_reading` must follow. Raises NoAppendTime as `fetch` does.
        """
        wanted = {self._partition(topic, part): offset - 1 for topic, offset in offsets.items()}
        found: dict[str, int] = {}
        try:
            async with bounded("reading the last record again"):
                for partition, offset in wanted.items():
                    self._client.seek(partition, offset)
                    self._client.resume(partition)
                while missing := [p for p in wanted if self._name(p) not in found]:
                    for partition, batch in (await self._client.getmany(*missing, timeout_ms=1000)).items():
                        records.require_append_time(batch[:1])
                        same = batch[0].offset == wanted[partition]  # else compaction has deleted it
                        found[self._name(partition)] = batch[0].timestamp if same else -1
        except IllegalStateError as error:
            raise NotMember(f"partition {part}") from error
        finally:
            self.stop_reading(part)
        return {topic: stamp for topic, stamp in found.items() if stamp >= 0}

    def lag(self, part: int, topic: str, offset: int) -> int:
        """Number of records after `offset` at the last fetch; 0 before the first."""
        partition = self._partition(topic, part)
        if partition not in self._client.assignment():
            return 0
        return max(0, (self._client.highwater(partition) or offset) - offset)

    async def commit(self, progress: Mapping[int, Offsets]) -> None:
        """Commits the offsets to Kafka, for lag tools, and so checks the membership.

        Raises NotMember when the group has another generation, BrokerAway when the broker does not answer.
        """
        offsets = {
            self._partition(topic, part): offset for part, owned in progress.items() for topic, offset in owned.items()
        }
        try:
            async with bounded("committing offsets"):
                await self._client.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            raise NotMember("offset commit refused") from error

    def _partition(self, topic: str, part: int) -> TopicPartition:
        return TopicPartition(self._prefix + topic, part)

    def _name(self, of: Any) -> str:
        return str(of.topic).removeprefix(self._prefix)

    def _partitions(self, part: int) -> list[TopicPartition]:
        return [self._partition(topic, part) for topic in self._topics]


@lru_cache(maxsize=1024)
def append_time(milliseconds: int) -> datetime:
    """A record's time stamp as an instant. Cached: all records of a broker's batch have one append time."""
    return datetime.fromtimestamp(min(max(milliseconds, 0), YEAR_9999) / 1000, UTC)


async def leave(client: AIOKafkaConsumer) -> None:
    """Leaves the client's group within 5 s, else raises BrokerAway."""
    # In a task of its own: without a broker the client's close raises a CancelledError that nobody asked for.
    closing = asyncio.create_task(client.stop())
    done, _ = await asyncio.wait({closing}, timeout=LEAVE_SECONDS)
    if not done:
        closing.cancel()
    if not done or closing.cancelled() or closing.exception():
        raise BrokerAway("leaving: the broker does not answer")


@asynccontextmanager
async def bounded(doing: str, seconds: float = DEADLINE_SECONDS) -> AsyncIterator[None]:
    """Bounds a wait on the broker; the error names what was awaited."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (CommitFailedError, IllegalStateError):
        raise
    except (TimeoutError, KafkaError, OSError) as error:
        raise BrokerAway(f"{doing}: {type(error).__name__}") from error
