# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.
"""Reads the topics without a group and fills the board: counts, the funnel, lines for people."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from baton_local.board import Board, Counter
from baton_local.topics import PARTITIONS
from baton_local.words import Narrator
from chassis.kafka.records import read_all
from chassis.process.settings import Kafka
from schemas.barrier import BARRIER_KEY
from schemas.topics import TOPICS

COUNTED_ONLY = {"engagements"}
"""Topics of which only the end offsets are read: reading them would cost as much as working on them."""
BEHIND = 500
"""Records of a partition that the reader may be behind before it skips to the end."""

Listener = Callable[[bytes], None]


class Watch:
    """Fills the board; a listener is called with every event read.

    A topic that is read counts its events, without barriers and the control records of transactions.
    """

    def __init__(self, kafka: Kafka, board: Board) -> None:
        self._prefix = kafka.prefix
        self._board = board
        self._listeners: list[Listener] = [board.funnel.take]
        self._narrator = Narrator()
        self._starts: dict[TopicPartition, int] = {}
        names = [kafka.prefix + name for name in TOPICS]
        self._partitions = [TopicPartition(name, part) for name in names for part in range(PARTITIONS)]
        read_all()
        self._consumer = AIOKafkaConsumer(
            **kafka.client(), group_id=None, enable_auto_commit=False, fetch_max_wait_ms=250
        )

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Counts and shows what comes while the block runs."""
        await self._consumer.start()
        try:
            self._consumer.assign([tp for tp in self._partitions if self._name(tp) not in COUNTED_ONLY])
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
        """Passes events on; runs until cancelled."""
        while True:
            batches = await self._consumer.getmany(timeout_ms=1000, max_records=1000)
            for records in batches.values():
                for record in records:
                    if record.key != BARRIER_KEY:
                        self._board.counters[self._name(record)].total += 1
                        self._tell(self._name(record), record.value)

    async def count(self) -> None:
        """Samples the counters once a second; runs until cancelled."""
        while True:
            try:
                ends = await asyncio.wait_for(self._consumer.end_offsets(self._partitions), 5)
            except (KafkaError, TimeoutError):
                ends = {}  # the broker's state is shown by its process; counting continues when it answers
            for name in COUNTED_ONLY if ends else ():
                grown = [end - self._starts[tp] for tp, end in ends.items() if self._name(tp) == name]
                self._board.counters[name].total = sum(grown)
            await self._catch_up(ends)
            for counter in self._board.counters.values():
                counter.sample()
            await asyncio.sleep(1)

    async def _catch_up(self, ends: dict[TopicPartition, int]) -> None:
        for tp in self._consumer.assignment():
            if tp in ends and (behind := ends[tp] - await self._consumer.position(tp)) > BEHIND:
                self._consumer.seek(tp, ends[tp])
                self._board.counters[self._name(tp)].total += behind
                self._board.say(f"{behind:,} records of {self._name(tp)} are counted, but not shown: too many at once")

    def _name(self, of: Any) -> str:
        """The topic's name without the prefix."""
        return str(of.topic).removeprefix(self._prefix)

    def _tell(self, topic: str, value: bytes | None) -> None:
        if topic.endswith(("-dlq", "-rejected")):
            self._board.say(f"A record was set aside on {topic}")
            return
        if value is not None:
            for listener in self._listeners:
                listener(value)
        if text := self._narrator.tell(value):
            self._board.say(text)
