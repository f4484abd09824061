"""One connection through a fault proxy: both ends, both directions, and their faults."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.proxy import Proxy

CHUNK = 65536
CHUNKS = 64
"""Most pieces on their way in one direction; the sender waits beyond."""
RESET_AT_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with 0 s: closing sends a RST."""
CONNECT_SECONDS = 5

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Way(Enum):
    """The direction of bytes."""

    UP = "client to server"
    DOWN = "server to client"


@dataclass
class Counts:
    """What has happened in one proxy."""

    connections: int = 0
    up: int = 0
    down: int = 0
    """Bytes delivered."""
    held: int = 0
    """Bytes that met a black hole."""
    delayed: int = 0
    """Bytes that latency was added to."""
    resets: int = 0
    """Connections cut with a RST to both ends."""
    half_opened: int = 0
    """Connections whose server side is gone and whose client was told nothing."""


@dataclass(eq=False)
class Link:
    """One connection through the proxy."""

    proxy: Proxy
    client: Streams
    server: Streams | None = None
    left: int | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until either end closes, or it is reset."""
        self.left = self.proxy._cut_after
        try:
            if self.proxy._silent:
                self.lose_server()
                await self._over.wait()
                return
            async with asyncio.timeout(CONNECT_SECONDS):
                self.server = await asyncio.open_connection("127.0.0.1", self.proxy._target)
            self._tasks = [asyncio.create_task(self._pass(way)) for way in Way]
            await self._over.wait()
        except (OSError, TimeoutError):
            self._abort(self.client)
        finally:
            await self._close()

    def reset(self) -> None:
        """RST to both ends."""
        if not self._over.is_set():
            self.proxy.counts.resets += 1
            for end in (self.client, self.server):
                self._abort(end)
            self._over.set()

    def lose_server(self) -> None:
        """The server's end is gone; what the client says goes nowhere from now on."""
        if self._over.is_set():
            return
        self.proxy.counts.half_opened += 1
        for task in self._tasks:
            task.cancel()
        self._abort(self.server)
        self._tasks = [asyncio.create_task(self._swallow(self._tasks))]

    async def closed(self) -> None:
        """Returns when nothing of it is left."""
        await self._over.wait()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass(self, way: Way) -> None:
        """One direction: what is read waits in a queue until it is due, so that latency costs no throughput."""
        assert self.server is not None
        ends = (self.client, self.server) if way is Way.UP else (self.server, self.client)
        (reader, _), (_, writer) = ends
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._read(reader, queue, way))
                both.create_task(self._deliver(queue, writer, way))
        except* OSError:  # an end was reset: so is the other
            self._abort(self.client)
            self._abort(self.server)
        self._over.set()

    async def _read(self, reader: asyncio.StreamReader, queue: asyncio.Queue[tuple[float, bytes]], way: Way) -> None:
        counts = self.proxy.counts
        while data := await reader.read(CHUNK):
            seconds, jitter = self.proxy._delay if way is Way.DOWN else (0.0, 0.0)
            delay = seconds + self.proxy._chance.uniform(-jitter, jitter)
            counts.delayed += len(data) if delay > 0 else 0
            counts.held += 0 if self.proxy._open[way].is_set() else len(data)
            await queue.put((asyncio.get_running_loop().time() + delay, data))
        await queue.put((0, b""))

    async def _deliver(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, way: Way) -> None:
        counts, loop = self.proxy.counts, asyncio.get_running_loop()
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self.proxy._open[way].wait()
            if not data:
                return
            cut = self.left is not None and self.left < len(data)
            data = data[: self.left] if cut else data
            writer.write(data)
            await writer.drain()
            if way is Way.UP:
                counts.up += len(data)
            else:
                counts.down += len(data)
            if self.left is not None:
                self.left -= len(data)
            if cut:
                self.reset()

    async def _swallow(self, ending: Sequence[asyncio.Task[None]]) -> None:
        await asyncio.gather(*ending, return_exceptions=True)  # a stream has one reader at a time
        with contextlib.suppress(OSError):
            while data := await self.client[0].read(CHUNK):
                self.proxy.counts.held += len(data)
        self._over.set()

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for end in (self.client, self.server):
            if end is not None:
                end[1].close()
                with contextlib.suppress(OSError):
                    await end[1].wait_closed()

    @staticmethod
    def _abort(end: Streams | None) -> None:
        if end is not None and not end[1].transport.is_closing():
            end[1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
            end[1].transport.abort()
