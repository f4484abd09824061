"""Kafka and Postgres together, ready for the services: what `make run` and the tests stand on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from rich.console import Console

from baton_local.child import Child
from baton_local.downloads import ensure_kafka
from baton_local.folder import DataFolder
from baton_local.kafka import Kafka
from baton_local.passwords import Passwords
from baton_local.ports import HeldPorts, Wanted, require_free
from baton_local.postgres import Postgres
from baton_local.topics import create_topics

STOP_GRACE = 3.0
"""Seconds for Kafka and Postgres to stop; half a second is usual."""


@dataclass(frozen=True)
class StackOptions:
    """How the stack differs from a test's: ports left out are chosen by the system and held until its end."""

    kafka_port: int | None = None
    """The controller listens on the next port."""
    postgres_port: int | None = None
    other_ports: Mapping[str, Wanted] = field(default_factory=dict)
    """Ports that the stack's user will need, checked with its own before anything starts."""
    inboxes: Sequence[str] = ()
    """Topics that platforms write to, created beside Baton's own."""
    durable: bool = True
    """False for tests without power cuts: Postgres without fsync."""
    passwords: bool = True
    """False for tests: every role may connect without one."""
    fresh: bool = False
    """Delete earlier data."""
    prepare: Callable[[Stack], Awaitable[None]] | None = None
    """Awaited as soon as Postgres answers, while Kafka still starts: for migrations."""


class Stack:
    """`async with Stack(folder)`: a real broker with its topics, a real database with its roles and schemas.

    Data in `folder` is kept between starts, and only one process at a time may use it. Raises LocalError when it cannot
    start; nothing is left running then, nor after the block.
    """

    def __init__(self, folder: Path, options: StackOptions | None = None, console: Console | None = None) -> None:
        self._options = options = options or StackOptions()
        self._console = console or Console(stderr=True, force_terminal=False)
        self.folder = DataFolder(folder)
        held = HeldPorts()
        self._exit = AsyncExitStack()
        self._exit.callback(held.close)
        kafka = options.kafka_port or held.take()
        controller = options.kafka_port + 1 if options.kafka_port else held.take()
        postgres = options.postgres_port or held.take()
        self._ports = {
            "Kafka": ("127.0.0.1", kafka, "--kafka-port"),
            "Kafka's controller": ("127.0.0.1", controller, "--kafka-port"),
            "Postgres": ("127.0.0.1", postgres, "--postgres-port"),
            **options.other_ports,
        }
        logs = self.folder.logs
        self._kafka = Kafka(self.folder.kafka, logs / "kafka.log", kafka, controller)
        self.passwords = Passwords(self.folder.path / "passwords.json") if options.passwords else None
        self._postgres = Postgres(
            self.folder.postgres, logs / "postgres.log", postgres, durable=options.durable, passwords=self.passwords
        )

    @property
    def bootstrap_servers(self) -> str:
        """Kafka's address for clients."""
        return self._kafka.bootstrap_servers

    def database_url(self, service: str) -> str:
        """Postgres's URL for the service's role, `baton_reader` (may read all) or `postgres` (may do all)."""
        return self._postgres.url(service.replace("-", "_"))

    @property
    def children(self) -> tuple[Child, Child]:
        """The processes of Kafka and Postgres."""
        return self._kafka.child, self._postgres.child

    async def __aenter__(self) -> Self:
        try:
            self._exit.enter_context(self.folder.locked())
            await self._start()
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    async def _start(self) -> None:
        await self._kafka.clear_leftover()
        await self._postgres.clear_leftover()
        if self._options.fresh:
            self.folder.forget()
        require_free(self._ports)
        self._exit.push_async_callback(self._stop)
        try:
            async with asyncio.TaskGroup() as starting:
                starting.create_task(self._start_kafka())
                starting.create_task(self._start_postgres())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _start_kafka(self) -> None:
        stopped = Event()
        try:
            await asyncio.to_thread(ensure_kafka, self._console, stopped)
        finally:
            stopped.set()
        await self._kafka.start()
        await create_topics(self.bootstrap_servers, inboxes=self._options.inboxes)

    async def _start_postgres(self) -> None:
        await self._postgres.start()
        if self._options.prepare:
            await self._options.prepare(self)

    async def _stop(self) -> None:
        await asyncio.gather(self._kafka.stop(STOP_GRACE), self._postgres.stop(STOP_GRACE))
