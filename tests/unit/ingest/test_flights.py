"""Group micro-batching: one flight at a time, and what room it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from chassis.failures import Transient, Unpublishable
from chassis.publisher import Record
from ingest.flights import Flights, Full, Room


def a_record(name: str, size: int = 10) -> Record:
    return Record("engagements", name.encode(), b"x" * size)


def names(records: Sequence[Record]) -> list[str]:
    return [(record.key or b"").decode() for record in records]


class Runway:
    """A broker whose acknowledgements the test gives one by one."""

    def __init__(self) -> None:
        self.departures: asyncio.Queue[tuple[list[str], asyncio.Future[None]]] = asyncio.Queue()

    async def publish(self, records: Sequence[Record]) -> None:
        landed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.departures.put_nowait((names(records), landed))
        await landed

    async def next(self, *expected: str) -> asyncio.Future[None]:
        async with asyncio.timeout(5):
            found, landed = await self.departures.get()
        assert found == list(expected)
        return landed


@asynccontextmanager
async def flying(flights: Flights) -> AsyncIterator[None]:
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(flights.run())
        yield
        flights.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nothing signals that room was taken or given
            await asyncio.sleep(0)


async def test_what_arrives_during_a_flight_is_the_next_one_together() -> None:
    runway, room = Runway(), Room(100, 10_000)
    flights = Flights(runway, room, 5)
    async with flying(flights):
        first = asyncio.create_task(flights.publish([a_record("a")]))
        landing = await runway.next("a")
        others = [asyncio.create_task(flights.publish([a_record(name)])) for name in "bcd"]
        await until(lambda: room.events == 4)
        assert runway.departures.empty()
        assert not first.done()
        landing.set_result(None)
        await first
        landing = await runway.next("b", "c", "d")
        assert not any(task.done() for task in others)
        landing.set_result(None)
        await asyncio.gather(*others)
    assert (room.events, room.bytes) == (0, 0)


async def test_a_failed_flight_is_told_to_all_on_board_and_the_next_one_flies() -> None:
    runway, room = Runway(), Room(100, 10_000)
    flights = Flights(runway, room, 5)
    async with flying(flights):
        task = asyncio.create_task(flights.publish([a_record("a")]))
        (await runway.next("a")).set_exception(Transient("no broker"))
        with pytest.raises(Transient):
            await task
        task = asyncio.create_task(flights.publish([a_record("b")]))
        (await runway.next("b")).set_result(None)
        await task
    assert (room.events, room.bytes) == (0, 0)


async def test_a_late_acknowledgement_is_no_success_and_holds_its_room_until_it_comes() -> None:
    runway, room = Runway(), Room(100, 10_000)
    flights = Flights(runway, room, 0.05)
    async with flying(flights):
        with pytest.raises(Transient):
            await flights.publish([a_record("a")])
        landing = await runway.next("a")
        assert room.events == 1
        with pytest.raises(Transient):
            await flights.publish([a_record("given up before boarding")])
        landing.set_result(None)
        await until(lambda: room.events == 0)
        task = asyncio.create_task(flights.publish([a_record("b")]))
        (await runway.next("b")).set_result(None)
        await task
    assert (room.events, room.bytes) == (0, 0)


async def test_only_the_request_with_the_refused_record_hears_of_it() -> None:
    class Strict:
        async def publish(self, records: Sequence[Record]) -> None:
            await asyncio.sleep(0)
            if bad := [record for record in records if record.key == b"bad"]:
                raise Unpublishable("engagements: too large", bad)

    flights = Flights(Strict(), Room(100, 10_000), 5)
    async with flying(flights):
        requests = (flights.publish([a_record(name)]) for name in ("a", "bad", "b"))
        outcomes = await asyncio.gather(*requests, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), Unpublishable, type(None)]


async def test_a_bug_in_publishing_ends_the_service_and_nobody_waits_for_ever() -> None:
    class Broken:
        async def publish(self, records: Sequence[Record]) -> None:
            raise ZeroDivisionError

    flights = Flights(Broken(), Room(100, 10_000), 5)
    running = asyncio.create_task(flights.run())
    with pytest.raises(Transient):
        await flights.publish([a_record("a")])
    with pytest.raises(ZeroDivisionError):
        await running


@pytest.mark.parametrize(("events", "size"), [(3, 10), (2, 51)])
async def test_past_the_room_nothing_more_boards(events: int, size: int) -> None:
    runway, room = Runway(), Room(2, 100)
    flights = Flights(runway, room, 5)
    with pytest.raises(Full):
        await flights.publish([a_record(str(number), size) for number in range(events)])
    assert (room.events, room.bytes) == (0, 0)
    async with flying(flights):
        task = asyncio.create_task(flights.publish([a_record("a", 50), a_record("b", 50)]))
        (await runway.next("a", "b")).set_result(None)
        await task


def test_a_body_gives_its_room_back_even_when_it_did_not_fit() -> None:
    room = Room(2, 100)
    with room.holding() as held:
        held.more(60)
        assert room.bytes == 60
        with pytest.raises(Full):
            held.more(60)
    assert room.bytes == 0
