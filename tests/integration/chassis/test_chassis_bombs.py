"""Batches that are small on the wire and large in memory: every reader's memory is bounded, and no record is lost."""

import gzip
import io
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import cramjam
import pytest
from aiokafka.codec import zstd_encode

from chassis.kafka.inflation import LARGEST
from desk.letters.reader import reader
from tests.integration.chassis import foreign
from tests.integration.chassis.driving import House, engaged, leads, record, untroubled
from tests.integration.chassis.foreign import Raw, varint
from tests.until import until

MIB = 1024 * 1024
MOST_GROWTH = 256 * MIB
"""What a reader may take more than before: two answers inflated to their limit, and what is made of them."""
ZEROS = bytes(MIB)


def gzipped(parts: Iterator[bytes]) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as stream:
        stream.writelines(parts)
    return out.getvalue()


def lz4ed(parts: Iterator[bytes]) -> bytes:
    stream = cramjam.lz4.Compressor(block_linked=False)
    for part in parts:
        stream.compress(part)
    return bytes(stream.finish())


def zstded(parts: Iterator[bytes]) -> bytes:
    stream = cramjam.zstd.Compressor()
    for part in parts:
        stream.compress(part)
    return bytes(stream.finish())


def filled(compress: Callable[[Iterator[bytes]], bytes], codec: int, mebibytes: int, unit: bytes = ZEROS) -> bytes:
    """A batch of one record whose value is so many MiB of the unit again and again."""
    whole = unit * (MIB // len(unit))
    fields = b"\0\0\0" + varint(1) + b"k" + varint(mebibytes * len(whole))
    head = varint(len(fields) + mebibytes * len(whole) + 1) + fields

    def parts() -> Iterator[bytes]:
        yield head
        yield from repeat(whole, mebibytes)
        yield b"\0"

    return foreign.batch([Raw(b"k", b"", time=foreign.now())], compress(parts()), codec)


def crowded(headers: int) -> bytes:
    """A batch of one record with so many empty headers."""
    content = b"\0\0\0" + varint(-1) + varint(-1) + varint(headers) + b"\0\1" * headers
    return foreign.batch([Raw(None, None)], zstd_encode(varint(len(content)) + content), 4)


def nested(lead: str, number: int) -> Raw:
    """An event of a type that nobody knows, a record's largest size of empty lists."""
    event = engaged(f"nested-{number}", lead).encode().replace(b"engagement.recorded", b"engagement.nested")
    lists = b"[]," * 340_000 + b"[]"
    return Raw(lead.encode(), event.replace(b'"data":{', b'"data":{"a":[' + lists + b"],"), time=foreign.now())


def memory(what: str) -> int:
    """Bytes of this process: `VmRSS` now, `VmHWM` at the most since the last `forget_peak`."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what)]
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


BOMBS: dict[str, Callable[[], list[bytes]]] = {
    "zstd": lambda: [filled(zstded, 4, 600)] * 20,
    "gzip": lambda: [filled(gzipped, 1, 300)] * 3,
    "lz4": lambda: [filled(lz4ed, 3, 200)],
    "just-under": lambda: [filled(zstded, 4, LARGEST // MIB - 1)] * 50,
    "headers": lambda: [crowded(6_000_000)] * 3,
}


@pytest.mark.parametrize("name", BOMBS)
async def test_bomb_costs_a_dead_letter_for_each_offset_and_little_memory(house: House, name: str) -> None:
    batches = BOMBS[name]()
    [lead] = leads(0, 1)
    topic = f"{house.room.prefix}engagements"
    async with house.foreign_producer() as producer:
        for raw in batches:
            await foreign.send(producer, topic, 0, raw)
    await house.publish(record(engaged("behind", lead)))
    forget_peak()
    before = memory("VmRSS")
    async with house.running() as supervisor:
        await until(lambda: house.counted("records", len(batches) + 1), "every record to have an outcome", 60)
        await untroubled(supervisor)
    async with reader(house.kafka) as operator:
        assert sum([1 async for _ in operator.read("engagements", 0, 0, len(batches) + 1)]) == len(batches) + 1
    totals = await house.totals()
    assert (totals["facts"], totals["records"], totals["gaps"]) == (1, len(batches) + 1, 0)
    letters = await house.written("engagements-dlq")
    assert [dict(letter.headers)["x-dlq-offset"] for letter in letters] == [b"%d" % n for n in range(len(batches))]
    assert all(b"whole at its offset only" in dict(letter.headers)["x-dlq-cut"] for letter in letters)
    assert memory("VmHWM") - before < MOST_GROWTH


async def test_large_records_that_inflate_to_many_objects_are_decided_a_few_at_a_time(house: House) -> None:
    [lead] = leads(0, 1)
    topic = f"{house.room.prefix}engagements"
    async with house.foreign_producer() as producer:
        events = [nested(lead, number) for number in range(15)]
        await foreign.send(producer, topic, 0, foreign.batch(events, zstd_encode(foreign.body(events)), 4))
    forget_peak()
    before = memory("VmRSS")
    async with house.running() as supervisor:
        await until(lambda: house.counted("records", 15), "every record to have an outcome", 60)
        await untroubled(supervisor)
    assert memory("VmHWM") - before < MOST_GROWTH
    assert (await house.totals())["facts"] == 15


async def test_batch_of_too_many_records_costs_a_dead_letter_for_each(house: House) -> None:
    junk = [Raw(None, None, time=foreign.now())] * 66_000
    async with house.foreign_producer() as producer:
        raw = foreign.batch(junk, zstd_encode(foreign.body(junk)), 4)
        await foreign.send(producer, f"{house.room.prefix}engagements", 0, raw)
    async with house.running() as supervisor:
        await until(lambda: house.counted("records", len(junk)), "every record to have an outcome", 60)
        await untroubled(supervisor)
    totals = await house.totals()
    assert (totals["dead_letters:not_json"], totals["records"]) == (len(junk), len(junk))
