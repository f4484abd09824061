"""The life of a process: logs, garbage collector, signals, exit code."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from chassis.process import failpoints
from chassis.process.failures import CannotListen, OtherTerms
from chassis.process.logs import logger, set_up
from chassis.process.settings import Log

Main = Callable[[asyncio.Event], Awaitable[None]]
SHUTDOWN_SECONDS = 25
"""Longest orderly stop; correctness does not depend on an orderly stop."""


def run(main: Main, log: Log, name: str) -> None:
    """Runs `main` until it returns. SIGTERM and SIGINT set its event, after which it has 25 s."""
    set_up(log, name)
    try:
        failpoints.arm(os.environ.get(failpoints.VARIABLE, ""))
    except ValueError as error:
        raise SystemExit(f"{failpoints.VARIABLE}: {error}") from None
    sys.exit(asyncio.run(_live(main, name)))


async def _live(main: Main, name: str) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.set_exception_handler(_nobody_awaited)
    tame_garbage_collector()
    log = logger("chassis.process.run")
    log.info("started", name=name)
    task = asyncio.ensure_future(main(stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    _, late = await asyncio.wait({task}, timeout=SHUTDOWN_SECONDS)
    stopping.cancel()
    if late:
        log.error("stop_took_too_long", seconds=SHUTDOWN_SECONDS)
        os._exit(70)  # a task that hangs would hang the loop's own clean-up too
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, CannotListen):  # an operator mends this; a traceback would add nothing
        log.error("cannot_listen", reason=str(error))
        return 1
    if isinstance(error, OtherTerms):
        log.error("policy_refused", reason=str(error))
        return 1
    if error:
        log.error("failed", error=type(error).__name__, exc_info=error)
        return 1
    log.info("stopped", name=name)
    return 0


def _nobody_awaited(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """asyncio's own handler without the task, whose repr has its error's message."""
    logger("chassis.process.run").error("not_awaited", about=context["message"], exc_info=context.get("exception"))


def tame_garbage_collector() -> None:
    """Fewer, later collections: a batch makes many short-lived objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
