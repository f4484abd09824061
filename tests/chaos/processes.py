"""Processes of services: kept running, killed, frozen; the kernel's process state confirms each."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from baton_local.child import Child, Command
from tests.until import until

RESTART_SECONDS = 0.2
"""From an instance's death to its next start, as a supervisor of services has it."""
STUCK = 71
"""Exit code of an instance whose watchdog found it a member in its own eyes only."""
GONE_SECONDS = 10
"""What the kernel may take to end or to stop a process."""


def state_of(pid: int) -> str:
    """The kernel's letter for the process: R, S, D, T (stopped), Z; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def family_of(pid: int) -> list[int]:
    """The process and all that descend from it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return [pid]
    return [pid, *(each for child in children for each in family_of(int(child)))]


async def kill_family(child: Child) -> int:
    """SIGKILL to the process and its descendants, as an out-of-memory killer or a reset has it; its exit code."""
    family = family_of(child.pid)
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await until(lambda: all(state_of(pid) in ("", "Z") for pid in family), "the processes to end", GONE_SECONDS)
    return await asyncio.wait_for(child.process.wait(), GONE_SECONDS)


@contextlib.asynccontextmanager
async def frozen(pids: Sequence[int]) -> AsyncIterator[None]:
    """Stopped by SIGSTOP as long as the block runs. Raises TimeoutError when the kernel does not say so of each."""
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        await until(lambda: all(state_of(pid) == "T" for pid in pids), "the processes to stop", GONE_SECONDS)
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class Instance:
    """One process of a service. `env` may be changed for the next start; `exits` are its exit codes so far."""

    def __init__(self, name: str, service: str, env: Mapping[str, str], log: Path, ops_port: int) -> None:
        self.name = name
        self.service = service
        self.env = {**env, "BATON_OPS__PORT": str(ops_port), "PYTHONUNBUFFERED": "1"}
        self.log = log
        self.ops_url = f"http://127.0.0.1:{ops_port}"
        self.exits: list[int] = []
        self._child: Child | None = None
        self._running = asyncio.Event()

    async def keep(self) -> None:
        """Runs until cancelled, starting the service again whenever it has ended."""
        while True:
            await self.run()
            await asyncio.sleep(RESTART_SECONDS)

    async def run(self) -> None:
        """One life of the process."""
        self._child = await Child.start(self._command("serve"))
        self._running.set()
        code = await self._child.process.wait()
        self._running.clear()
        self.exits.append(code)

    async def migrate(self) -> None:
        """Brings the service's schema up to date."""
        child = await Child.start(self._command("migrate"))
        try:
            assert await asyncio.wait_for(child.process.wait(), 60) == 0, f"{self.name} migrate {child.epitaph()}"
        finally:
            await child.stop(0)

    async def pid(self) -> int:
        """Of the process that runs, or of the next."""
        await self._running.wait()
        assert self._child is not None
        return self._child.pid

    async def signal(self, number: signal.Signals) -> tuple[int, float]:
        """Sends it to the process that runs and waits for its end: exit code and seconds."""
        await self._running.wait()
        assert self._child is not None
        process, began = self._child.process, time.monotonic()
        process.send_signal(number)
        async with asyncio.timeout(40):
            return await process.wait(), time.monotonic() - began

    async def end(self) -> None:
        """Gone on return; to be called when nobody keeps it."""
        if self._child is not None:
            await self._child.stop(4)

    def mark(self) -> int:
        """Where its log ends now."""
        return self.log.stat().st_size if self.log.exists() else 0

    def said(self, words: str, since: int = 0) -> int:
        """How often its log has the words after a mark."""
        with self.log.open() as log:
            log.seek(since)
            return log.read().count(words)

    def _command(self, verb: str) -> Command:
        module = self.service.replace("-", "_")
        return Command(self.name, (sys.executable, "-P", "-m", module, verb), self.log, self.env)
