"""The whole relay on real Kafka and Postgres, each service behind fault proxies of its own."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

import httpx
from rich.console import Console

from baton_local.child import Child, last_words
from baton_local.downloads import ensure_kafka
from baton_local.kafka import Kafka, Listener
from baton_local.ports import HeldPorts
from baton_local.postgres import Postgres
from baton_local.topics import create_topics
from tests.chaos.processes import STUCK, Instance
from tests.chaos.proxy import Proxy
from tests.relay import ROOT, SERVICES
from tests.until import until

INSTANCES = {"ingest": 1, "scorer": 2, "router": 2, "sla-monitor": 2}
JUDGES = ("scorer", "router", "sla-monitor")
"""The services with partition workers and a database."""
POLICIES = ROOT / "tests/fixtures/policies/chaos"
READY_SECONDS = 120
STOP_GRACE = 3.0


class StageError(Exception):
    """The relay does not even start."""


class Stage:
    """`async with Stage() as stage`: everything runs, is migrated and ready; all of it is gone after the block.

    What dies is started again, except `broker` and `database`: whoever kills those starts them. Logs are in `logs`
    as long as the block runs, and for good unless `forget_logs` was called.
    """

    def __init__(self, seed: int = 0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="baton-chaos-", dir="/tmp"))
        self.folder.chmod(0o755)  # Postgres may have to run as nobody
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        self.ports = HeldPorts()
        self.http_port, kafka, controller, postgres = (self.ports.take() for _ in range(4))
        listeners = [Listener(name.replace("-", "").upper(), self.ports.take(), self.ports.take()) for name in SERVICES]
        chance = random.Random(seed)
        self.to_broker = {
            service: Proxy(listener.advertised_port, listener.port, chance)
            for service, listener in zip(SERVICES, listeners, strict=True)
        }
        self.to_database = {service: Proxy(self.ports.take(), postgres, chance) for service in JUDGES}
        self.broker = Kafka(self.folder / "kafka", self.logs / "kafka.log", kafka, controller, listeners)
        self.database = Postgres(self.folder / "postgres", self.logs / "postgres.log", postgres)
        self.instances = [
            self._instance(service, number, self.ports.take())
            for service, count in INSTANCES.items()
            for number in range(1, count + 1)
        ]
        self._extra_port = self.ports.take()
        self.http = httpx.AsyncClient(timeout=10, trust_env=False)
        self._keep_logs = True
        self._exit = AsyncExitStack()

    @property
    def proxies(self) -> dict[str, Proxy]:
        """Every proxy by what it joins."""
        return {
            **{f"{service} to broker": proxy for service, proxy in self.to_broker.items()},
            **{f"{service} to database": proxy for service, proxy in self.to_database.items()},
        }

    @property
    def bootstrap_servers(self) -> str:
        """Of the broker, past every proxy."""
        return self.broker.bootstrap_servers

    @property
    def database_url(self) -> str:
        """Of the database that holds every service's schema, past every proxy, under the role that may do all."""
        return self.database.url("postgres")

    def of(self, service: str) -> list[Instance]:
        """The service's instances."""
        return [instance for instance in self.instances if instance.service == service]

    def extra(self, service: str) -> Instance:
        """One more instance, that nobody keeps: whoever runs it ends it."""
        return self._instance(service, 9, self._extra_port)

    async def ready(self, instance: Instance) -> bool:
        """What /readyz says."""
        with contextlib.suppress(httpx.HTTPError):
            return (await self.http.get(f"{instance.ops_url}/readyz", timeout=2)).status_code == 200
        return False

    def exits(self) -> Counter[str]:
        """How often processes of services ended, by name and exit code; -9 is a SIGKILL, 71 the watchdog."""
        return Counter(f"{one.service} {code}" for one in self.instances for code in one.exits)

    def watchdog_exits(self) -> int:
        """How often a watchdog ended its own process."""
        return sum(one.exits.count(STUCK) for one in self.instances)

    def bypassed(self) -> list[str]:
        """The proxies that no bytes went through, in one direction or both."""
        return [name for name, proxy in self.proxies.items() if not proxy.counts.up or not proxy.counts.down]

    def forget_logs(self) -> None:
        """The folder `logs` goes with everything else."""
        self._keep_logs = False

    async def __aenter__(self) -> Self:
        self._exit.callback(self.ports.close)
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
        self._exit.push_async_callback(self.http.aclose)
        self._exit.push_async_callback(self._stop_servers)
        await asyncio.to_thread(ensure_kafka, Console(stderr=True), Event())
        await asyncio.gather(self.broker.start(), self.database.start())
        await create_topics(self.bootstrap_servers)
        for proxy in self.proxies.values():
            await self._exit.enter_async_context(proxy)
        await asyncio.gather(*(self.of(service)[0].migrate() for service in JUDGES))
        keepers = [asyncio.create_task(instance.keep(), name=instance.name) for instance in self.instances]
        self._exit.push_async_callback(self._stop_services, keepers)
        for instance in self.instances:
            await self._until_ready(instance)

    async def _until_ready(self, instance: Instance) -> None:
        try:
            await until(partial(self.ready, instance), instance.name, READY_SECONDS)
        except TimeoutError:
            said = last_words(instance.log)
            raise StageError(f"{instance.name} was not ready within {READY_SECONDS} s: {said}.") from None

    async def _stop_services(self, keepers: list[asyncio.Task[None]]) -> None:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        await asyncio.gather(*(instance.end() for instance in reversed(self.instances)))

    async def _stop_servers(self) -> None:
        await asyncio.gather(self.broker.stop(STOP_GRACE), self.database.stop(STOP_GRACE))

    def _clear_up(self) -> None:
        if not self._keep_logs:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for part in self.folder.iterdir():
            if part != self.logs:
                shutil.rmtree(part, ignore_errors=True)

    def _instance(self, service: str, number: int, ops_port: int) -> Instance:
        name = f"{service}-{number}"
        env = {
            "BATON_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{self.to_broker[service].port}",
            "BATON_POLICIES": str(POLICIES),
        }
        if service == "ingest":
            env["BATON_HTTP__PORT"] = str(self.http_port)
            env["BATON_WRITE_KEYS"] = str(ROOT / "deploy/local/write-keys.yaml")
        else:
            role, port = service.replace("-", "_"), self.to_database[service].port
            env["BATON_DATABASE__URL"] = f"postgresql://{role}@127.0.0.1:{port}/baton"
        return Instance(name, service, env, self.logs / f"{name}.log", ops_port)


def servers_of(stage: Stage) -> dict[str, Child]:
    """The broker's process and the database's."""
    return {"broker": stage.broker.child, "database": stage.database.child}
