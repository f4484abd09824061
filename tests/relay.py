"""The four services as real processes in a room of their own, used as a user would use them."""

from __future__ import annotations

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
from tests.topics import written
from tests.until import until

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ("ingest", "scorer", "router", "sla-monitor")
WRITE_KEY = ("pk_demo_tracker", "")
SERVER_KEY = ("sk_demo_sales", "")


class Relay:
    """Runs the services; `start` and `kill` one at will. Logs are in `folder`."""

    def __init__(self, where: Room, folder: Path, policies: Path) -> None:
        self.room = where
        self.folder = folder
        self._policies = policies
        self._held = HeldPorts()
        self._ports = {name: self._held.take() for name in (*SERVICES, "http")}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._ports['http']}", timeout=15, trust_env=False)

    @property
    def port(self) -> int:
        """Where ingest takes requests."""
        return self._ports["http"]

    def environment(self, service: str) -> dict[str, str]:
        """What the service's process is told."""
        own = {
            "BATON_KAFKA__BOOTSTRAP_SERVERS": self.room.bootstrap_servers,
            "BATON_KAFKA__PREFIX": self.room.prefix,
            "BATON_OPS__PORT": str(self._ports.get(service, 0)),
            "BATON_POLICIES": str(self._policies),
            "BATON_DATABASE__URL": self.room.database_url("baton_reader" if service == "desk" else service),
            "BATON_HTTP__PORT": str(self._ports["http"]),
            "BATON_WRITE_KEYS": str(ROOT / "deploy/local/write-keys.yaml"),
        }
        return {**os.environ, **own}

    async def baton(self, *arguments: str) -> tuple[int, str]:
        """What a person types: exit code and what it prints."""
        return await self.command("desk", *arguments)

    async def command(self, service: str, *arguments: str) -> tuple[int, str]:
        """An operator's command: exit code and what it prints."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", service.replace("-", "_"), *arguments),
            env=self.environment(service),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, output.decode()

    async def start(self, *services: str) -> None:
        """Starts the services named, all without names, and waits until each is ready.

        Another instance of a service is named with a slash: `scorer/2`.
        """
        chosen = services or SERVICES
        for service in chosen:
            await self.launch(service)
        for service in chosen:
            await until(partial(self.ready, service), f"{service} to be ready", 60)

    async def launch(self, instance: str, **more: str) -> asyncio.subprocess.Process:
        """Starts one instance, `more` in its environment, and does not wait for it."""
        service = instance.partition("/")[0]
        if instance not in self._ports:
            self._ports[instance] = self._held.take()
        environment = {**self.environment(service), "BATON_OPS__PORT": str(self._ports[instance]), **more}
        with self.log(instance).open("ab") as log:
            self._processes[instance] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", service.replace("-", "_"), "serve"), env=environment, stdout=log, stderr=log
            )
        return self._processes[instance]

    def log(self, instance: str) -> Path:
        """Where an instance writes."""
        return self.folder / f"{instance.replace('/', '-')}.log"

    async def migrate(self) -> None:
        """Makes every schema."""
        for code, output in await asyncio.gather(*(self.command(s, "migrate") for s in SERVICES)):
            assert code == 0, output

    async def ready(self, service: str) -> bool:
        """Whether /readyz says so."""
        return await self.unready(service) == ""

    async def unready(self, service: str) -> str:
        """What /readyz says is missing, empty when nothing is."""
        try:
            answer = await self.http.get(f"http://127.0.0.1:{self._ports[service]}/readyz")
        except httpx.HTTPError as error:
            return type(error).__name__
        return "" if answer.status_code == 200 else answer.text

    async def kill(self, service: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Sends the signal and waits for the process to end."""
        process = self._processes.pop(service)
        process.send_signal(number)
        await asyncio.wait_for(process.wait(), 30)

    async def discard(self, instance: str, number: signal.Signals = signal.SIGKILL) -> None:
        """As `kill`, of an instance that may be dead already."""
        if (process := self._processes.get(instance)) and process.returncode is None:
            await self.kill(instance, number)

    async def stop(self) -> None:
        """Ends everything that still runs, in the event's order reversed."""
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in self._processes.values():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), 30)
        await self.http.aclose()
        self._held.close()

    async def batch(self, items: Sequence[dict[str, Any]], **fields: Any) -> httpx.Response:
        """A Segment batch, as a tracker sends it."""
        return await self.http.post("/v1/batch", auth=WRITE_KEY, json={"batch": list(items), **fields})

    async def sales(self, activity: dict[str, Any] | list[dict[str, Any]]) -> httpx.Response:
        """Sales activities, as a CRM sends them."""
        return await self.http.post("/v1/sales-activities", auth=SERVER_KEY, json=activity)

    async def metric(self, service: str, name: str) -> float:
        """The sum of a metric over its labels."""
        text = (await self.http.get(f"http://127.0.0.1:{self._ports[service]}/metrics")).text
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))

    async def query(self, service: str, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of the service's own schema."""
        connection = await asyncpg.connect(
            self.room.url, server_settings={"search_path": service.replace("-", "_")}, timeout=10
        )
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    async def records(self, topic: str) -> list[Any]:
        """Every record of the topic, from its beginning to its present end."""
        return await written(self.room.bootstrap_servers, self.room.prefix + topic)

    async def events(self, topic: str, kind: str = "") -> list[dict[str, Any]]:
        """The topic's events whose type contains `kind`."""
        decoded = [json.loads(each.value) for each in await self.records(topic) if each.key != BARRIER_KEY]
        return [event for event in decoded if kind in event["type"]]


@contextlib.asynccontextmanager
async def relay(where: Room, folder: Path, policies: Path) -> AsyncIterator[Relay]:
    """All four services, migrated and ready; ended after the block."""
    running = Relay(where, folder, policies)
    try:
        await running.migrate()
        await running.start()
        yield running
    finally:
        await running.stop()
