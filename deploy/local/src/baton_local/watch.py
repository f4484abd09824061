# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.
"""Watches the topics from outside, without a group: counts everything, reads what is told to people."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from baton_local.board import Board, Counter
from baton_local.topics import PARTITIONS
from baton_local.words import Narrator
from chassis.kafka.records import read_all
from schemas.barrier import BARRIER_KEY
from schemas.topics import TOPICS

COUNTED_ONLY = {"engagements"}
"""Topics of which only the ends are looked at: reading them would cost as much as working on them."""
BEHIND = 500
"""Records of a partition that the reader may be behind before it skips to its end: a view shows what is now."""

Listener = Callable[[bytes], None]


class Watch:
    """Fills the board. `listen` hears every event that is read."""

    def __init__(self, bootstrap_servers: str, board: Board) -> None:
        self._board = board
        self._listeners: list[Listener] = []
        self._narrator = Narrator()
        self._starts: dict[TopicPartition, int] = {}
        self._partitions = [TopicPartition(name, part) for name in TOPICS for part in range(PARTITIONS)]
        read_all()
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers, group_id=None, enable_auto_commit=False, fetch_max_wait_ms=250
        )

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Counts and tells what comes from now on, while the block runs."""
        await self._consumer.start()
        try:
            self._consumer.assign([tp for tp in self._partitions if tp.topic not in COUNTED_ONLY])
            self._starts = await self._consumer.end_offsets(self._partitions)
            for tp in self._consumer.assignment():
                self._consumer.seek(tp, self._starts[tp])
            self._board.counters.update({name: Counter() for name in TOPICS})
            yield
        finally:
            with contextlib.suppress(TimeoutError):  # a client whose broker is gone may never stop by itself
                await asyncio.wait_for(self._consumer.stop(), 1)

    def listen(self, listener: Listener) -> None:
        """Calls the listener with the value of every event read from now on."""
        self._listeners.append(listener)

    async def read(self) -> None:
        """Tells the events; runs until cancelled."""
        while True:
            batches = await self._consumer.getmany(timeout_ms=1000, max_records=1000)
            for records in batches.values():
                for record in records:
                    if record.key != BARRIER_KEY:
                        self._tell(record.topic, record.value)

    async def count(self) -> None:
        """Keeps the counters true to the topics' ends; runs until cancelled."""
        while True:
            try:
                ends = await asyncio.wait_for(self._consumer.end_offsets(self._partitions), 5)
            except (KafkaError, TimeoutError):
                ends = {}  # the broker's own state is shown by its process; the count goes on when it answers
            totals: dict[str, int] = {}
            for tp, end in ends.items():
                totals[tp.topic] = totals.get(tp.topic, 0) + end - self._starts[tp]
            for name, total in totals.items():
                self._board.counters[name].set(total)
            await self._catch_up(ends)
            await asyncio.sleep(1)

    async def _catch_up(self, ends: dict[TopicPartition, int]) -> None:
        for tp in self._consumer.assignment():
            if tp in ends and ends[tp] - await self._consumer.position(tp) > BEHIND:
                self._consumer.seek(tp, ends[tp])

    def _tell(self, topic: str, value: bytes | None) -> None:
        if topic.endswith(("-dlq", "-rejected")):
            self._board.say(f"A record was set aside on {topic}")
            return
        if value is not None:
            for listener in self._listeners:
                listener(value)
        if text := self._narrator.tell(value):
            self._board.say(text)
