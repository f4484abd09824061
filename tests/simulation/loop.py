"""An event loop without time, threads or I/O: a seed decides which process runs next, and a process can die."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any

PROCESS: ContextVar[Process] = ContextVar("PROCESS")
"""Whose work it is; the servers' and the world's own is nobody's."""


class Process:
    """One process of a service, as the scheduler sees it: dead, it never runs again, not even a `finally`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen = False
        self.held: list[Any] = []
        self.fuse = 0
        self.burnt: Callable[[], None] = lambda: None
        self.context = Context()
        self.context.run(PROCESS.set, self)

    def light(self, steps: int, burnt: Callable[[], None]) -> None:
        """After so many steps of the process, whatever they are, `burnt` is called in place of the next one."""
        self.fuse, self.burnt = steps, burnt


def asker() -> Context:
    """The context in which whoever asks now is to be answered."""
    process = PROCESS.get(None)
    return copy_context() if process is None else process.context


class Loop(asyncio.BaseEventLoop):
    """Between processes any order, within one the order that asyncio promises. Time passes when nobody has work."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self._chance = chance
        self._now = 0.0
        self._processes: list[Process] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._burying = False
        self.set_task_factory(self._task)
        self._ready: Any = self._ready
        self._scheduled: Any = self._scheduled

    def time(self) -> float:
        return self._now

    def spend(self, seconds: float) -> None:
        """The step in hand computes for so long: nobody else runs meanwhile."""
        self._now += seconds

    def process(self, name: str) -> Process:
        """A new process."""
        self._processes.append(Process(name))
        return self._processes[-1]

    def bury(self) -> None:
        """Lets every task end, the dead ones' too, so that nothing is left to the garbage collector; then closes."""
        self._burying = True
        self.set_exception_handler(lambda *_: None)
        for process in self._processes:
            self.thaw(process)
        while left := [task for task in self._tasks if not task.done()]:
            for task in left:
                task.cancel()
            self.run_until_complete(asyncio.wait(left, timeout=30))
        self.close()

    def _task(self, _: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        """A task that is kept: collected as garbage, it would run its `finally`."""
        self._tasks.append(asyncio.Task(work, loop=self, **options))
        return self._tasks[-1]

    def thaw(self, process: Process) -> None:
        """The frozen process goes on where it was."""
        process.frozen = False
        self._ready.extend(process.held)
        process.held.clear()

    def _run_once(self) -> None:
        if not self._ready:
            self._pass_time()
        handle = self._pick()
        if handle._cancelled:
            return
        process: Process | None = handle._context.get(PROCESS)
        if process is not None and not self._burying:
            if process.fuse and process.alive and not process.frozen:
                process.fuse -= 1
                if not process.fuse:
                    process.burnt()
            if process.frozen or not process.alive:
                process.held.append(handle)
                return
        handle._run()

    def _pick(self) -> Any:
        ready = self._ready
        if len(ready) == 1 or self._burying:
            return ready.popleft()
        process = ready[int(self._chance.random() * len(ready))]._context.get(PROCESS)
        place = next(at for at, handle in enumerate(ready) if handle._context.get(PROCESS) is process)
        handle = ready[place]
        del ready[place]
        return handle

    def _pass_time(self) -> None:
        while True:
            timer = heapq.heappop(self._scheduled)
            timer._scheduled = False
            if not timer._cancelled:
                self._now = max(self._now, timer._when)
                self._ready.append(timer)
                return

    def _process_events(self, _: Any) -> None:
        raise AssertionError("there is no I/O")

    def _write_to_self(self) -> None:
        raise AssertionError("there are no threads")
