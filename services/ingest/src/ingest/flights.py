"""Group micro-batching: one publish is in flight, whatever arrives meanwhile is the next (delivery.md §3)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from chassis.failures import Failure, Transient, Unpublishable
from chassis.publisher import Record


class Full(Failure):
    """So much is in flight that no more is taken on."""


class Publishes(Protocol):
    """What `chassis.publisher.Publisher` promises."""

    async def publish(self, records: Sequence[Record]) -> None:
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

    @contextmanager
    def holding(self) -> Iterator[Held]:
        """What is taken through it is given back at the end of the block."""
        held = Held(self)
        try:
            yield held
        finally:
            self.give(0, held.size)


class Held:
    """The bytes of one request's body."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.size = 0

    def more(self, size: int) -> None:
        """Raises Full."""
        self._room.take(0, size)
        self.size += size


class _Seat:
    """The records of one request, and the future that its handler awaits; done once it has given up."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.size = sum(len(record.value or b"") for record in records)
        self.landed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def give_up(self) -> None:
        """To be called at the answer deadline."""
        self.settle(Transient("the broker has not acknowledged in time"))

    def settle(self, failure: Failure | None = None) -> None:
        if self.landed.done():
            return
        if failure is None:
            self.landed.set_result(None)
        else:
            self.landed.set_exception(failure)


class Flights:
    """Takes the records of many requests to the broker together.

    Room is held from boarding until the flight is over, even when the request has long been answered with 503: what
    the broker has not yet let go of still takes memory.
    """

    def __init__(self, publisher: Publishes, room: Room, answer_deadline: float) -> None:
        self._publisher = publisher
        self._room = room
        self._answer_deadline = answer_deadline
        self._waiting: list[_Seat] = []
        self._called = asyncio.Event()
        self._closed = False

    async def publish(self, records: Sequence[Record]) -> None:
        """Returns once every record is acknowledged.

        Raises Full; Unpublishable for a record that the broker refuses; Transient when the acknowledgements do not
        come in time. In the latter case records may land all the same, and a retry repeats them.
        """
        seat = _Seat(records)
        self._room.take(len(records), seat.size)
        self._waiting.append(seat)
        self._called.set()
        late = asyncio.get_running_loop().call_later(self._answer_deadline, seat.give_up)
        try:
            await seat.landed
        finally:
            late.cancel()

    async def run(self) -> None:
        """One flight after the other until closed; the last takes along all that wait."""
        while self._waiting or not self._closed:
            await self._called.wait()
            self._called.clear()
            if seats := self._board():
                await self._fly(seats)

    def close(self) -> None:
        """Lets `run` end."""
        self._closed = True
        self._called.set()

    def _board(self) -> list[_Seat]:
        """Those who still wait; for the others, their senders come again."""
        waiting, self._waiting = self._waiting, []
        for seat in waiting:
            if seat.landed.done():
                self._room.give(len(seat.records), seat.size)
        return [seat for seat in waiting if not seat.landed.done()]

    async def _fly(self, seats: list[_Seat]) -> None:
        try:
            await self._publisher.publish([record for seat in seats for record in seat.records])
            for seat in seats:
                seat.settle()
        except Transient as failure:
            for seat in seats:
                seat.settle(failure)
        except Unpublishable as refusal:  # only the request with a refused record hears of it
            for seat in seats:
                seat.settle(refusal if any(map(refusal.names, seat.records)) else None)
        finally:
            for seat in seats:
                seat.settle(Transient("the flight was broken off"))
                self._room.give(len(seat.records), seat.size)
