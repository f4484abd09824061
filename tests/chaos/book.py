"""What the load's senders have sent, for the auditor and the progress line."""

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from tests.chaos.traffic import Key


@dataclass
class Book:
    """`acknowledged` are events answered with success or acknowledged by the broker, `poison` the bad ones by reason.

    Poison is known by its record's value where it went to the topic, by its item's messageId where it went over HTTP.
    `wrong` says in words what no fault excuses.
    """

    acknowledged: set[Key] = field(default_factory=set)
    poison: defaultdict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    rejected: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0


class Backoff:
    """Pauses between attempts, from 0.1 s to 2 s; `reset` after a success."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._next = 0.1

    async def pause(self) -> None:
        await asyncio.sleep(self._next)
        self._next = min(2.0, 2 * self._next)
