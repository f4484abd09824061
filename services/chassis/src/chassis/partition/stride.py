"""How many records, or leads to be ticked, one commit takes: as many as time and the database allow.

It shrinks when time is up, when Postgres refuses or cancels the statement, when shared rows change too often, and with
every claim that follows a claim without a commit: what a process died of must not be tried again at the same size.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chassis.partition.journal import RefusedByDatabase, SharedConflict
from chassis.process.failures import StatementTimeout

FEW = 50
"""Items that are decided about as quickly as one."""
ATTEMPTS_FEW, ATTEMPTS_MANY = 50, 5
"""How often they are decided again after a conflict at shared rows before they are halved."""
EPOCH, SIZE = "epoch", "stride"
"""Names in a partition's totals: the epoch of its last commit, and the stride that was in force then."""
T = TypeVar("T")


class Unfinished(Exception):  # noqa: N818 - nothing went wrong
    """Time was up before every lead was recalled: nothing is committed, the first `done` items are to be tried."""

    def __init__(self, done: int) -> None:
        super().__init__(done)
        self.done = done


@dataclass(slots=True)
class Stride:
    """At most `size` items a commit, never more than `most`."""

    most: int
    size: int

    async def step(
        self,
        items: Sequence[T],
        attempt: Callable[[Sequence[T]], Awaitable[int]],
        alone: Callable[[T, RefusedByDatabase], Awaitable[None]],
        forget: Callable[[], None],
    ) -> int:
        """Has a first part of the items committed; returns how many that are, at least one.

        `attempt` commits some or all of what it is given and returns how many; `alone` handles the single item that
        the database refuses; `forget` undoes in memory what was not committed. Raises SharedConflict and
        StatementTimeout where a single item meets them.
        """
        while True:
            some = items[: self.size]
            tried = len(some)
            for _ in range(ATTEMPTS_FEW if tried <= FEW else ATTEMPTS_MANY):
                try:
                    done = await attempt(some)
                except SharedConflict:
                    forget()
                except RefusedByDatabase as refusal:
                    forget()
                    if tried == 1:
                        await alone(some[0], refusal)
                        return 1
                    break
                except StatementTimeout:
                    forget()
                    if tried == 1:
                        raise
                    break
                except Unfinished as unfinished:
                    forget()
                    tried = 2 * unfinished.done
                    break
                else:
                    self._settle(tried, done)
                    return done
            else:
                if tried == 1:
                    raise SharedConflict("shared rows are changed too often")
            self.shrink(tried)

    def shrink(self, tried: int) -> None:
        """So many were too many."""
        self.size = max(1, tried // 2)

    def _settle(self, tried: int, done: int) -> None:
        """After a commit: a quarter more if all that fits was taken, twice of what was done if time was up."""
        if done < tried:
            self.size = min(self.size, 2 * done)
        elif done == self.size:
            self.size = min(self.most, self.size + max(1, self.size // 4))


def stride(most: int, epoch: int, totals: Mapping[str, int]) -> Stride:
    """The stride after the claim of `epoch`, from the totals as last committed: half for each claim without a commit.

    It is read from the partition's row, so it survives the process, and it counts other processes' claims too.
    """
    fruitless = max(0, epoch - 1 - totals.get(EPOCH, epoch - 1))
    return Stride(most, max(1, min(most, totals.get(SIZE, most)) >> fruitless))
