"""The dead letters of a deployment, one after another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from chassis.failures import Failure
from chassis.letters.letter import SUFFIX, Address, Letter
from chassis.letters.reader import Reader

Passed = Callable[[int, int], None]
"""Hears how many offsets have been read, of how many."""


class Unknown(Failure):
    """There is no such topic, or no such letter."""


async def every(reader: Reader, topic: str | None, reason: str | None, passed: Passed) -> AsyncIterator[Letter]:
    """Every letter there is now, by topic, partition and offset; what comes meanwhile is not among them.

    A replay would else read for ever what it brings back itself. Raises Unknown.
    """
    topics = {name for name in reader.topics if name.endswith(SUFFIX)}
    if topic is not None:
        wanted = topic.removesuffix(SUFFIX) + SUFFIX
        if wanted not in topics:
            raise Unknown(f"There is no topic {wanted}. There are: {', '.join(sorted(topics)) or 'none'}.")
        topics = {wanted}
    bounds = await reader.bounds(topics)
    done, total = 0, sum(end - first for first, end in bounds.values())
    for (name, part), (first, end) in bounds.items():
        async for record in reader.read(name, part, first, end):
            letter = Letter.of(record)
            if reason is None or letter.reason == reason:
                yield letter
            passed(done + record.offset + 1 - first, total)
        done += end - first


async def at(reader: Reader, addresses: Sequence[Address]) -> AsyncIterator[Letter]:
    """The letters at the addresses, in their order. Raises Unknown for the first that there is none at."""
    for address in addresses:
        if not address.topic.endswith(SUFFIX):
            raise Unknown(f"{address}: dead letters are on topics whose names end with {SUFFIX}.")
        bounds = await reader.bounds([address.topic])
        first, end = bounds.get((address.topic, address.part), (0, 0))
        if not first <= address.offset < end:
            raise Unknown(f"There is no dead letter at {address}.")
        found = [
            record async for record in reader.read(address.topic, address.part, address.offset, address.offset + 1)
        ]
        if not found:
            raise Unknown(f"There is no dead letter at {address}.")
        yield Letter.of(found[0])
