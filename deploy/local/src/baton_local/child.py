"""One operating-system process that cannot outlive the launcher."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from baton_local.errors import LocalError

START_DEADLINE = 120.0
"""Seconds until a server that does not answer has failed; 4 are usual on two cores, a recovery takes longer."""
FAILED_GRACE = 3.0
"""Seconds for a server whose start is given up; for Kafka see its broker.session.timeout.ms."""
PR_SET_PDEATHSIG = 1
TELLING = ("ERROR", "FATAL", "Caused by", "Error:", '"level": "error"', '"level": "critical"')


@dataclass(frozen=True)
class Owner:
    """The operating-system user of a process."""

    uid: int
    gid: int

    def switch(self) -> dict[str, object]:
        """Arguments that make `subprocess` run a command as this user, without the launcher's groups."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True)
class Command:
    """A command, and how to end it."""

    name: str
    args: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    owner: Owner | None = None
    stop: signal.Signals = signal.SIGTERM
    orphaned: signal.Signals = signal.SIGKILL
    """The signal that the kernel sends when the launcher is gone."""


class Child:
    """A running command in its own session, so that Ctrl-C in a terminal reaches the launcher only.

    On Linux the kernel ends it when the launcher dies, even by SIGKILL. Its output goes to the command's log.
    """

    def __init__(self, command: Command, process: asyncio.subprocess.Process) -> None:
        self.command = command
        self.process = process

    @classmethod
    async def start(cls, command: Command) -> Self:
        """Starts the command; OSError when that is not possible."""
        with command.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command.args,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=command.cwd,
                env={**os.environ, **command.env},
                start_new_session=True,
                preexec_fn=_leash(command.orphaned),
                **(command.owner.switch() if command.owner else {}),  # type: ignore[arg-type]
            )
        return cls(command, process)

    @classmethod
    async def complete(cls, command: Command, failure: str) -> None:
        """Runs the command to its end; LocalError beginning with `failure` unless it exits with 0."""
        child = await cls.start(command)
        try:
            if await child.process.wait() != 0:
                raise LocalError(f"{failure} {child.epitaph()}")
        finally:
            await child.stop(0)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    @asynccontextmanager
    async def starting(self) -> AsyncIterator[None]:
        """For the block in which a server must begin to answer: LocalError when it takes too long; a failure ends
        the server.
        """
        try:
            async with asyncio.timeout(START_DEADLINE):
                yield
        except BaseException as error:
            await self.stop(FAILED_GRACE)
            if not isinstance(error, TimeoutError):
                raise
            title, log = self.command.name.capitalize(), self.command.log
            raise LocalError(f"{title} did not answer within {START_DEADLINE:.0f} s: see {log}.") from error

    def require_running(self) -> None:
        """LocalError when a server has ended before it answered."""
        if not self.running:
            raise LocalError(f"{self.command.name.capitalize()} did not start {self.epitaph()}")

    def ask(self) -> None:
        """Sends the command's stop signal; no effect when it is gone."""
        self._signal(self.command.stop)

    def kill(self) -> None:
        """SIGKILL to the whole process group."""
        self._signal(signal.SIGKILL)

    async def stop(self, grace: float) -> bool:
        """Sends the stop signal, waits up to `grace` seconds (0: sends none), then kills. True if it ended by
        itself.
        """
        if grace > 0:
            self.ask()
        try:
            await asyncio.wait_for(self.process.wait(), grace)
            return True
        except TimeoutError:
            return False
        finally:
            if self.running:
                self.kill()
                await self.process.wait()

    def ending(self) -> str:
        """How it ended, in words: exit code or signal."""
        code = self.process.returncode
        if code is None:
            return "still running"
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def epitaph(self) -> str:
        """The end of a sentence about its death: how it ended, its last words, and its log."""
        killed = self.process.returncode is not None and self.process.returncode < 0
        said = "" if killed else last_words(self.command.log)
        return f"({self.ending()}){': ' if said else ''}{said.rstrip('.')}. See {self.command.log}."

    def _signal(self, number: signal.Signals) -> None:
        if not self.running:
            return
        try:
            if number == signal.SIGKILL:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            return  # it ended by itself a moment ago


def last_words(log: Path, limit: int = 300) -> str:
    """What a dead process last said of its error; else its last line."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 65536))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    except FileNotFoundError:
        return ""
    telling = [line for line in lines[-40:] if any(word in line for word in TELLING)]
    return _said(next(reversed(telling or lines), ""))[:limit]


def _said(line: str) -> str:
    """A service's log line is a JSON object; its exception's last line says the most."""
    try:
        record = json.loads(line)
        said = str(record.get("exception") or record.get("error") or record["event"]).strip()
    except (ValueError, KeyError, AttributeError):
        return line
    return said.splitlines()[-1].strip() if said else line


def command_of(pid: int) -> str:
    """The command line of a live process; empty when there is none, or outside Linux."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _leash(orphaned: signal.Signals) -> Callable[[], None] | None:
    """For the child between fork and exec: asks the kernel for a signal at the launcher's death."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    launcher = os.getpid()

    def leash() -> None:
        prctl(PR_SET_PDEATHSIG, int(orphaned), 0, 0, 0)
        if os.getppid() != launcher:  # the launcher died before the request
            os._exit(1)

    return leash
