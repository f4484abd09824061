"""Ingest behind its HTTP interface, with a broker in memory and with the real one: the same tests for both."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast
from uuid import uuid4

import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry

from baton_local.topics import create_topics
from chassis.kafka.publisher import Place, Publisher, Record
from chassis.process.settings import Kafka
from ingest.app import build
from ingest.flights import Publishes
from ingest.keys import WriteKeys, hash_key
from ingest.settings import IngestSettings, Limits
from ingest.webhooks import Webhooks
from schemas.topics import TOPICS
from tests.topics import delete_topics, written

PUBLIC, SERVER = "pk_for_tests", "sk_for_tests"
SHOP = "https://shop.example"
"""The origin whose pages may use the public key."""


class Broker(Protocol):
    """Where records go, and how a test sees them."""

    @property
    def publisher(self) -> Publishes:
        """What ingest gets."""
        ...

    async def on(self, topic: str) -> list[tuple[str | None, dict[str, Any]]]:
        """Keys and values of all records of the topic."""
        ...


@dataclass
class Memory:
    """Acknowledges everything at once."""

    records: list[Record] = field(default_factory=list)

    @property
    def publisher(self) -> Publishes:
        return self

    async def by_place(self, records: Sequence[Record]) -> Mapping[Place, Sequence[Record]]:
        return {("everything", 0): records}

    async def publish(self, records: Sequence[Record], place: Place | None = None) -> None:
        self.records += records

    async def on(self, topic: str) -> list[tuple[str | None, dict[str, Any]]]:
        return [_plain(record.key, record.value) for record in self.records if record.topic == topic]


@dataclass
class RealKafka:
    """Kafka itself, by the publisher that the service uses."""

    publisher: Publisher
    kafka: Kafka

    async def on(self, topic: str) -> list[tuple[str | None, dict[str, Any]]]:
        records = await written(self.kafka.bootstrap_servers, self.kafka.prefix + topic)
        return [_plain(record.key, record.value) for record in records]


def _plain(key: bytes | None, value: bytes | None) -> tuple[str | None, dict[str, Any]]:
    return (key.decode() if key else None, json.loads(value or b"null"))


@dataclass
class Door:
    """A running ingest as one sender sees it."""

    http: httpx.AsyncClient
    broker: Broker
    name: str
    registry: CollectorRegistry

    async def post(self, path: str, body: object = None, key: str | None = PUBLIC, **more: Any) -> httpx.Response:
        """`body` as JSON (bytes as they are), with the key as Basic user name."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**({"Authorization": basic(key)} if key else {}), **more.pop("headers", {})}
        return await self.http.post(path, headers=headers, **{"content": content, **more})

    async def published(self, topic: str = "engagements") -> list[tuple[str | None, dict[str, Any]]]:
        """Keys and values of what this sender's requests put on the topic."""
        return [(key, value) for key, value in await self.broker.on(topic) if self.name in value["source"]]

    def count(self, name: str, **labels: str) -> float:
        """The value of one of ingest's metrics."""
        return self.registry.get_sample_value(f"baton_ingest_{name}", labels) or 0.0


def basic(key: str) -> str:
    """The header's value as Segment's libraries write it."""
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


@pytest.fixture(scope="session")
async def own_topics(kafka_bootstrap: str) -> AsyncIterator[Kafka]:
    """Fresh topics on the real broker, gone at the end."""
    kafka = Kafka(bootstrap_servers=kafka_bootstrap, prefix=f"ingest-{uuid4().hex[:8]}-")
    await create_topics(kafka_bootstrap, kafka.prefix)
    yield kafka
    await delete_topics(kafka_bootstrap, *(kafka.prefix + topic for topic in TOPICS))


@pytest.fixture(params=["memory", "kafka"])
def place(request: pytest.FixtureRequest) -> Kafka | None:
    """Where the broker is; None for the one in memory."""
    return None if request.param == "memory" else cast(Kafka, request.getfixturevalue("own_topics"))


@pytest.fixture
async def broker(place: Kafka | None) -> AsyncIterator[Broker]:
    """Either of the two."""
    if place is None:
        yield Memory()
    else:
        async with Publisher(place) as publisher:
            yield RealKafka(publisher, place)


Opens = Callable[..., AbstractAsyncContextManager[Door]]


@pytest.fixture
def opened(tmp_path: Path) -> Opens:
    """Runs an ingest with limits of the test's own; its sender has a name that no other test uses."""

    @asynccontextmanager
    async def open_(broker: Broker, webhooks: Webhooks | None = None, **limits: Any) -> AsyncIterator[Door]:
        name = f"tests-{uuid4().hex[:12]}"
        file = tmp_path / f"{name}.yaml"
        entries = [
            {"name": name, "kind": "public", "sha256": hash_key(PUBLIC), "origins": [SHOP]},
            {"name": f"{name}-server", "kind": "server", "sha256": hash_key(SERVER)},
        ]
        file.write_text(yaml.safe_dump({"keys": entries}))
        registry = CollectorRegistry()
        settings = IngestSettings(limits=Limits(**limits))
        ingest = build(settings, WriteKeys(file), broker.publisher, registry, webhooks)
        transport = httpx.ASGITransport(ingest.app)
        async with asyncio.TaskGroup() as tasks, httpx.AsyncClient(transport=transport, base_url="http://t") as http:
            tasks.create_task(ingest.flights.run())
            yield Door(http, broker, name, registry)
            ingest.flights.close()

    return open_


@pytest.fixture
async def door(broker: Broker, opened: Opens) -> AsyncIterator[Door]:
    """A running ingest with its own limits."""
    async with opened(broker) as door:
        yield door
