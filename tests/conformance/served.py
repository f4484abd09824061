"""An ingest that clients can reach, behind it a broker that is away at first."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from baton_local.ports import HeldPorts
from chassis.kafka.publisher import Place, Record
from chassis.process import ops
from chassis.process.failures import Transient
from ingest.app import build
from ingest.keys import WriteKeys
from ingest.settings import IngestSettings
from tests.contract.conftest import Memory
from tests.relay import ROOT

OUTAGE_SECONDS = 2.0


@dataclass
class Stumbling(Memory):
    """Acknowledges nothing for OUTAGE_SECONDS from the first attempt on; every other one is written all the same."""

    stumbles: bool = True
    failed: int = 0
    first: float | None = None
    unacknowledged: list[Record] = field(default_factory=list)

    async def publish(self, records: Sequence[Record], place: Place | None = None) -> None:
        now = asyncio.get_running_loop().time()
        self.first = now if self.first is None else self.first
        if not self.stumbles or now > self.first + OUTAGE_SECONDS:
            await super().publish(records, place)
            return
        self.failed += 1
        if self.failed % 2 == 0:
            self.unacknowledged += records
        raise Transient("stumbled")


@dataclass
class Served:
    """An ingest that a client can reach."""

    host: str
    broker: Stumbling
    registry: CollectorRegistry

    def requests(self, status: int) -> int:
        """How many were answered so."""
        found = (s for metric in self.registry.collect() for s in metric.samples if s.name.endswith("_requests_total"))
        return int(sum(sample.value for sample in found if sample.labels["status"] == str(status)))


@asynccontextmanager
async def serving(*, stumbles: bool) -> AsyncIterator[Served]:
    """On a port of its own, with the keys of the demo."""
    broker, registry = Stumbling(stumbles=stumbles), CollectorRegistry()
    ingest = build(IngestSettings(), WriteKeys(ROOT / "deploy/local/write-keys.yaml"), broker, registry)
    with HeldPorts() as ports:
        port = ports.take()
        async with asyncio.TaskGroup() as tasks, ops.listening(ingest.app, "127.0.0.1", port):
            tasks.create_task(ingest.flights.run())
            yield Served(f"http://127.0.0.1:{port}", broker, registry)
            ingest.flights.close()
