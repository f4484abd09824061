"""The servers of a benchmark with their CPU time, and what a round measures."""

import os
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Protocol

from baton_local.stack import Stack, StackOptions
from tests.bench import cpu
from tests.infrastructure import Infrastructure, Room
from tests.processes import family_of
from tests.relay import POLICIES, Relay


@dataclass(frozen=True)
class Servers:
    """The embedded stack, fsync on, and its processes."""

    infrastructure: Infrastructure
    kafka: int
    postgres: int

    def kafka_cpu(self) -> float:
        """CPU microseconds of the broker."""
        return cpu.cpu_of(self.kafka)

    def postgres_cpu(self) -> float:
        """CPU microseconds of the postmaster and its children, ended ones included."""
        return cpu.total(family_of(self.postgres))


@dataclass(frozen=True)
class Measured:
    """The result of a round: events per second, CPU microseconds per event and process, latencies and a note if any."""

    rate: float
    cpu: Mapping[str, float]
    latency: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


class Scenario(Protocol):
    """A benchmark: prepared once, measured as often as asked."""

    @property
    def name(self) -> str:
        """Its name for `--only` and in the table."""
        ...

    def rounds(self, servers: Servers, count: int) -> AsyncIterator[Measured]:
        """Raises ValueError when the result is not the expected one."""
        ...


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """Kafka and Postgres for the benchmark only."""
    with tempfile.TemporaryDirectory(prefix="baton-bench-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - a mode of one folder just made
        async with Stack(Path(folder) / "stack", StackOptions(passwords=False)) as stack:
            kafka, postgres = stack.children
            where = Infrastructure("embedded", stack.bootstrap_servers, stack.database_url("postgres"))
            yield Servers(where, kafka.pid, postgres.pid)


@asynccontextmanager
async def bench_relay(where: Room, service: str, policy: str = "classic-50") -> AsyncIterator[Relay]:
    """One service in the room, not started yet; the environment's BATON_POLICIES takes precedence over `policy`."""
    policies = Path(os.environ.get("BATON_POLICIES", POLICIES / policy))
    with tempfile.TemporaryDirectory(prefix="baton-bench-", dir="/tmp") as folder:
        running = Relay(where, Path(folder), policies, [service])
        try:
            yield running
        finally:
            await running.stop()


def row(name: str, rounds: Sequence[Measured]) -> str:
    """Medians over the rounds, with the range of the rate."""
    rates = sorted(one.rate for one in rounds)
    costs = " + ".join(f"{part} {median(one.cpu[part] for one in rounds):.1f}" for part in rounds[0].cpu)
    times = " / ".join(f"{median(one.latency[at] for one in rounds):.0f}" for at in rounds[0].latency)
    span = f"{rates[0]:,.0f} to {rates[-1]:,.0f}"
    notes = "; ".join(one.note for one in rounds if one.note)
    return f"{name:<54}{median(rates):>9,.0f}  {span:<20}{times or '-':<12}{costs}{notes and f'  ({notes})'}"


HEADING = f"{'scenario':<54}{'events/s':>9}  {'range':<20}{'p50/p99 ms':<12}CPU-µs per event"
