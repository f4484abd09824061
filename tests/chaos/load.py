"""The load of the chaos suite: trackers and sales over HTTP, a platform straight onto the topic, a tracker to an inbox.

Everything is sent until it is acknowledged, whatever is dead meanwhile, and kept account of.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence

from tests.chaos.book import Book
from tests.chaos.broker import Producer
from tests.chaos.crm import Crm
from tests.chaos.door import Door, Request
from tests.chaos.inbox import Writer
from tests.chaos.senders import Platform, Tracker
from tests.chaos.traffic import Key, Message, Pace
from tests.infrastructure import Room

TICK = 0.05
CLIENT_RETRIES = 0.20
"""Share of the requests that are sent again though they were answered."""
PLATFORM = 0.3
"""The platform's share of the events."""
INBOX = 0.15
"""The inbox's share, where there is one: taken from the tracker's."""
PER_LEAD = 20
TOGETHER = 100
"""Logins in one request."""
SETTLE_SECONDS = 120.0


class Load:
    """`rate` distinct events a second by people who do about PER_LEAD things each; the same for the same seed."""

    def __init__(self, room: Room, http_port: int, seed: int, rate: float = 200.0, inbox: str | None = None) -> None:
        """`inbox` is the topic of one, if one is running."""
        self.book = Book()
        self._rate = rate
        self._chance = random.Random(seed)
        self._inbox = INBOX if inbox else 0.0
        self._tracker = Tracker(seed, "tracker", PER_LEAD * (1 - PLATFORM - self._inbox), self.book.counts)
        self._writer = Writer(seed, "writer", PER_LEAD * INBOX, self.book.counts)
        self._into = Producer(room.bootstrap_servers, f"{room.prefix}{inbox}", self.book)
        self._platform = Platform(seed, "platform", PER_LEAD * PLATFORM, self.book.counts)
        self._door = Door(http_port, self.book)
        self._producer = Producer(room.bootstrap_servers, f"{room.prefix}engagements", self.book)
        self._crm = Crm(room.bootstrap_servers, f"{room.prefix}lead-handoffs", seed, self._door, self.book)
        self._senders: list[asyncio.Task[None]] = []
        self._workers: list[asyncio.Task[None]] = []

    @property
    def acknowledged(self) -> set[Key]:
        """(topic, lead, source, id) of every event that was answered with success or acknowledged."""
        return self.book.acknowledged

    @property
    def counts(self) -> Counter[str]:
        """What was made (events, late, duplicates, poison) and what happened so far; the same object all the time."""
        return self.book.counts

    async def run(self, stop: asyncio.Event) -> None:
        """Sends until `stop` is set. Raises what a sender of its own raises, for that is a mistake in the load."""
        self._workers = [asyncio.create_task(self._door.run()), asyncio.create_task(self._crm.run())]
        self._senders = [asyncio.create_task(self._track(stop)), asyncio.create_task(self._publish(stop))]
        if self._inbox:
            self._senders.append(asyncio.create_task(self._write(stop)))
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait({stopped, *self._workers, *self._senders}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
        finally:
            stopped.cancel()

    async def finish(self, seconds: float = SETTLE_SECONDS) -> None:
        """Sends again all that is not acknowledged until it is. Raises TimeoutError after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*self._senders)
                await self._log_in()
                await self._crm.settled(quiet=3)
                await self._door.settled()
        finally:
            await self.close()

    async def close(self) -> None:
        """Ends everything at once; harmless when it has ended."""
        for task in (*self._senders, *self._workers):
            task.cancel()
        await asyncio.gather(*self._senders, *self._workers, return_exceptions=True)
        await asyncio.gather(self._producer.stop(), self._into.stop())

    async def _track(self, stop: asyncio.Event) -> None:
        pace = Pace(self._rate * (1 - PLATFORM - self._inbox))
        while not stop.is_set():
            count = pace.owed()
            if not self._door.full:
                messages = self._tracker.due(count, time.monotonic())
                alone = messages[:1] if self._chance.random() < 0.2 else []
                for part in (alone, messages[len(alone) :]):
                    if part:
                        await self._door.put(self._request(part, single=part is alone))
            await asyncio.sleep(TICK)

    async def _log_in(self) -> None:
        """Has everybody log in: the model knows no device that belongs to two leads in the end."""
        left = self._tracker.logins(self._tracker.met | self._platform.met | self._writer.met)
        for at in range(0, len(left), TOGETHER):
            await self._door.put(self._request(left[at : at + TOGETHER], single=False))

    def _request(self, messages: Sequence[Message], *, single: bool) -> Request:
        def taken() -> None:
            self._acknowledge(messages)

        again = self._chance.random() < CLIENT_RETRIES
        if single and (call := messages[0].content["type"]) in ("track", "identify", "page"):
            return Request(f"/v1/{call}", messages[0].content, taken, again)
        return Request("/v1/batch", {"batch": [message.content for message in messages]}, taken, again)

    def _acknowledge(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.poison:
                self.book.rejected.add(message.event.id)
            else:
                self.book.acknowledged.update(message.keys)

    async def _write(self, stop: asyncio.Event) -> None:
        pace = Pace(self._rate * self._inbox)
        while not stop.is_set():
            messages = self._writer.due(pace.owed(), time.monotonic())
            await self._into.send(messages)
            self._acknowledge(messages)
            await asyncio.sleep(2 * TICK)

    async def _publish(self, stop: asyncio.Event) -> None:
        pace = Pace(self._rate * PLATFORM)
        while not stop.is_set():
            messages = self._platform.due(pace.owed(), time.monotonic())
            await self._producer.send(messages)
            for message in messages:
                self._platform.settle(message)
                if message.poison:
                    self.book.poison[message.poison].add(message.raw)
                else:
                    self.book.acknowledged.update(message.keys)
            await asyncio.sleep(2 * TICK)
