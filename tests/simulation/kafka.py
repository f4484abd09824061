"""The clients: chassis.kafka.consumer and chassis.kafka.publisher on the simulated log."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Self

from chassis.kafka.consumer import Consumer, NotMember, Offsets, PartitionOwner, Received
from chassis.kafka.publisher import Place, Publisher, Record, size_of
from chassis.process.failures import Unpublishable
from schemas.identity import partition_of
from schemas.sizes import record_limit
from tests.simulation.log import Group, Log
from tests.simulation.loop import PROCESS, asker
from tests.simulation.network import SERVERS, Network


class LogConsumer(Consumer):
    """One membership in a group of the simulated log."""

    def __init__(self, log: Log, group: Group, network: Network, topics: Sequence[str], chance: Random) -> None:
        self._log = log
        self._members = group
        self._network = network
        self._topics = tuple(topics)
        self._chance = chance
        self._generation = 0
        self._parts: set[int] = set()
        self._reading: set[int] = set()
        self._positions: dict[tuple[str, int], int] = {}
        self.fetching: Callable[[int], None] = lambda _: None
        """Is told of every fetch: whoever fetches has nothing else in hand."""
        self.context = asker()
        process = PROCESS.get(None)
        self._process = process.name if process else ""

    async def start(self, owner: PartitionOwner) -> None:
        self._owner = owner
        await self._network.ask("join", lambda: self._members.join(self))

    async def stop(self) -> None:
        await self._network.ask("leave", lambda: self._members.leave(self))

    def revoked(self, generation: int) -> None:
        """The group says that it rebalances."""
        if generation < self._generation:
            return
        self._generation = generation
        self._drop()
        self._send(lambda: self._members.rejoin(self, generation))

    def assigned(self, generation: int, parts: set[int]) -> None:
        """The group says what is ours; it may have moved on meanwhile."""
        if generation < self._generation:
            return
        self._generation, self._parts = generation, parts
        self._positions = {(topic, part): 0 for topic in self._topics for part in parts}
        self._owner.assigned(set(parts), set())

    def expelled(self) -> None:
        """The group has long gone on without us."""
        self._drop()
        self._send(lambda: self._members.join(self))

    def _drop(self) -> None:
        self._parts, self._reading = set(), set()
        self._owner.revoked()

    def _send(self, message: Any) -> None:
        delay = 0.001 if self._network.calm else self._chance.random()
        asyncio.get_running_loop().call_later(delay, message, context=SERVERS)

    async def fetch(self, part: int, most: int, wait: float) -> list[Received]:
        self.fetching(part)
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while not (records := self._take(part, most)) and loop.time() < until:
            await self._log.news(self._topics, part, until - loop.time())
        await asyncio.sleep(0 if self._network.calm else self._chance.random() / 50)
        return records

    def _take(self, part: int, most: int) -> list[Received]:
        taken: list[Received] = []
        if part not in self._reading or "log" in self._network.down:
            return taken
        for topic in self._chance.sample(self._topics, len(self._topics)):
            ready = self._log.read(topic, part, self._positions[topic, part], self._log.stable(topic, part))
            ready = ready[: self._chance.randint(1, len(ready))] if ready and not self._network.calm else ready
            ready = ready[: most - len(taken)]
            if ready:
                self._positions[topic, part] = ready[-1].offset + 1
                taken += self._skip(ready)
        return taken

    def _skip(self, ready: list[Received]) -> list[Received]:
        """A client's mistake: the first record is never answered; not the last one, and not twice the same."""
        place = (ready[0].topic, ready[0].partition, ready[0].offset)
        if len(ready) > 1 and place not in self._log.skipped and self._network.glitch(self._process, "fetch", "skip"):
            self._log.skipped.add(place)
            return ready[1:]
        return ready

    async def poll_nothing(self) -> None:
        await asyncio.sleep(5)

    def start_reading(self, part: int, offsets: Offsets) -> None:
        self._require(part)
        self._positions.update(((topic, part), offsets[topic]) for topic in self._topics)
        self._reading.add(part)

    def stop_reading(self, part: int) -> None:
        self._reading.discard(part)

    def partitions(self) -> int:
        return self._log.parts

    async def bounds(self, part: int) -> Mapping[str, tuple[int, int]]:
        return await self._network.ask(
            "bounds", lambda: {topic: (0, self._log.stable(topic, part)) for topic in self._topics}
        )

    async def before(self, part: int, offsets: Offsets) -> Mapping[str, int]:
        self._require(part)
        found = await self._network.ask("before", lambda: [self._log.at(t, part, at - 1) for t, at in offsets.items()])
        self._require(part)
        self.stop_reading(part)
        return {record.topic: record.timestamp for record in found if record}

    def lag(self, part: int, topic: str, offset: int) -> int:
        return max(0, self._log.end(topic, part) - offset) if part in self._parts else 0

    async def commit(self, progress: Mapping[int, Offsets]) -> None:
        if not progress:
            raise ValueError(progress)
        for part in progress:
            self._require(part)
        generation = self._generation

        def taken() -> None:
            if not self._members.accepts(self, generation):
                raise NotMember("offset commit refused")

        await self._network.ask("offsets", taken)

    def _require(self, part: int) -> None:
        if part not in self._parts:
            raise NotMember(f"partition {part}")


class LogPublisher(Publisher):
    """A producer's batches: each lands whole and in order, the batches of one call in any order or not at all."""

    def __init__(self, log: Log, network: Network) -> None:
        self._log = log
        self._network = network

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to close."""

    @property
    def rebuilds(self) -> int:
        return 0

    async def by_place(self, records: Sequence[Record]) -> Mapping[Place, Sequence[Record]]:
        found: dict[Place, list[Record]] = defaultdict(list)
        for record in records:
            part = partition_of(record.key or b"", self._log.parts) if record.partition is None else record.partition
            found[record.topic, part].append(record)
        return found

    async def append(self, record: Record) -> int:
        landing = _landing(self._log, record.topic, record.partition or 0, [record])
        offset: int = await self._network.ask("publish", landing)
        return offset

    async def publish(self, records: Sequence[Record], place: Place | None = None) -> None:
        refused = [record for record in records if size_of(record) > record_limit(record.topic)]
        batches = await self.by_place([record for record in records if not any(record is each for each in refused)])
        sent = [self._network.ask("publish", _landing(self._log, *place, batch)) for place, batch in batches.items()]
        for outcome in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        if refused:
            raise Unpublishable(f"{refused[0].topic}: too large, or not allowed", refused)


def _landing(log: Log, topic: str, part: int, batch: Sequence[Record]) -> Any:
    def land() -> int:
        first = log.end(topic, part)
        for record in batch:
            log.append(topic, part, record.key, record.value, record.headers)
        return first

    return land
