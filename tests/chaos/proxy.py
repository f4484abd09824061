"""A TCP proxy with faults on demand: what a network can do to one service, without root."""

import asyncio
import random
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from tests.chaos.link import Counts, Link, Way


class Proxy:
    """Listens on 127.0.0.1:`port` while the block runs and passes bytes to 127.0.0.1:`target`.

    A fault switched on stays until `heal`, for connections that are there and those to come; `reset` is an instant.
    Bytes are never lost from within a stream: a black hole holds them as an unanswered network does, until it heals.
    """

    def __init__(self, port: int, target: int, chance: random.Random | None = None) -> None:
        self.port = port
        self.counts = Counts()
        self._target = target
        self._chance = chance or random.Random()
        self._links: set[Link] = set()
        self._server: asyncio.Server | None = None
        self._delay = (0.0, 0.0)
        self._open = {way: asyncio.Event() for way in Way}
        self._silent = False
        self._cut_after: int | None = None
        self.heal()

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()

    def heal(self) -> None:
        """Everything passes again, except over connections that are half-open: those stay dead."""
        self._delay, self._silent, self._cut_after = (0.0, 0.0), False, None
        for way in Way:
            self._open[way].set()

    def slow(self, seconds: float, jitter: float) -> None:
        """The server's bytes arrive `seconds` later, give or take `jitter`, in order."""
        self._delay = (seconds, jitter)

    def hold(self, ways: Iterable[Way]) -> None:
        """A black hole: nothing arrives in these directions."""
        for way in ways:
            self._open[way].clear()

    def half_open(self) -> None:
        """Connections lose their server in silence; new ones are taken and never answered."""
        self._silent = True
        for link in self._links:
            link.lose_server()

    def cut_after(self, count: int) -> None:
        """Each connection is reset once `count` more bytes have passed, in the middle of what is being said."""
        self._cut_after = count
        for link in self._links:
            link.left = count

    def reset(self) -> None:
        """Every connection is reset now."""
        for link in list(self._links):
            link.reset()

    async def refuse(self) -> None:
        """Nobody listens any more, and every connection is reset."""
        if self._server is not None:
            self._server.close()
        self._server = None
        self.reset()
        await asyncio.gather(*(link.closed() for link in list(self._links)))

    async def accept(self) -> None:
        """Listens, for the first time or again."""
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", self.port)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts.connections += 1
        link = Link(self, (reader, writer))
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)
