"""Group micro-batching: one publish per partition at a time; records that arrive meanwhile form its next batch."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from chassis.kafka.publisher import Place, Record
from chassis.process.failures import Failure, Transient, Unpublishable

LATE_SECONDS = 1.0
"""A partition is late when its publish has taken longer, and after a failed one until one succeeds."""


class Full(Failure):
    """As much is in flight as the process may hold."""


class Publishes(Protocol):
    """The methods of `chassis.kafka.publisher.Publisher` that are used here."""

    async def by_place(self, records: Sequence[Record]) -> Mapping[Place, Sequence[Record]]:
        """The records by partition; raises Transient while the partitions are unknown."""
        ...

    async def publish(self, records: Sequence[Record], place: Place | None = None) -> None:
        """Returns once every record is acknowledged; raises Transient, or Unpublishable with the refused records."""
        ...


class Room:
    """Limits the events and bytes in the process at once: the client library limits neither."""

    def __init__(self, events: int, size: int) -> None:
        self._most_events = events
        self._most_bytes = size
        self.events = 0
        self.bytes = 0

    def take(self, events: int, size: int) -> None:
        """Raises Full, and then takes nothing."""
        if self.events + events > self._most_events or self.bytes + size > self._most_bytes:
            raise Full(f"{self.events} events and {self.bytes} bytes are in flight")
        self.events += events
        self.bytes += size

    def give(self, events: int, size: int) -> None:
        """Gives back what was taken."""
        self.events -= events
        self.bytes -= size

    def has_half(self, events: int, size: int) -> bool:
        """Whether this is at most half of the whole room."""
        return 2 * events <= self._most_events and 2 * size <= self._most_bytes

    @contextmanager
    def holding(self, requests: int = 0) -> Iterator[Held]:
        """The body's bytes are given back at the end of the block. Raises Full."""
        held = Held(self, requests)
        try:
            yield held
        finally:
            held.free()


class Held:
    """The bytes of a body being read; `requests` counts as events of the room."""

    def __init__(self, room: Room, requests: int) -> None:
        room.take(requests, 0)
        self._room = room
        self._requests = requests
        self.size = 0

    def more(self, size: int) -> None:
        """Raises Full."""
        self._room.take(0, size)
        self.size += size

    def free(self) -> None:
        """Gives back all of it."""
        self._room.give(self._requests, self.size)


class _Share:
    """One request's records for one partition, and the future that the request awaits."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.events = len(records)
        self.size = sum(len(record.value or b"") for record in records)
        self.outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.in_flight = False

    def finish(self, failure: Failure | None = None) -> None:
        if self.outcome.done():
            return
        if failure is None:
            self.outcome.set_result(None)
        else:
            self.outcome.set_exception(failure)


class _Lane:
    """One partition: the records that wait for its next flight, and what it holds of the room."""

    def __init__(self) -> None:
        self.waiting: list[_Share] = []
        self.flying = False
        self.failed = False
        self.departed = 0.0
        self.events = 0
        self.bytes = 0

    def is_late(self) -> bool:
        return self.failed or (self.flying and asyncio.get_running_loop().time() - self.departed > LATE_SECONDS)

    def depart(self) -> list[_Share]:
        """Takes those whose request still waits; the senders of the others will retry."""
        shares = [share for share in self.waiting if not share.outcome.done()]
        self.waiting = []
        for share in shares:
            share.in_flight = True
        self.departed = asyncio.get_running_loop().time()
        return shares


class Flights:
    """Publishes the records of many requests together, one flight per partition at a time.

    A request depends on its own partitions only: a partition without a leader fails no other request, and late ones
    hold at most half of the room together. Records in flight hold their room until the flight ends, even after their
    request was answered with 503: the client library still has them in memory.
    """

    def __init__(self, publisher: Publishes, room: Room, answer_deadline: float) -> None:
        self._publisher = publisher
        self._room = room
        self._answer_deadline = answer_deadline
        self._lanes: defaultdict[Place, _Lane] = defaultdict(_Lane)
        self._called: asyncio.Queue[Place | None] = asyncio.Queue()

    async def publish(self, records: Sequence[Record]) -> None:
        """Returns once every record is acknowledged.

        Raises Full; Unpublishable for a record that the broker refuses; Transient when the acknowledgements do not come
        in time: then records may be written nevertheless, and a retry repeats them.
        """
        shares: dict[Place, _Share] = {}
        try:
            async with asyncio.timeout(self._answer_deadline):
                grouped = await self._publisher.by_place(records)
                shares = self._take({place: _Share(own) for place, own in grouped.items()})
                for share in shares.values():
                    await share.outcome
        except TimeoutError as error:
            raise Transient("the broker has not acknowledged in time") from error
        finally:
            for place, share in shares.items():
                self._leave(place, share)

    async def run(self) -> None:
        """Runs until closed; the last flights publish all that waits."""
        async with asyncio.TaskGroup() as flights:
            while place := await self._called.get():
                flights.create_task(self._fly(place, self._lanes[place]))

    def close(self) -> None:
        """Lets `run` end."""
        self._called.put_nowait(None)

    def _take(self, shares: dict[Place, _Share]) -> dict[Place, _Share]:
        """Queues all of them, or none and raises Full."""
        events, size = sum(share.events for share in shares.values()), sum(share.size for share in shares.values())
        if any(self._lanes[place].is_late() for place in shares):
            late = [lane for lane in self._lanes.values() if lane.is_late()]
            if not self._room.has_half(events + sum(o.events for o in late), size + sum(o.bytes for o in late)):
                raise Full("half of what may be in flight waits for partitions that do not answer")
        self._room.take(events, size)
        for place, share in shares.items():
            lane = self._lanes[place]
            lane.events += share.events
            lane.bytes += share.size
            lane.waiting.append(share)
            if not lane.flying:
                lane.flying = True
                self._called.put_nowait(place)
        return shares

    def _leave(self, place: Place, share: _Share) -> None:
        """Ends the request's wait; records not in flight yet are dropped."""
        if not share.in_flight:
            share.in_flight, share.records = True, ()
            self._give(self._lanes[place], share)
        if not share.outcome.done():
            share.outcome.cancel()
        elif not share.outcome.cancelled():
            share.outcome.exception()  # retrieved, also where another partition's failure was the answer

    def _give(self, lane: _Lane, share: _Share) -> None:
        lane.events -= share.events
        lane.bytes -= share.size
        self._room.give(share.events, share.size)

    async def _fly(self, place: Place, lane: _Lane) -> None:
        """One flight after the other until nothing waits."""
        try:
            while shares := lane.depart():
                lane.failed = not await self._flight(place, shares)
                for share in shares:
                    self._give(lane, share)
        finally:
            lane.flying = False

    async def _flight(self, place: Place, shares: Sequence[_Share]) -> bool:
        """Whether the broker has answered."""
        try:
            await self._publisher.publish([record for share in shares for record in share.records], place)
            for share in shares:
                share.finish()
        except Transient as failure:
            for share in shares:
                share.finish(failure)
            return False
        except Unpublishable as refusal:  # only the request with a refused record fails
            for share in shares:
                share.finish(refusal if any(map(refusal.names, share.records)) else None)
        finally:
            for share in shares:
                share.finish(Transient("the flight was broken off"))
        return True
