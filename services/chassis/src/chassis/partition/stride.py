"""Limits of one commit: records or leads (Stride), bytes of values, seconds of computing (Pace).

A stride shrinks when time is up, when Postgres refuses or cancels the statement, when shared rows change too often, and
with every claim that follows a claim without a commit: what ended a process must not be tried again at the same size.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chassis.partition.journal import RefusedByDatabase, SharedConflict
from chassis.process.failures import StatementTimeout

FEW = 50
"""Items that take about as long as one."""
ATTEMPTS_FEW, ATTEMPTS_MANY = 50, 5
"""How often few and many items are decided again after a conflict on shared rows, before they are halved."""
EPOCH, SIZE = "epoch", "stride"
"""Names in a partition's totals: the epoch of its last commit, and its stride."""
DECODED_BYTES = 4 * 1024 * 1024
"""Most bytes of values in one commit; only compressed batches have more."""
TURN_SECONDS = 0.05
"""Longest time between two turns of the loop's other tasks: heartbeats, the workers of other partitions."""
DECIDING_SECONDS = 0.5
"""Longest time for the decisions of one commit, and the same again for its recalls: at most a second between commits.

The group removes a member without heartbeats for 10 s, and what it decided but did not commit is lost.
"""
T = TypeVar("T")


class Unfinished(Exception):  # noqa: N818 - nothing went wrong
    """Time was up before every lead was recalled: nothing is committed, the first `done` items are tried next."""

    def __init__(self, done: int) -> None:
        super().__init__(done)
        self.done = done


TRY_LESS = (SharedConflict, RefusedByDatabase, StatementTimeout, Unfinished)
"""After one of these nothing is committed, and the leads in memory must be dropped."""


@dataclass(slots=True)
class Stride:
    """At most `size` items a commit, never more than `most`."""

    most: int
    size: int
    conflicts: int = 0
    """How often shared rows have changed under the current items."""

    def failed(self, tried: int, failure: Exception) -> None:
        """Takes fewer than the `tried` items next time. Raises the failure where it was a single one already."""
        if isinstance(failure, SharedConflict):
            self.conflicts += 1
            if self.conflicts < (ATTEMPTS_FEW if tried <= FEW else ATTEMPTS_MANY):
                return
        if isinstance(failure, Unfinished):
            tried = 2 * failure.done
        elif tried == 1:
            raise failure
        self.size, self.conflicts = max(1, tried // 2), 0

    def committed(self, tried: int, done: int) -> None:
        """Takes a quarter more next time if all were done; twice of what was done if time was up."""
        self.conflicts = 0
        if done < tried:
            self.size = min(self.size, 2 * done)
        elif done == self.size:
            self.size = min(self.most, self.size + max(1, self.size // 4))


def stride(most: int, epoch: int, totals: Mapping[str, int]) -> Stride:
    """The stride after the claim of `epoch`, from the totals as last committed: halved for each claim without a commit.

    It is read from the partition's row, so it survives the process, and counts other processes' claims too.
    """
    fruitless = max(0, epoch - 1 - totals.get(EPOCH, epoch - 1))
    return Stride(most, max(1, min(most, totals.get(SIZE, most)) >> fruitless))


def few_bytes(items: Sequence[T], size: Callable[[T], int]) -> Sequence[T]:
    """The first items of up to DECODED_BYTES, at least one: they take 30 times that once they are read."""
    total = 0
    for index, item in enumerate(items):
        total += size(item)
        if index and total > DECODED_BYTES:
            return items[:index]
    return items


class Pace:
    """Measures computing by the loop's monotonic clock; rules never see it."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._turn_over = self._clock() + TURN_SECONDS
        self._over = self._clock() + DECIDING_SECONDS

    async def over(self) -> bool:
        """Whether time is up; lets other tasks run first when it is their turn."""
        if self._clock() >= self._turn_over:
            await asyncio.sleep(0)
            self._turn_over = self._clock() + TURN_SECONDS
        return self.up()

    def up(self) -> bool:
        """Whether time is up; may be called in another thread."""
        return self._clock() >= self._over


async def breathing(items: Iterable[T]) -> AsyncIterator[T]:
    """Yields the items, and gives the event loop a turn between two of them every TURN_SECONDS."""
    pace = Pace()
    for item in items:
        await pace.over()
        yield item
