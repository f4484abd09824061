"""Bad records that a real broker accepts: each becomes one dead letter, good events beside them become facts."""

import os
from collections.abc import Callable, Sequence

from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode

from chassis.kafka.publisher import Record
from tests.integration.chassis import foreign
from tests.integration.chassis.driving import House, engaged, leads, record, untroubled
from tests.integration.chassis.foreign import Raw
from tests.until import until

NO_TEXT = [(b"trace\xff\0", b"\xff")]
CODECS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "gzip": (1, gzip_encode),
    "snappy": (2, snappy_encode),
    "lz4": (3, lz4_encode),
    "zstd": (4, zstd_encode),
}


class Writer:
    """Makes raw records of one lead, and remembers how many of them are good."""

    def __init__(self, lead: str) -> None:
        self.lead = lead
        self.good = 0

    def event(self, headers: Sequence[tuple[bytes, bytes | None]] = (), time: int | None = None) -> Raw:
        """A good event, whatever is around it."""
        self.good += 1
        value = engaged(f"raw-{self.good}", self.lead).encode()
        return Raw(self.lead.encode(), value, headers, foreign.now() if time is None else time)

    def junk(self, value: bytes | None = b"{", key: bytes | None = b"k", **fields: object) -> Raw:
        """A record that nobody can use."""
        return Raw(key, value, **{"time": foreign.now(), **fields})  # type: ignore[arg-type]


async def outcome(house: House, batches: Sequence[bytes]) -> tuple[int, int]:
    """Facts and dead letters, once the batches are taken, each with an event of another lead behind it."""
    [_, other] = leads(0, 2)
    count = sum(foreign.size(raw) for raw in batches) + len(batches)
    async with house.running() as supervisor:
        async with house.foreign_producer() as producer:
            for number, raw in enumerate(batches):
                await foreign.send(producer, f"{house.room.prefix}engagements", 0, raw)
                await house.publish(record(engaged(f"between-{number}", other)))
        await until(lambda: house.counted("records", count), "every record to have an outcome")
        await untroubled(supervisor)
    totals = await house.totals()
    assert (totals["records"], totals["gaps"]) == (count, 0)
    letters = sum(number for name, number in totals.items() if name.startswith("dead_letters:"))
    assert len(await house.written("engagements-dlq")) == letters
    return totals["facts"] - len(batches), letters


async def test_good_event_in_strange_clothes_is_a_fact(house: House) -> None:
    writer = Writer(leads(0, 1)[0])
    strange = [
        foreign.batch([writer.event(NO_TEXT)]),
        foreign.batch([writer.event([(b"empty", None), (b"", b"")])]),
        foreign.batch([writer.event(time=-1)]),
        foreign.batch([writer.event(time=-(2**62))]),
        foreign.batch([writer.event(time=2**62)]),
        foreign.batch([writer.event()], attributes=0xFF),
        foreign.batch([writer.event(), writer.event(), writer.event()], deltas=[7, 1, 0]),
        *(
            foreign.batch(mixed, compress(foreign.body(mixed)), codec)
            for codec, compress in CODECS.values()
            for mixed in [[writer.event(), writer.event(NO_TEXT), writer.event()]]
        ),
    ]
    assert await outcome(house, strange) == (writer.good, 0)


async def test_bad_record_costs_one_dead_letter_and_the_good_ones_beside_it_nothing(house: House) -> None:
    writer = Writer(leads(0, 1)[0])
    bad = [
        foreign.batch([writer.junk(None, None)]),
        foreign.batch([writer.junk(None)]),
        foreign.batch([writer.junk(key=None)]),
        foreign.batch([writer.junk(headers=NO_TEXT, time=-1)]),
        foreign.batch([writer.junk(os.urandom(1_048_000))]),
        *(
            foreign.batch(mixed, compress(foreign.body(mixed)), codec)
            for codec, compress in CODECS.values()
            for mixed in [[writer.event(), writer.junk(headers=NO_TEXT), writer.event()]]
        ),
    ]
    assert await outcome(house, bad) == (writer.good, len(bad))
    letters = await house.written("engagements-dlq")
    headers = [dict(letter.headers) for letter in letters]
    assert sum("trace\\xff\0" in each for each in headers) == 5
    assert sum(letter.value is not None and len(letter.value) == 1_048_000 for letter in letters) == 1


async def test_batch_that_no_client_can_unpack_costs_a_dead_letter_for_each_of_its_records(house: House) -> None:
    writer = Writer(leads(0, 1)[0])
    two = [writer.junk(), writer.junk()]
    behind = [
        foreign.batch(two, compress(foreign.body(two)) + junk, codec)
        for name, junk in (("gzip", b"junk" * 9), ("snappy", b"j"), ("lz4", b"junk" * 9), ("lz4", bytes(8)))
        for codec, compress in [CODECS[name]]
    ]
    assert await outcome(house, behind) == (0, 2 * len(behind))
    for letter in await house.written("engagements-dlq"):
        assert dict(letter.headers)["unreadable"], letter


async def test_dead_letter_whose_header_keys_are_large_is_cut(house: House) -> None:
    writer = Writer(leads(0, 1)[0])
    large = [writer.junk(headers=[(b"\xff" * 700_000, None)]), writer.junk(headers=[(b"", None)] * 300_000)]
    assert await outcome(house, [foreign.batch(large, gzip_encode(foreign.body(large)), 1)]) == (0, 2)
    for letter in await house.written("engagements-dlq"):
        assert b"whole at its offset only" in dict(letter.headers)["x-dlq-cut"]


async def test_aborted_transaction_leaves_nothing_and_a_committed_one_its_events(house: House) -> None:
    [ada, bob] = leads(0, 2)
    topic = f"{house.room.prefix}engagements"
    async with house.running() as supervisor:
        for number, (lead, commits) in enumerate([(ada, False), (bob, True), (ada, False), (bob, True)]):
            async with house.foreign_producer(transactional_id=f"{house.room.prefix}{number}") as producer:
                await producer.begin_transaction()
                for place in range(3):
                    each: Record = record(engaged(f"{number}-{place}", lead))
                    await producer.send(topic, each.value, key=each.key, partition=0, headers=[("a", None)])
                await (producer.commit_transaction() if commits else producer.abort_transaction())
        await until(lambda: house.counted("facts", 6), "the committed ones")
        await untroubled(supervisor)
    totals = await house.totals()
    assert (totals["records"], totals["facts"]) == (6, 6)
    assert (await house.states()).keys() == {bob}
