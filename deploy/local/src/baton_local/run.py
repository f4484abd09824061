"""One run from start to stop: the stack, the services on it, the view, the demo."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from rich.console import Console

from baton_local.board import Board
from baton_local.child import Child
from baton_local.demo import Demo
from baton_local.errors import LocalError
from baton_local.options import WRITE_KEYS, Run
from baton_local.replies import Replies
from baton_local.senders import SALES_KEY, TRACKER_KEY, Senders
from baton_local.services import keeping, migrate, services_of, tell_desk
from baton_local.stack import Stack, StackOptions
from baton_local.views import Lines, Picture, View
from baton_local.watch import Watch
from chassis.process.settings import Kafka

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run_until_signal(run: Run, console: Console) -> None:
    """Runs the relay until SIGINT, SIGTERM or SIGHUP; nothing is left running on return.

    Raises LocalError with one sentence.
    """
    relay = asyncio.create_task(_relay(run, console))
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def ask() -> None:
        asked.set()
        relay.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, ask)
    try:
        await relay
    except asyncio.CancelledError:
        if not asked.is_set():
            raise
        console.print("Stopped; the data stays for the next run.")
    except ExceptionGroup as group:
        raise _first(group) from group


async def _relay(run: Run, console: Console) -> None:
    began = time.monotonic()
    run.check()
    options = StackOptions(
        kafka_port=run.ports.kafka,
        postgres_port=run.ports.postgres,
        other_ports=run.ports.of_services(run.names()),
        inboxes=run.topics(),
        fresh=run.fresh,
        prepare=lambda stack: migrate(services_of(run, stack)),
    )
    stack = Stack(run.data, options, console)
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    console.print("Starting Kafka and Postgres ...")
    async with AsyncExitStack() as exits:
        await exits.enter_async_context(stack)
        _log_to(stack.folder.logs / "launcher.log")
        console.print("Starting the services ...")
        tell_desk(run, stack)
        board = Board(addresses=addresses_of(run, stack))
        keepers = await exits.enter_async_context(keeping(services_of(run, stack), board.say))
        board.states = lambda: {
            **{keeper.service.name: keeper.state for keeper in keepers},
            **{child.command.name: "running" for child in stack.children},
        }
        exits.callback(console.print, "Stopping ...")
        view: View = Picture(board, console) if console.is_terminal else Lines(board, console)
        async with asyncio.TaskGroup() as tasks:
            for child in stack.children:
                tasks.create_task(_guard(child))
            for keeper in keepers:
                tasks.create_task(keeper.keep())
                tasks.create_task(keeper.watch())
            await asyncio.gather(*(keeper.until_ready(say) for keeper in keepers))
            console.print(f"Everything runs, {time.monotonic() - began:.1f} s after the start. Ctrl-C stops it.")
            tasks.create_task(view.show())
            await _watch_and_play(run, stack, board)


async def _watch_and_play(run: Run, stack: Stack, board: Board) -> None:
    """Counts and shows what comes, and sends the demo's traffic if wanted; runs until cancelled."""
    kafka = Kafka(bootstrap_servers=stack.bootstrap_servers)
    watch = Watch(kafka, board)
    async with watch.watching(), asyncio.TaskGroup() as tasks:
        tasks.create_task(watch.read())
        tasks.create_task(watch.count())
        if run.demo:
            replies = Replies()
            watch.listen(replies.take)
            async with Senders.open(run.ports.http_url, kafka) as senders:
                await Demo(senders, replies, board.say, run=int(time.time())).play()


async def _guard(child: Child) -> None:
    """Kafka and Postgres are not restarted: a person must look at why they died."""
    await child.process.wait()
    raise LocalError(f"{child.command.name} died {child.epitaph()}")


def addresses_of(run: Run, stack: Stack) -> dict[str, str]:
    """Addresses for people, one line of 80 columns each unless the folder's name is long."""
    ports, last = run.ports, run.names()[-1]
    known = f"{TRACKER_KEY} (trackers), {SALES_KEY} (sales)"
    page = f", try {ports.http_url}/try" if run.write_keys == WRITE_KEYS else ""
    return {
        "ingest": f"{ports.http_url}/v1/batch{page}",
        "write keys": known if run.write_keys == WRITE_KEYS else str(run.write_keys),
        "metrics": f"http://127.0.0.1:{ports.ops_base} to {ports.ops(last)}, one a service: /metrics, /readyz",
        "Kafka": stack.bootstrap_servers,
        "Postgres": f"127.0.0.1:{ports.postgres}/baton, passwords.json beside the logs",
        "logs": str(stack.folder.logs),
    }


def _log_to(path: Path) -> None:
    """The client libraries log to a file, not into the live view."""
    logging.basicConfig(filename=path, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """The failure that explains a stop: a LocalError where there is one."""
    ours, others = group.split(LocalError)
    found: Exception = (ours or others or group).exceptions[0]
    return _first(found) if isinstance(found, ExceptionGroup) else found
