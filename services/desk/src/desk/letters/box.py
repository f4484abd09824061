"""Reads the entries of one kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from chassis.process.failures import Failure
from desk.letters.entry import Address, Entry, Kind
from desk.letters.reader import Reader

Passed = Callable[[int, int], None]
"""Called with the offsets read so far and their number."""


class Unknown(Failure):
    """No such topic or entry exists."""


async def every(
    reader: Reader, kind: Kind, topic: str | None, reason: str | None, passed: Passed
) -> AsyncIterator[Entry]:
    """Every entry that exists now, once, by topic, partition and offset. Raises Unknown.

    Later entries are left out, or a replay would read its own failures for ever. A service publishes its dead letters
    at least once; repeats after a crash are left out.
    """
    topics = kind.topics(reader.topics)
    if topic is not None:
        wanted = kind.named(topic)
        if wanted not in topics:
            raise Unknown(f"There is no topic {wanted}. There are: {', '.join(sorted(topics)) or 'none'}.")
        topics = {wanted}
    bounds = await reader.bounds(topics)
    seen = set[object]()
    done, total = 0, sum(end - first for first, end in bounds.values())
    for (name, part), (first, end) in bounds.items():
        async for record in reader.read(name, part, first, end):
            entry = kind.of(record)
            new = entry.repeats is None or entry.repeats not in seen
            seen.add(entry.repeats)
            if new and reason in (None, entry.reason):
                yield entry
            passed(done + record.offset + 1 - first, total)
        done += end - first


async def count(reader: Reader, kind: Kind) -> int:
    """Number of records on the topics of the kind, without reading them: repeats and foreign records count."""
    return sum(end - first for first, end in (await reader.bounds(kind.topics(reader.topics))).values())


async def at(reader: Reader, kind: Kind, addresses: Sequence[Address]) -> AsyncIterator[Entry]:
    """The entries at the addresses, in their order. Raises Unknown for the first address without one."""
    for address in addresses:
        if not kind.topics([address.topic]):
            raise Unknown(f"{address}: {kind.many} are not on that topic.")
        bounds = await reader.bounds([address.topic])
        first, end = bounds.get((address.topic, address.part), (0, 0))
        if not first <= address.offset < end:
            raise Unknown(f"There is no {kind.one} at {address}.")
        read = reader.read(address.topic, address.part, address.offset, address.offset + 1)
        found = [record async for record in read]
        if not found:
            raise Unknown(f"There is no {kind.one} at {address}.")
        yield kind.of(found[0])
