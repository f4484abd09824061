"""Processes of services: kept running, killed, frozen; each checked by the kernel's process state."""

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
"""Seconds from an instance's death to its next start."""
STUCK = 71
"""Exit code of an instance whose watchdog found that the group no longer counts it as a member."""
GONE_SECONDS = 10
"""Most seconds for the kernel to end or stop a process."""
STOP_SECONDS = 30
"""Most seconds for a service to end after SIGTERM; then it is killed."""


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
    """SIGKILL to the process and its descendants, as by an out-of-memory killer; returns its exit code."""
    family = family_of(child.pid)
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await until(lambda: all(state_of(pid) in ("", "Z") for pid in family), "the processes to end", GONE_SECONDS)
    return await asyncio.wait_for(child.process.wait(), GONE_SECONDS)


@contextlib.asynccontextmanager
async def frozen(pids: Sequence[int]) -> AsyncIterator[None]:
    """Stopped by SIGSTOP while the block runs. Raises TimeoutError when the kernel does not confirm it of each."""
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
    """One process of a service; `scorer/2` is the scorer's second. `env` may be changed for the next start."""

    def __init__(self, name: str, env: Mapping[str, str], log: Path, ops_port: int) -> None:
        self.name = name
        self.service = name.partition("/")[0]
        self.env = {**env, "BATON_OPS__PORT": str(ops_port), "PYTHONUNBUFFERED": "1"}
        self.log = log
        self.ops_url = f"http://127.0.0.1:{ops_port}"
        self.exits: list[int] = []
        """Exit codes of the lives that `run` has seen end."""
        self._child: Child | None = None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    async def start(self, **more: str) -> asyncio.subprocess.Process:
        """Starts the service with `more` in its environment, without waiting."""
        module, verb = ("ingest", "inbox") if self.service == "inbox" else (self.service.replace("-", "_"), "serve")
        command = (sys.executable, "-P", "-m", module, verb)
        self._child = await Child.start(Command(self.name, command, self.log, {**self.env, **more}))
        return self._child.process

    async def run(self) -> None:
        """One life of the process."""
        self.exits.append(await (await self.start()).wait())

    async def keep(self) -> None:
        """Runs until cancelled, starting the service again whenever it has ended."""
        while True:
            await self.run()
            await asyncio.sleep(RESTART_SECONDS)

    async def process(self) -> asyncio.subprocess.Process:
        """The running process, or the next one."""
        await until(lambda: self.running, f"{self.name} to run")
        assert self._child is not None
        return self._child.process

    async def pid(self) -> int:
        """The pid of the running process, or of the next one."""
        return (await self.process()).pid

    async def signal(self, number: signal.Signals) -> tuple[int, float]:
        """Sends it to the process that runs and waits for its end: exit code and seconds."""
        process, began = await self.process(), time.monotonic()
        process.send_signal(number)
        async with asyncio.timeout(40):
            return await process.wait(), time.monotonic() - began

    async def end(self, grace: float = STOP_SECONDS) -> None:
        """Gone on return; to be called when nobody keeps it."""
        if self._child is not None:
            await self._child.stop(grace)

    def mark(self) -> int:
        """The present end of its log."""
        return self.log.stat().st_size if self.log.exists() else 0

    def said(self, words: str, since: int = 0) -> int:
        """How often its log has the words after a mark."""
        with self.log.open() as log:
            log.seek(since)
            return log.read().count(words)
