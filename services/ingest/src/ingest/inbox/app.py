"""The composition root of the inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry
from pydantic import Field

from chassis.kafka.group import Group
from chassis.kafka.publisher import Publisher
from chassis.process import ops
from chassis.process.metrics import ProducerCollector
from chassis.process.settings import Ops, Settings
from ingest.formats import Formats
from ingest.inbox.file import Inbox
from ingest.inbox.loop import Loop
from ingest.inbox.metrics import InboxMetrics
from ingest.inbox.reader import Reader
from ingest.settings import MAPPINGS, Limits

NAME = "inbox"
"""Of the process, and of its consumer group."""


class InboxOps(Ops):
    """The HTTP port for operators: /livez, /readyz, /metrics."""

    port: int = Field(9105, description="port to listen on")


class InboxSettings(Settings):
    """Settings of the inbox: `BATON_INBOXES`, `BATON_MAPPINGS`, `BATON_OPS__PORT`, `BATON_LIMITS__EVENT`, ..."""

    ops: InboxOps = Field(InboxOps(), description=InboxOps.__doc__ or "")
    limits: Limits = Field(Limits(), description="of these event, batch, inflated and lenient count here")
    inboxes: Path = Field(Path("deploy/inboxes.yaml"), description="file of the topics that are read")
    mappings: Path = Field(MAPPINGS, description="folder of the mappings by which records are read")


async def serve(settings: InboxSettings, inboxes: Mapping[str, Inbox], formats: Formats, stop: asyncio.Event) -> None:
    """Reads the inboxes until `stop`; then finishes its round and leaves the group."""
    registry = CollectorRegistry()
    async with Publisher(settings.kafka) as publisher:
        registry.register(ProducerCollector(NAME, publisher))
        readers = {
            topic: Reader(inbox, formats.find(inbox.format), settings.limits) for topic, inbox in inboxes.items()
        }
        loop = Loop(Group(settings.kafka, NAME, tuple(inboxes)), publisher, readers, InboxMetrics(registry, inboxes))

        def ready() -> str | None:
            return "stopping" if stop.is_set() else loop.waiting

        async with ops.serving(NAME, settings.ops, ready, registry):
            await loop.run(stop)
