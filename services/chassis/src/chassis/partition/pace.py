"""Bounds on how long a worker computes: one turn of the event loop, and the decisions of one commit.

The group evicts a member whose heartbeats stop for 10 s, and whatever was decided but not committed is then lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

TURN_SECONDS = 0.05
"""Longest time between two turns of the loop's other tasks: heartbeats, the workers of other partitions."""
DECIDING_SECONDS = 0.5
"""Longest time for the decisions of one commit, and as long again for its recalls: a second between two commits."""
T = TypeVar("T")


class Pace:
    """Measures by the loop's monotonic clock; no rule sees it."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._turn_over = self._clock() + TURN_SECONDS
        self._over = self._clock() + DECIDING_SECONDS

    async def over(self) -> bool:
        """Whether time is up; gives the loop its turn first when one is due."""
        if self._clock() >= self._turn_over:
            await asyncio.sleep(0)
            self._turn_over = self._clock() + TURN_SECONDS
        return self.up()

    def up(self) -> bool:
        """Whether time is up; may be asked in another thread."""
        return self._clock() >= self._over


async def breathing(items: Iterable[T]) -> AsyncIterator[T]:
    """The same items; between two of them the loop gets its turn when one is due."""
    pace = Pace()
    for item in items:
        await pace.over()
        yield item
