"""Group micro-batching: one flight at a time for each partition, and its use of the room."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from chassis.kafka.publisher import Place, Record
from chassis.process.failures import Transient, Unpublishable
from ingest import flights as module
from ingest.flights import Flights, Full, Room
from tests.until import until


def a_record(name: str, size: int = 10, part: int = 0) -> Record:
    return Record("engagements", name.encode(), b"x" * size, partition=part)


def names(records: Sequence[Record]) -> list[str]:
    return [(record.key or b"").decode() for record in records]


class Places:
    """Every record says where it goes."""

    async def by_place(self, records: Sequence[Record]) -> Mapping[Place, Sequence[Record]]:
        parts = dict.fromkeys(record.partition or 0 for record in records)
        return {("engagements", part): [record for record in records if record.partition == part] for part in parts}


class Runway(Places):
    """A broker whose acknowledgements the test gives one by one."""

    def __init__(self) -> None:
        self.departures: asyncio.Queue[tuple[list[str], asyncio.Future[None]]] = asyncio.Queue()

    async def publish(self, records: Sequence[Record], place: Place | None = None) -> None:
        landed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.departures.put_nowait((names(records), landed))
        await landed

    async def next(self, *expected: str) -> asyncio.Future[None]:
        async with asyncio.timeout(5):
            found, landed = await self.departures.get()
        assert found == list(expected)
        return landed


async def flies(flights: Flights, runway: Runway, *aboard: Record) -> None:
    """A request of these records alone, which lands."""
    task = asyncio.create_task(flights.publish(aboard))
    (await runway.next(*names(aboard))).set_result(None)
    await task


@asynccontextmanager
async def flying(flights: Flights) -> AsyncIterator[None]:
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(flights.run())
        yield
        flights.close()


async def test_what_arrives_during_a_flight_is_the_next_one_together() -> None:
    runway, room = Runway(), Room(100, 10_000)
    flights = Flights(runway, room, 5)
    async with flying(flights):
        first = asyncio.create_task(flights.publish([a_record("a")]))
        landing = await runway.next("a")
        others = [asyncio.create_task(flights.publish([a_record(name)])) for name in "bcd"]
        await until(lambda: room.events == 4, "the room to change")
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
        await flies(flights, runway, a_record("b"))
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
        assert room.events == 1
        landing.set_result(None)
        await until(lambda: room.events == 0, "the room to change")
        await flies(flights, runway, a_record("b"))
    assert (room.events, room.bytes) == (0, 0)


async def test_only_the_request_with_the_refused_record_hears_of_it() -> None:
    class Strict(Places):
        async def publish(self, records: Sequence[Record], place: Place | None = None) -> None:
            await asyncio.sleep(0)
            if bad := [record for record in records if record.key == b"bad"]:
                raise Unpublishable("engagements: too large", bad)

    flights = Flights(Strict(), Room(100, 10_000), 5)
    async with flying(flights):
        requests = (flights.publish([a_record(name)]) for name in ("a", "bad", "b"))
        outcomes = await asyncio.gather(*requests, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), Unpublishable, type(None)]


async def test_a_bug_in_publishing_ends_the_service_and_nobody_waits_for_ever() -> None:
    class Broken(Places):
        async def publish(self, records: Sequence[Record], place: Place | None = None) -> None:
            raise ZeroDivisionError

    flights = Flights(Broken(), Room(100, 10_000), 5)
    running = asyncio.create_task(flights.run())
    with pytest.raises(Transient):
        await flights.publish([a_record("a")])
    with pytest.raises(ExceptionGroup) as failed:
        await running
    assert failed.group_contains(ZeroDivisionError)


@pytest.mark.parametrize(("events", "size"), [(3, 10), (2, 51)])
async def test_past_the_room_nothing_more_boards(events: int, size: int) -> None:
    runway, room = Runway(), Room(2, 100)
    flights = Flights(runway, room, 5)
    with pytest.raises(Full):
        await flights.publish([a_record(str(number), size) for number in range(events)])
    assert (room.events, room.bytes) == (0, 0)
    async with flying(flights):
        await flies(flights, runway, a_record("a", 50), a_record("b", 50))


def test_a_body_gives_its_room_back_even_when_it_did_not_fit() -> None:
    room = Room(2, 100)
    with room.holding() as held:
        held.more(60)
        assert room.bytes == 60
        with pytest.raises(Full):
            held.more(60)
    assert room.bytes == 0


async def test_a_partition_that_hangs_fails_its_own_requests_alone_and_the_others_fly_on() -> None:
    runway, room = Runway(), Room(100, 10_000)
    flights = Flights(runway, room, 0.2)
    async with flying(flights):
        stuck = asyncio.create_task(flights.publish([a_record("a", part=1)]))
        hanging = await runway.next("a")
        both = asyncio.create_task(flights.publish([a_record("b", part=1), a_record("c", part=0)]))
        (await runway.next("c")).set_result(None)
        for name in "defg":
            await flies(flights, runway, a_record(name))
        assert not stuck.done()
        for request in (stuck, both):
            with pytest.raises(Transient):
                await request
        assert room.events == 1, "only what is still in the air"
        hanging.set_result(None)
        await until(lambda: room.events == 0, "the room to change")
        await flies(flights, runway, a_record("h", part=1))
    assert (room.events, room.bytes) == (0, 0)


async def test_a_request_is_answered_once_all_its_partitions_have_landed() -> None:
    runway = Runway()
    flights = Flights(runway, Room(100, 10_000), 5)
    async with flying(flights):
        task = asyncio.create_task(flights.publish([a_record("a", part=0), a_record("b", part=1)]))
        one, other = await runway.next("a"), await runway.next("b")
        one.set_result(None)
        await asyncio.sleep(0.01)
        assert not task.done()
        other.set_result(None)
        await task


@pytest.mark.parametrize(("most", "size"), [(20, 10_000), (1_000, 200)])
async def test_partitions_that_hang_never_take_the_room_of_the_others(
    monkeypatch: pytest.MonkeyPatch, most: int, size: int
) -> None:
    monkeypatch.setattr(module, "LATE_SECONDS", 0.0)
    runway, room = Runway(), Room(most, size)
    flights = Flights(runway, room, 0.5)
    async with flying(flights):
        stuck = [asyncio.create_task(flights.publish([a_record("a", part=part)])) for part in (1, 2)]
        hanging = [await runway.next("a") for _ in stuck]
        more = [asyncio.create_task(flights.publish([a_record("b", part=1 + n % 2)])) for n in range(50)]
        await until(lambda: sum(task.done() for task in more) == 42, "the room to change")
        for name in "cdefghijk":
            await flies(flights, runway, a_record(name))
        outcomes = await asyncio.gather(*stuck, *more, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Full"] * 42 + ["Transient"] * 10
        for landing in hanging:
            landing.set_result(None)
        await until(lambda: room.events == 0, "the room to change")
    assert (room.events, room.bytes) == (0, 0)


async def test_a_partition_whose_flight_failed_stays_within_half_of_the_room_until_one_lands() -> None:
    runway = Runway()
    flights = Flights(runway, Room(10, 10_000), 0.5)
    async with flying(flights):
        failing = asyncio.create_task(flights.publish([a_record("a")]))
        (await runway.next("a")).set_exception(Transient("no leader"))
        with pytest.raises(Transient):
            await failing
        boarded = asyncio.create_task(flights.publish([a_record("b")]))
        landing = await runway.next("b")
        waiting = [asyncio.create_task(flights.publish([a_record("c")])) for _ in range(9)]
        await until(lambda: sum(task.done() for task in waiting) == 5, "the room to change")
        landing.set_result(None)
        await boarded
        (await runway.next(*"cccc")).set_result(None)
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert sum(isinstance(outcome, Full) for outcome in outcomes) == 5
        again = [asyncio.create_task(flights.publish([a_record("d")])) for _ in range(10)]
        (await runway.next(*"dddddddddd")).set_result(None)
        await asyncio.gather(*again)
