"""The fault proxy against an echo server: each fault is what it says, seen from both ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from baton_local.ports import HeldPorts
from tests.chaos.link import Streams, Way
from tests.chaos.proxy import Proxy
from tests.until import until


class Echo:
    """Sends back what it gets; `ends` counts how its connections ended."""

    def __init__(self) -> None:
        self.heard = b""
        self.ends: list[str] = []

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                self.heard += data
                writer.write(data)
                await writer.drain()
            self.ends.append("closed")
        except ConnectionResetError:
            self.ends.append("reset")
        finally:
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, int]]:
    served = Echo()
    async with await asyncio.start_server(served.meet, "127.0.0.1", 0) as server:
        yield served, server.sockets[0].getsockname()[1]


@pytest.fixture
async def proxy(echo: tuple[Echo, int]) -> AsyncIterator[Proxy]:
    with HeldPorts() as ports:
        async with Proxy(ports.take(), echo[1]) as running:
            yield running


@contextlib.asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def said(streams: Streams, data: bytes, seconds: float = 5) -> bytes:
    """The echo of `data`, or TimeoutError, ConnectionResetError, IncompleteReadError."""
    streams[1].write(data)
    await streams[1].drain()
    async with asyncio.timeout(seconds):
        return await streams[0].readexactly(len(data))


async def test_bytes_pass_and_are_counted(proxy: Proxy) -> None:
    big = bytes(range(256)) * 4000
    async with connected(proxy) as streams:
        assert await said(streams, b"hello") == b"hello"
        assert await said(streams, big) == big
    assert (proxy.counts.connections, proxy.counts.up, proxy.counts.down) == (1, 5 + len(big), 5 + len(big))


async def test_latency_delays_without_narrowing(proxy: Proxy) -> None:
    big = bytes(range(256)) * 4000
    async with connected(proxy) as streams:
        proxy.slow(0.3, 0.05)
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await said(streams, big) == big
        assert 0.25 <= loop.time() - began < 1.5, "16 pieces one after the other would take 5 s"
        assert proxy.counts.delayed == len(big)
        proxy.heal()
        began = loop.time()
        assert await said(streams, b"quick") == b"quick"
        assert loop.time() - began < 0.2


@pytest.mark.parametrize("way", Way)
async def test_a_black_hole_holds_one_direction_and_heals(proxy: Proxy, echo: tuple[Echo, int], way: Way) -> None:
    async with connected(proxy) as streams:
        assert await said(streams, b"before") == b"before"
        proxy.hold({way})
        with pytest.raises(TimeoutError):
            await said(streams, b"during", 0.3)
        assert (echo[0].heard == b"beforeduring") is (way is Way.DOWN)
        assert proxy.counts.held == len(b"during")
        proxy.heal()
        async with asyncio.timeout(5):
            assert await streams[0].readexactly(6) == b"during"


async def test_a_reset_reaches_both_ends(proxy: Proxy, echo: tuple[Echo, int]) -> None:
    async with connected(proxy) as streams:
        await said(streams, b"hello")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await said(streams, b"again")
        await until(lambda: echo[0].ends, "the end of the connection", 5)
    assert echo[0].ends == ["reset"]
    assert proxy.counts.resets == 1
    async with connected(proxy) as streams:
        assert await said(streams, b"anew") == b"anew"


async def test_refusing_closes_the_door_until_it_accepts(proxy: Proxy) -> None:
    async with connected(proxy) as streams:
        await said(streams, b"hello")
        await proxy.refuse()
        with pytest.raises(ConnectionResetError):
            await said(streams, b"again")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", proxy.port)
    await proxy.accept()
    async with connected(proxy) as streams:
        assert await said(streams, b"anew") == b"anew"


async def test_half_open_the_server_is_gone_and_the_client_never_hears(proxy: Proxy, echo: tuple[Echo, int]) -> None:
    async with connected(proxy) as old:
        await said(old, b"hello")
        proxy.half_open()
        await until(lambda: echo[0].ends, "the end of the connection", 5)
        async with connected(proxy) as new:
            for streams in (old, new):
                with pytest.raises(TimeoutError):
                    await said(streams, b"lost", 0.2)
            proxy.heal()
            with pytest.raises(TimeoutError):
                await said(new, b"lost", 0.2)
    assert echo[0].heard == b"hello"
    assert (proxy.counts.half_opened, proxy.counts.held) == (2, 3 * len(b"lost"))
    async with connected(proxy) as streams:
        assert await said(streams, b"anew") == b"anew"


async def test_a_connection_is_cut_after_so_many_bytes(proxy: Proxy, echo: tuple[Echo, int]) -> None:
    async with connected(proxy) as old:
        await said(old, b"hello")
        proxy.cut_after(10)
        for streams in (old, await asyncio.open_connection("127.0.0.1", proxy.port)):
            assert await said(streams, b"1234") == b"1234"
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await said(streams, b"56789")
            streams[1].close()
    assert proxy.counts.resets == 2
    assert echo[0].heard == b"hello" + 2 * b"123456", "8 have passed, then 2 of the 5"


async def test_a_server_that_is_not_there_resets_the_client(proxy: Proxy) -> None:
    with HeldPorts() as ports:
        async with Proxy(ports.take(), ports.take()) as lonely, connected(lonely) as streams:
            with pytest.raises(ConnectionResetError):
                await said(streams, b"hello")
