"""The embedded stack keeps its data, refuses what it must in one sentence, and leaves nothing behind."""

import asyncio
import socket
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from baton_local.errors import LocalError
from baton_local.folder import DataFolder
from baton_local.stack import Stack, StackOptions
from tests.infrastructure import connected
from tests.processes import state_of
from tests.topics import ends
from tests.until import until


async def test_data_is_kept_from_start_to_start_until_a_fresh_one(data: Path) -> None:
    async with Stack(data, StackOptions(durable=False)) as stack:
        await _leave_a_trace(stack)
        with pytest.raises(LocalError, match="Another run is using the data"):
            async with Stack(data):
                pass
    async with Stack(data, StackOptions(durable=False)) as stack:
        assert await _traces(stack) == (1, 1)
    async with Stack(data, StackOptions(durable=False, fresh=True)) as stack:
        assert await _traces(stack) == (0, 0)
        children = stack.children
    assert not any(child.running for child in children)


async def test_a_port_in_use_is_named_before_anything_starts(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        sentence = f"Port {port}, wanted for Postgres, is in use .* --postgres-port"
        with pytest.raises(LocalError, match=sentence):
            async with Stack(data, StackOptions(postgres_port=port)):
                pass
    assert not DataFolder(data).postgres.exists()


def test_a_folder_that_baton_did_not_make_is_left_alone(data: Path) -> None:
    data.mkdir()
    (data / "kafka").write_text("somebody's novel")
    with pytest.raises(LocalError, match="not made by Baton"), DataFolder(data).locked():
        pass
    assert (data / "kafka").read_text() == "somebody's novel"


async def test_nothing_outlives_a_launcher_that_is_killed(data: Path) -> None:
    launcher = (
        "import asyncio, sys; from pathlib import Path; from baton_local.child import Child, Command\n"
        "async def main():\n"
        "    child = await Child.start(Command('sleep', ('sleep', '600'), Path(sys.argv[1])))\n"
        "    print(child.pid, flush=True); await asyncio.sleep(600)\n"
        "asyncio.run(main())"
    )
    log = str(data.parent / "log")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", launcher, log), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    process.kill()
    await process.wait()
    await until(lambda: state_of(pid) in ("", "Z"), "the child to end", 5)


async def _leave_a_trace(stack: Stack) -> None:
    async with AIOKafkaProducer(bootstrap_servers=stack.bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait("engagements", b"trace", partition=0)
    async with connected(stack.database_url("sla-monitor")) as connection:
        await connection.execute("CREATE TABLE sla_monitor.trace ()")


async def _traces(stack: Stack) -> tuple[int, int]:
    async with connected(stack.database_url("sla-monitor")) as connection:
        tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE tablename = 'trace'")
    return sum((await ends(stack.bootstrap_servers, "engagements")).values()), tables
