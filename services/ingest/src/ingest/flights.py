"""Group micro-batching: one publish a partition in flight, what arrives meanwhile is its next (delivery.md §3)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from chassis.kafka.publisher import Place, Record
from chassis.process.failures import Failure, Transient, Unpublishable

LATE_SECONDS = 1.0
"""A partition is late once its flight has been in the air for so long, and after a failed one until one lands."""


class Full(Failure):
    """So much is in flight that no more is taken on."""


class Publishes(Protocol):
    """What `chassis.kafka.publisher.Publisher` promises."""

    async def by_place(self, records: Sequence[Record]) -> Mapping[Place, Sequence[Record]]:
        """The records by the partition that they go to; raises Transient while that is not known."""
        ...

    async def publish(self, records: Sequence[Record], place: Place | None = None) -> None:
        """Returns once every record is acknowledged; raises Transient, or Unpublishable that names the refused ones."""
        ...


class Room:
    """How many events and bytes may be in the process at once: the client library itself bounds nothing."""

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
        """Back what was taken."""
        self.events -= events
        self.bytes -= size

    def has_half(self, events: int, size: int) -> bool:
        """Whether so much is no more than half of the whole room."""
        return 2 * events <= self._most_events and 2 * size <= self._most_bytes

    @contextmanager
    def holding(self, requests: int = 0) -> Iterator[Held]:
        """What is taken through it is given back at the end of the block. Raises Full."""
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
        """Gives all of it back."""
        self._room.give(self._requests, self.size)


class _Seat:
    """One request's records on one partition, and the future that its handler awaits."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.events = len(records)
        self.size = sum(len(record.value or b"") for record in records)
        self.landed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.boarded = False

    def settle(self, failure: Failure | None = None) -> None:
        if self.landed.done():
            return
        if failure is None:
            self.landed.set_result(None)
        else:
            self.landed.set_exception(failure)


class _Lane:
    """One partition: who waits for its next flight, what it holds of the room, and since when one is in the air."""

    def __init__(self) -> None:
        self.waiting: list[_Seat] = []
        self.flying = False
        self.failed = False
        self.departed = 0.0
        self.events = 0
        self.bytes = 0

    def is_late(self) -> bool:
        return self.failed or (self.flying and asyncio.get_running_loop().time() - self.departed > LATE_SECONDS)

    def board(self) -> list[_Seat]:
        """Those who still wait; for the others, their senders come again."""
        seats = [seat for seat in self.waiting if not seat.landed.done()]
        self.waiting = []
        for seat in seats:
            seat.boarded = True
        self.departed = asyncio.get_running_loop().time()
        return seats


class Flights:
    """Takes the records of many requests to the broker together, each partition's on flights of its own.

    A request is settled by its own partitions alone: one without a leader fails no other request, and all late ones
    together hold half of the room at most. What has boarded holds its room until the flight is over, even when the
    request has long been answered with 503: what the broker has not yet let go of still takes memory.
    """

    def __init__(self, publisher: Publishes, room: Room, answer_deadline: float) -> None:
        self._publisher = publisher
        self._room = room
        self._answer_deadline = answer_deadline
        self._lanes: defaultdict[Place, _Lane] = defaultdict(_Lane)
        self._called: asyncio.Queue[Place | None] = asyncio.Queue()

    async def publish(self, records: Sequence[Record]) -> None:
        """Returns once every record is acknowledged.

        Raises Full; Unpublishable for a record that the broker refuses; Transient when the acknowledgements do not
        come in time. In the latter case records may land all the same, and a retry repeats them.
        """
        seats: dict[Place, _Seat] = {}
        try:
            async with asyncio.timeout(self._answer_deadline):
                grouped = await self._publisher.by_place(records)
                seats = self._take({place: _Seat(own) for place, own in grouped.items()})
                for seat in seats.values():
                    await seat.landed
        except TimeoutError as error:
            raise Transient("the broker has not acknowledged in time") from error
        finally:
            for place, seat in seats.items():
                self._leave(place, seat)

    async def run(self) -> None:
        """Until closed; the last flights take along all that wait."""
        async with asyncio.TaskGroup() as flights:
            while place := await self._called.get():
                flights.create_task(self._fly(place, self._lanes[place]))

    def close(self) -> None:
        """Lets `run` end."""
        self._called.put_nowait(None)

    def _take(self, seats: dict[Place, _Seat]) -> dict[Place, _Seat]:
        """All of them wait for a flight, or none: raises Full."""
        events, size = sum(seat.events for seat in seats.values()), sum(seat.size for seat in seats.values())
        if any(self._lanes[place].is_late() for place in seats):
            late = [lane for lane in self._lanes.values() if lane.is_late()]
            if not self._room.has_half(events + sum(o.events for o in late), size + sum(o.bytes for o in late)):
                raise Full("half of what may be in flight waits for partitions that do not answer")
        self._room.take(events, size)
        for place, seat in seats.items():
            lane = self._lanes[place]
            lane.events += seat.events
            lane.bytes += seat.size
            lane.waiting.append(seat)
            if not lane.flying:
                lane.flying = True
                self._called.put_nowait(place)
        return seats

    def _leave(self, place: Place, seat: _Seat) -> None:
        """The request is over: what has not boarded yet never will."""
        if not seat.boarded:
            seat.boarded, seat.records = True, ()
            self._give(self._lanes[place], seat)
        if not seat.landed.done():
            seat.landed.cancel()
        elif not seat.landed.cancelled():
            seat.landed.exception()  # heard, also where another partition's failure was the answer

    def _give(self, lane: _Lane, seat: _Seat) -> None:
        lane.events -= seat.events
        lane.bytes -= seat.size
        self._room.give(seat.events, seat.size)

    async def _fly(self, place: Place, lane: _Lane) -> None:
        """One flight of the partition after the other, until nobody waits."""
        try:
            while seats := lane.board():
                lane.failed = not await self._flight(place, seats)
                for seat in seats:
                    self._give(lane, seat)
        finally:
            lane.flying = False

    async def _flight(self, place: Place, seats: Sequence[_Seat]) -> bool:
        """Whether the broker has answered."""
        try:
            await self._publisher.publish([record for seat in seats for record in seat.records], place)
            for seat in seats:
                seat.settle()
        except Transient as failure:
            for seat in seats:
                seat.settle(failure)
            return False
        except Unpublishable as refusal:  # only the request with a refused record hears of it
            for seat in seats:
                seat.settle(refusal if any(map(refusal.names, seat.records)) else None)
        finally:
            for seat in seats:
                seat.settle(Transient("the flight was broken off"))
        return True
