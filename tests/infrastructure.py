"""Real Kafka and real Postgres for the tests, from one of three sources.

`external` where KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL (a role that may create databases) are given, else `docker`
where an engine answers, else `embedded`, by the code of `make run`. BATON_STACK names one and refuses the others.
"""

import asyncio
import contextlib
import os
import tempfile
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg

from baton_local.ports import HeldPorts
from baton_local.postgres import READER, ROLE
from baton_local.stack import Stack, StackOptions
from baton_local.topics import create_topics
from tests.topics import admin

SOURCES = ("external", "docker", "embedded")
KAFKA_IMAGE = os.environ.get("BATON_KAFKA_IMAGE", "apache/kafka:4.3.1")
POSTGRES_IMAGE = os.environ.get("BATON_POSTGRES_IMAGE", "postgres:18")


@dataclass(frozen=True)
class Infrastructure:
    """A broker, and a database server with a role that may create databases."""

    source: str
    bootstrap_servers: str
    admin_url: str


@dataclass(frozen=True)
class Room:
    """Part of the shared servers for one test: topics under a prefix, a database with every service's schema."""

    bootstrap_servers: str
    prefix: str
    database: str
    admin_url: str

    def bootstrap_of(self, service: str) -> str:
        """Where the service finds its broker."""
        return self.bootstrap_servers

    def database_url(self, service: str) -> str:
        """The room's database under the service's own role."""
        _, _, server = self.admin_url.partition("@")
        return f"postgresql://{service.replace('-', '_')}@{server.partition('/')[0]}/{self.database}"

    @property
    def url(self) -> str:
        """The room's database under the role that may do all."""
        return f"{self.admin_url.rpartition('/')[0]}/{self.database}"

    async def query(self, service: str, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of the service's own schema."""
        async with connected(self.url, service) as connection:
            return list(await connection.fetch(statement, *arguments))


@contextlib.asynccontextmanager
async def connected(url: str, service: str = "") -> AsyncIterator[asyncpg.Connection]:
    """A connection, in the service's own schema if one is named. Raises OSError, TimeoutError and asyncpg's errors."""
    schema = {"search_path": service.replace("-", "_")} if service else {}
    connection = await asyncpg.connect(url, server_settings=schema, timeout=10, command_timeout=60)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


def source() -> str:
    """Which source this run uses. Raises RuntimeError when the one asked for is not there."""
    wanted = os.environ.get("BATON_STACK", "")
    given = {name for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL") if os.environ.get(name)}
    found = "external" if len(given) == 2 else "docker" if _docker_answers() else "embedded"
    if wanted not in ("", *SOURCES):
        raise RuntimeError(f"BATON_STACK is {wanted!r}; it names one of {', '.join(SOURCES)}")
    if wanted == "external" and len(given) < 2:
        raise RuntimeError("BATON_STACK=external needs KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL")
    if wanted == "docker" and not _docker_answers():
        raise RuntimeError("BATON_STACK=docker, and no Docker engine answers")
    return wanted or found


@contextlib.asynccontextmanager
async def infrastructure() -> AsyncIterator[Infrastructure]:
    """The servers, started unless they are external; stopped after the block."""
    match source():
        case "external":
            yield Infrastructure("external", os.environ["KAFKA_BOOTSTRAP_SERVERS"], os.environ["DATABASE_URL"])
        case "docker":
            with HeldPorts() as held:
                async with _containers(held.take()) as servers:
                    yield servers
        case _:  # not in a home: Postgres may have to run as nobody
            with tempfile.TemporaryDirectory(prefix="baton-test-", dir="/tmp") as folder:
                os.chmod(folder, 0o755)  # noqa: PTH101 - a mode of one folder just made
                async with Stack(Path(folder) / "stack", StackOptions(passwords=False)) as stack:
                    yield Infrastructure("embedded", stack.bootstrap_servers, stack.database_url("postgres"))


@contextlib.asynccontextmanager
async def room(servers: Infrastructure, template: str | None = None) -> AsyncIterator[Room]:
    """A fresh room, its database a copy of `template` where one is named; removed after the block."""
    name = f"t{uuid.uuid4().hex[:8]}"
    made = Room(servers.bootstrap_servers, f"{name}-", name, servers.admin_url)
    await create_topics(servers.bootstrap_servers, made.prefix)
    async with connected(servers.admin_url) as database:
        try:
            await database.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
            async with connected(made.url) as inside:
                await inside.execute(READER)
                for role in ("scorer", "router", "sla_monitor"):
                    await inside.execute(ROLE.format(name=role))
            yield made
        finally:
            await database.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            async with admin(made.bootstrap_servers) as client:
                own = [topic for topic in await client.list_topics() if topic.startswith(made.prefix)]
                await client.delete_topics(own)


@cache
def _docker_answers() -> bool:
    if not os.environ.get("DOCKER_HOST") and not Path("/var/run/docker.sock").exists():
        return False
    import docker
    from docker.errors import DockerException

    try:
        with contextlib.closing(docker.from_env(timeout=5)) as client:
            client.ping()
    except DockerException:
        return False
    return True


@contextlib.asynccontextmanager
async def _containers(port: int) -> AsyncIterator[Infrastructure]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import ExecWaitStrategy, LogMessageWaitStrategy

    kafka = DockerContainer(KAFKA_IMAGE).with_bind_ports(9092, port)
    for name, value in _kafka_environment(port).items():
        kafka = kafka.with_env(name, value)
    postgres = DockerContainer(POSTGRES_IMAGE).with_exposed_ports(5432).with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
    kafka.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(120))
    # Over TCP: the image's server for the initial set-up says "ready" too, and `times=2` is ignored.
    ready = ["pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres"]
    postgres.waiting_for(ExecWaitStrategy(ready).with_startup_timeout(120))
    await asyncio.gather(asyncio.to_thread(kafka.start), asyncio.to_thread(postgres.start))
    try:
        database = f"{postgres.get_container_host_ip()}:{postgres.get_exposed_port(5432)}"
        yield Infrastructure("docker", f"127.0.0.1:{port}", f"postgresql://postgres@{database}/postgres")
    finally:
        await asyncio.gather(asyncio.to_thread(kafka.stop), asyncio.to_thread(postgres.stop))


def _kafka_environment(port: int) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }
