"""The simulated log: topics in memory, and a consumer group that assigns their partitions by generation."""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from functools import partial
from random import Random
from typing import Protocol

from chassis.kafka.consumer import Received
from chassis.kafka.publisher import Headers
from tests.simulation.network import SERVERS, Network

SESSION_SECONDS = 10


class Log:
    """Append-only partitions; what is appended is seen by all from that instant on.

    But not by who reads committed records only, while it lies behind the beginning of an open transaction.
    """

    def __init__(self, topics: Sequence[str], parts: int, now: Callable[[], int]) -> None:
        self.parts = parts
        self._now = now
        self._written: dict[tuple[str, int], list[Received | None]] = {
            (topic, part): [] for topic in topics for part in range(parts)
        }
        self._waiting: dict[asyncio.Future[None], tuple[Sequence[str], int]] = {}
        self._open: dict[tuple[str, int], list[int]] = {}
        """Topic partition -> where its open transactions began."""
        self.skipped: set[tuple[str, int, int]] = set()

    def append(self, topic: str, part: int, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        written = self._written[topic, part]
        written.append(Received(topic, part, len(written), self._now(), key, value, tuple(headers)))
        self._tell(topic, part)

    def _tell(self, topic: str, part: int) -> None:
        for future, (topics, of) in self._waiting.items():
            if of == part and topic in topics and not future.done():
                future.set_result(None)

    def mark(self, topic: str, part: int) -> None:
        """The end of a foreign producer's transaction takes an offset, and is no record."""
        self._written[topic, part].append(None)

    def begin(self, topic: str, part: int) -> int:
        """A foreign producer's transaction begins with a record that will never be read, for it will be aborted.

        Returns what `finish` wants.
        """
        began = self.end(topic, part)
        self._open.setdefault((topic, part), []).append(began)
        self.mark(topic, part)
        return began

    def finish(self, topic: str, part: int, began: int) -> None:
        """The transaction is aborted; nothing to do where it is so already."""
        if began in self._open.get((topic, part), []):
            self._open[topic, part].remove(began)
            self.mark(topic, part)
            self._tell(topic, part)

    def finish_all(self) -> None:
        """No transaction is left open."""
        for (topic, part), begun in self._open.items():
            for began in list(begun):
                self.finish(topic, part, began)

    def end(self, topic: str, part: int) -> int:
        """The high watermark."""
        return len(self._written[topic, part])

    def stable(self, topic: str, part: int) -> int:
        """The end for who reads committed records only."""
        return min(self._open.get((topic, part)) or [self.end(topic, part)])

    def at(self, topic: str, part: int, offset: int) -> Received | None:
        """The record at the offset; a mark is none."""
        return self._written[topic, part][offset]

    def read(self, topic: str, part: int, offset: int = 0, until: int | None = None) -> list[Received]:
        """The records from `offset` on and before `until`, to the end unless said."""
        return [record for record in self._written[topic, part][offset:until] if record is not None]

    def topic(self, topic: str) -> list[Received]:
        """Every record of the topic, partition by partition."""
        return [record for part in range(self.parts) for record in self.read(topic, part)]

    async def news(self, topics: Sequence[str], part: int, seconds: float) -> None:
        """Returns when something is appended there, or after so long."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting[future] = (topics, part)
        timer = loop.call_later(seconds, lambda: None if future.done() else future.set_result(None))
        try:
            await future
        finally:
            timer.cancel()
            del self._waiting[future]


class Member(Protocol):
    """A process in the group. It hears of everything late, or never."""

    context: Context

    def revoked(self, generation: int) -> None: ...
    def assigned(self, generation: int, parts: set[int]) -> None: ...
    def expelled(self) -> None: ...


class Group:
    """Kafka's classic group with one range assignor: a rebalance stops everyone, then shares all out anew."""

    def __init__(self, parts: int, chance: Random, network: Network) -> None:
        self._parts = parts
        self._chance = chance
        self._network = network
        self._awaited: list[Member] = []
        self.members: list[Member] = []
        self.generation = 0

    def accepts(self, member: Member, generation: int) -> bool:
        """Whether an offset commit of this generation is taken."""
        return member in self.members and not self._awaited and generation == self.generation

    def join(self, member: Member) -> None:
        if member not in self.members:
            self.members.append(member)
        self.rebalance()

    def leave(self, member: Member) -> None:
        if member in self.members:
            self.members.remove(member)
            self.rebalance()

    def expel(self, member: Member) -> None:
        """For a member whose heartbeats are missed; it hears of that when it hears of anything."""
        if member in self.members:
            self.leave(member)
            self._soon(member.expelled, member.context, 8)

    def rebalance(self) -> None:
        self.generation += 1
        self._awaited = list(self.members)
        for member in self.members:
            self._soon(partial(member.revoked, self.generation), member.context)
        asyncio.get_running_loop().call_later(SESSION_SECONDS, self._expire, self.generation, context=SERVERS)

    def rejoin(self, member: Member, generation: int) -> None:
        """The member has heard of the rebalance and is ready."""
        if generation == self.generation and member in self._awaited:
            self._awaited.remove(member)
            if not self._awaited:
                self._share_out()

    def _expire(self, generation: int) -> None:
        if generation == self.generation and self._awaited:
            for member in self._awaited:
                self.members.remove(member)
                self._soon(member.expelled, member.context)
            self._awaited = []
            self._share_out()

    def _share_out(self) -> None:
        first = 0
        for place, member in enumerate(self.members):
            count = self._parts // len(self.members) + (place < self._parts % len(self.members))
            self._soon(partial(member.assigned, self.generation, set(range(first, first + count))), member.context)
            first += count

    def _soon(self, what: Callable[[], None], context: Context, seconds: float = 2) -> None:
        delay = self._chance.random() * (0.01 if self._network.calm else seconds)
        asyncio.get_running_loop().call_later(delay, what, context=context)
