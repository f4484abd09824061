"""The dead letters of a deployment, one after another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from chassis.letters.letter import SUFFIX, Address, Letter
from chassis.letters.reader import Reader
from chassis.process.failures import Failure

Passed = Callable[[int, int], None]
"""Hears how many offsets have been read, of how many."""


class Unknown(Failure):
    """There is no such topic, or no such letter."""


async def every(reader: Reader, topic: str | None, reason: str | None, passed: Passed) -> AsyncIterator[Letter]:
    """Every letter there is now, once, by topic, partition and offset. Raises Unknown.

    What comes meanwhile is not among them: a replay would read for ever what it brings back itself. A service publishes
    its letters at least once; those that it repeated after a crash are left out.
    """
    topics = {name for name in reader.topics if name.endswith(SUFFIX)}
    if topic is not None:
        wanted = topic.removesuffix(SUFFIX) + SUFFIX
        if wanted not in topics:
            raise Unknown(f"There is no topic {wanted}. There are: {', '.join(sorted(topics)) or 'none'}.")
        topics = {wanted}
    bounds = await reader.bounds(topics)
    seen: set[tuple[str, Address]] = set()
    done, total = 0, sum(end - first for first, end in bounds.values())
    for (name, part), (first, end) in bounds.items():
        async for record in reader.read(name, part, first, end):
            letter = Letter.of(record)
            if _is_new(letter, seen) and reason in (None, letter.reason):
                yield letter
            passed(done + record.offset + 1 - first, total)
        done += end - first


def _is_new(letter: Letter, seen: set[tuple[str, Address]]) -> bool:
    if letter.marks is None or letter.origin is None:
        return True
    what = (letter.marks.service, letter.origin)
    if what in seen:
        return False
    seen.add(what)
    return True


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
