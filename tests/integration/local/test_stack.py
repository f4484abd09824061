"""The embedded stack keeps its data, refuses what it must in one sentence, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from baton_local.errors import LocalError
from baton_local.folder import DataFolder
from baton_local.stack import Stack, StackOptions


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder for data that any user may reach: under root, Postgres runs as nobody."""
    folder = Path(tempfile.mkdtemp(prefix="baton-local-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder / "data"
    shutil.rmtree(folder)


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


def test_nothing_outlives_a_launcher_that_is_killed(data: Path) -> None:
    launcher = (
        "import asyncio, sys; from pathlib import Path; from baton_local.child import Child, Command\n"
        "async def main():\n"
        "    child = await Child.start(Command('sleep', ('sleep', '600'), Path(sys.argv[1])))\n"
        "    print(child.pid, flush=True); await asyncio.sleep(600)\n"
        "asyncio.run(main())"
    )
    log = str(data.parent / "log")
    with subprocess.Popen([sys.executable, "-c", launcher, log], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    """A zombie that nobody has reaped yet is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def _leave_a_trace(stack: Stack) -> None:
    async with AIOKafkaProducer(bootstrap_servers=stack.bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait("engagements", b"trace", partition=0)
    connection = await asyncpg.connect(stack.database_url("sla-monitor"))
    await connection.execute("CREATE TABLE sla_monitor.trace ()")
    await connection.close()


async def _traces(stack: Stack) -> tuple[int, int]:
    connection = await asyncpg.connect(stack.database_url("sla-monitor"))
    tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE tablename = 'trace'")
    await connection.close()
    async with AIOKafkaConsumer(bootstrap_servers=stack.bootstrap_servers) as consumer:
        ends = await consumer.end_offsets([TopicPartition("engagements", 0)])
    return sum(ends.values()), tables
