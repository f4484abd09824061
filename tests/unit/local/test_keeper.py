"""What `make run` says of a service that does not get ready."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from baton_local import services
from baton_local.errors import LocalError
from baton_local.services import SHOWN_STATE, Keeper, Service


@asynccontextmanager
async def answering(state: str) -> AsyncIterator[Keeper]:
    """A keeper that watches a service of this state."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = f"{state}\n".encode()
        writer.write(b"HTTP/1.1 503 -\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    keeper = Keeper(Service("scorer", {}, Path("scorer.log"), f"http://127.0.0.1:{port}"), print)
    watching = asyncio.create_task(keeper.watch())
    try:
        yield keeper
    finally:
        watching.cancel()
        await asyncio.wait([watching])
        server.close()


@pytest.mark.parametrize(
    "state",
    [
        "partition 0: retry: version 2 of the policy has judged here, the newest is 1",
        "partition 5: retry: version 2 of classic-50 has handed off, the newest here is 1",
    ],
)
async def test_leads_judged_by_a_version_that_is_not_here_stop_the_start_at_once(state: str) -> None:
    async with answering(state) as keeper, asyncio.timeout(10):
        with pytest.raises(LocalError, match="--fresh, or with the policy that has version 2"):
            await keeper.until_ready(print)


async def test_a_state_that_lasts_is_said_once_and_whole_words_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "LONG_STATE", 0.2)
    monkeypatch.setattr(services, "READY_DEADLINE", 2.0)
    said: list[str] = []
    async with answering(f"partition 0: retry: {'the database is away ' * 9}") as keeper:
        with pytest.raises(LocalError, match=r"did not get ready within 2 s \(partition 0: .* \.\.\.\)"):
            await keeper.until_ready(said.append)
    [line] = [each for each in said if "partition" in each]
    assert line.startswith("scorer: partition 0: retry: the database is away ")
    assert line.removesuffix(" ...").split()[-1] in {"the", "database", "is", "away"}
    assert len(line) <= len("scorer: ") + SHOWN_STATE
