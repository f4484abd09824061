"""The services as real processes in their own room, used as a user uses them."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from baton_local.ports import HeldPorts
from schemas.barrier import BARRIER_KEY
from tests.infrastructure import Room
from tests.processes import Instance
from tests.topics import written
from tests.until import until

ROOT = Path(__file__).resolve().parents[1]
POLICIES = ROOT / "deploy/policies"
SERVICES = ("ingest", "scorer", "router", "sla-monitor")
JUDGES = SERVICES[1:]
"""Those with partition workers and a database."""
BATON = str(Path(sys.executable).parent / "baton")
WRITE_KEY = ("pk_demo_tracker", "")
SERVER_KEY = ("sk_demo_sales", "")


class Relay:
    """Instances of the services by name. Logs are in `folder`."""

    def __init__(self, where: Room, folder: Path, policies: Path, names: Sequence[str] = SERVICES) -> None:
        self.room = where
        self.folder = folder
        self._policies = policies
        self._held = HeldPorts()
        self.http_port = self._held.take()
        self.instances: list[Instance] = []
        for name in names:
            self.named(name)
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.http_port}", timeout=15, trust_env=False)

    def environment(self, service: str) -> dict[str, str]:
        """Settings of the service in addition to this process's environment."""
        return {
            "BATON_KAFKA__BOOTSTRAP_SERVERS": self.room.bootstrap_of(service),
            "BATON_KAFKA__PREFIX": self.room.prefix,
            "BATON_POLICIES": str(self._policies),
            "BATON_DATABASE__URL": self.room.database_url("baton_reader" if service == "desk" else service),
            "BATON_HTTP__PORT": str(self.http_port),
            "BATON_WRITE_KEYS": str(ROOT / "deploy/local/write-keys.yaml"),
        }

    def named(self, name: str) -> Instance:
        """The instance, made if there is none of this name: `scorer/2` is a second scorer."""
        found = next((instance for instance in self.instances if instance.name == name), None)
        if found is None:
            found = self.make(name)
            self.instances.append(found)
        return found

    def make(self, name: str) -> Instance:
        """An instance that the relay does not stop."""
        log = self.folder / f"{name.replace('/', '-')}.log"
        return Instance(name, self.environment(name.partition("/")[0]), log, self._held.take())

    def of(self, service: str) -> list[Instance]:
        """The service's instances."""
        return [instance for instance in self.instances if instance.service == service]

    async def typing(self, service: str, *words: str, **environment: str) -> asyncio.subprocess.Process:
        """A command of the service, running; `desk` has those of `baton`."""
        return await asyncio.create_subprocess_exec(
            *((BATON,) if service == "desk" else (sys.executable, "-m", service.replace("-", "_"))),
            *words,
            env={**os.environ, "COLUMNS": "200", **self.environment(service), **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=partial(
                signal.signal, signal.SIGINT, signal.SIG_DFL
            ),  # whoever runs the tests may ignore SIGINT
        )

    async def typed(self, service: str, *words: str, **environment: str) -> tuple[int, str, str]:
        """A command's exit code, standard output and standard error."""
        process = await self.typing(service, *words, **environment)
        out, err = await asyncio.wait_for(process.communicate(), 90)
        return process.returncode or 0, out.decode(), err.decode()

    async def baton(self, *words: str) -> tuple[int, str]:
        """What a person types: exit code and what it prints."""
        code, out, err = await self.typed("desk", *words)
        return code, out + err

    async def start(self, *names: str) -> None:
        """Starts those named, by default all, and waits until each is ready."""
        chosen = names or [instance.name for instance in self.instances]
        for name in chosen:
            await self.launch(name)
        for name in chosen:
            await until(partial(self.ready, name), f"{name} to be ready", 60)

    async def launch(self, name: str, **more: str) -> asyncio.subprocess.Process:
        """Starts one instance with `more` in its environment, without waiting."""
        return await self.named(name).start(**more)

    async def migrate(self, *services: str) -> None:
        """Migrates those named, by default all."""
        for code, *said in await asyncio.gather(*(self.typed(each, "migrate") for each in services or JUDGES)):
            assert code == 0, said

    async def ready(self, name: str) -> bool:
        """Whether /readyz says so."""
        return await self.unready(name) == ""

    async def unready(self, name: str) -> str:
        """What /readyz says is missing, empty when nothing is."""
        try:
            answer = await self.http.get(f"{self.named(name).ops_url}/readyz", timeout=5)
        except httpx.HTTPError as error:
            return type(error).__name__
        return "" if answer.status_code == 200 else answer.text

    async def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Sends the signal and waits for the process to end."""
        await self.named(name).signal(number)

    async def discard(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """As `kill`, for an instance that may have ended already."""
        if self.named(name).running:
            await self.kill(name, number)

    async def stop(self) -> None:
        """Stops everything that still runs."""
        await asyncio.gather(*(instance.end() for instance in reversed(self.instances)))
        await self.http.aclose()
        self._held.close()

    async def batch(self, items: Sequence[dict[str, Any]], **fields: Any) -> httpx.Response:
        """A Segment batch, as a tracker sends it."""
        return await self.http.post("/v1/batch", auth=WRITE_KEY, json={"batch": list(items), **fields})

    async def sales(self, activity: dict[str, Any] | list[dict[str, Any]]) -> httpx.Response:
        """Sales activities, as a CRM sends them."""
        return await self.http.post("/v1/sales-activities", auth=SERVER_KEY, json=activity)

    async def metric(self, name: str, metric: str) -> float:
        """The sum of an instance's metric over its labels."""
        text = (await self.http.get(f"{self.named(name).ops_url}/metrics")).text
        return sum(float(value) for value in re.findall(rf"^{metric}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))

    async def query(self, service: str, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of the service's own schema."""
        return await self.room.query(service, statement, *arguments)

    async def records(self, topic: str) -> list[Any]:
        """Every record of the topic, from its beginning to its end at the call."""
        return await written(self.room.bootstrap_servers, self.room.prefix + topic)

    async def events(self, topic: str, kind: str = "", lead: str | None = None) -> list[dict[str, Any]]:
        """The topic's events whose type contains `kind`, of one lead or of all."""
        keyed = [each for each in await self.records(topic) if each.key != BARRIER_KEY]
        own = [each for each in keyed if lead is None or each.key == lead.encode()]
        return [event for event in (json.loads(each.value) for each in own) if kind in event["type"]]


@contextlib.asynccontextmanager
async def relay(where: Room, folder: Path, policies: Path, *names: str) -> AsyncIterator[Relay]:
    """The services named, by default all four, migrated and ready; stopped after the block."""
    running = Relay(where, folder, policies, names or SERVICES)
    try:
        await running.migrate()
        await running.start()
        yield running
    finally:
        await running.stop()
