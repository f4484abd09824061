"""The whole relay on its own Kafka and Postgres, each service behind its own fault proxies."""

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from rich.console import Console

from baton_local.child import last_words
from baton_local.downloads import ensure_kafka
from baton_local.kafka import Kafka, Listener
from baton_local.ports import HeldPorts
from baton_local.postgres import Postgres
from baton_local.topics import create_topics
from tests.chaos import inbox
from tests.chaos.inbox import INBOX, TOPIC
from tests.chaos.proxy import Proxy
from tests.infrastructure import Room
from tests.processes import Instance
from tests.relay import JUDGES, ROOT, SERVICES, Relay
from tests.until import until

INSTANCES = ("ingest", *(f"{service}{number}" for service in (*JUDGES, INBOX) for number in ("", "/2")))
POLICIES = ROOT / "tests/fixtures/policies/chaos"
READY_SECONDS = 120
STOP_GRACE = 3.0


class StageError(Exception):
    """The relay does not even start."""


@dataclass(frozen=True)
class Proxied(Room):
    """A room that each service enters by proxies of its own."""

    to_broker: Mapping[str, Proxy]
    to_database: Mapping[str, Proxy]

    def bootstrap_of(self, service: str) -> str:
        return f"127.0.0.1:{self.to_broker[service].port}"

    def database_url(self, service: str) -> str:
        at = f"127.0.0.1:{self.to_database[service].port}" if service in self.to_database else "nowhere"
        return f"postgresql://{service.replace('-', '_')}@{at}/{self.database}"


class Stage(Relay):
    """`async with Stage() as stage`: everything runs, is migrated and ready; all of it is gone after the block.

    What dies is started again, except `broker` and `database`: whoever kills those starts them. Logs are in `logs`
    as long as the block runs, and for good unless `forget_logs` was called.
    """

    def __init__(self, seed: int = 0) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="baton-chaos-", dir="/tmp"))
        self._root.chmod(0o755)  # Postgres may have to run as nobody
        self.logs = self._root / "logs"
        self.logs.mkdir()
        self._ports = HeldPorts()
        kafka, controller, postgres = (self._ports.take() for _ in range(3))
        listeners = [
            Listener(name.replace("-", "").upper(), self._ports.take(), self._ports.take())
            for name in (*SERVICES, INBOX)
        ]
        chance = random.Random(seed)
        self.to_broker = {
            service: Proxy(listener.advertised_port, listener.port, chance)
            for service, listener in zip((*SERVICES, INBOX), listeners, strict=True)
        }
        self.to_database = {service: Proxy(self._ports.take(), postgres, chance) for service in JUDGES}
        self.broker = Kafka(self._root / "kafka", self.logs / "kafka.log", kafka, controller, listeners)
        self.database = Postgres(self._root / "postgres", self.logs / "postgres.log", postgres)
        self._keep_logs = True
        self._exit = AsyncExitStack()
        where = (self.broker.bootstrap_servers, "", "baton", self.database.url("postgres"))
        super().__init__(Proxied(*where, self.to_broker, self.to_database), self.logs, POLICIES, INSTANCES)

    def environment(self, service: str) -> dict[str, str]:
        own = inbox.environment(self._root) if service == INBOX else {}
        return {**super().environment(service), **own}

    @property
    def proxies(self) -> dict[str, Proxy]:
        """Every proxy by what it joins."""
        return {
            **{f"{service} to broker": proxy for service, proxy in self.to_broker.items()},
            **{f"{service} to database": proxy for service, proxy in self.to_database.items()},
        }

    def server(self, name: str) -> Kafka | Postgres:
        """The `broker` or the `database`."""
        return self.broker if name == "broker" else self.database

    def exits(self) -> Counter[str]:
        """How often processes of services ended, by name and exit code; -9 is a SIGKILL, 71 the watchdog."""
        return Counter(f"{one.service} {code}" for one in self.instances for code in one.exits)

    def bypassed(self) -> list[str]:
        """The proxies that no bytes went through, in one direction or both."""
        return [name for name, proxy in self.proxies.items() if not proxy.counts.up or not proxy.counts.down]

    def forget_logs(self) -> None:
        """The folder `logs` goes with everything else."""
        self._keep_logs = False

    async def __aenter__(self) -> Self:
        self._exit.callback(self._ports.close)
        self._exit.callback(self._clear_up)
        try:
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
        self._exit.push_async_callback(self._stop_servers)
        self._exit.push_async_callback(self.stop)
        await asyncio.to_thread(ensure_kafka, Console(stderr=True), Event())
        await asyncio.gather(self.broker.start(), self.database.start())
        await create_topics(self.room.bootstrap_servers, inboxes=(TOPIC,))
        for proxy in self.proxies.values():
            await self._exit.enter_async_context(proxy)
        await self.migrate()
        keepers = [asyncio.create_task(instance.keep(), name=instance.name) for instance in self.instances]
        self._exit.push_async_callback(self._let_go, keepers)
        for instance in self.instances:
            await self._until_ready(instance)

    async def _until_ready(self, instance: Instance) -> None:
        try:
            await until(partial(self.ready, instance.name), instance.name, READY_SECONDS)
        except TimeoutError:
            said = last_words(instance.log)
            raise StageError(f"{instance.name} was not ready within {READY_SECONDS} s: {said}.") from None

    async def _let_go(self, keepers: list[asyncio.Task[None]]) -> None:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        await asyncio.gather(*(instance.end(STOP_GRACE) for instance in reversed(self.instances)))

    async def _stop_servers(self) -> None:
        await asyncio.gather(self.broker.stop(STOP_GRACE), self.database.stop(STOP_GRACE))

    def _clear_up(self) -> None:
        if not self._keep_logs:
            shutil.rmtree(self._root, ignore_errors=True)
            return
        for part in self._root.iterdir():
            if part != self.logs:
                shutil.rmtree(part, ignore_errors=True)
