"""Benchmark of an import: months of engagements at once, under a policy with decay."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from baton_local.topics import PARTITIONS
from tests.bench import cpu, scorer, workload
from tests.bench.measure import Measured, Servers, bench_relay
from tests.infrastructure import connected, room

MOST_SECONDS = 120
"""Most seconds of an import on two cores."""
PROGRESS = "SELECT coalesce(sum((totals->>'records')::int), 0), coalesce(sum(epoch), 0) FROM partition"


@dataclass(frozen=True)
class Scenario:
    """Events of leads, all between `days` days old. Only the one process claims partitions."""

    name: str
    events: int
    leads: int
    days: tuple[int, int]

    async def rounds(self, servers: Servers, count: int) -> AsyncIterator[Measured]:
        """Each round in a database of its own."""
        for seed in range(count):
            yield await measure(self, servers, seed)


SCENARIOS = (Scenario("import: 48k events of 8k leads, 88 to 78 days old", 48_000, 8_000, (88, 78)),)


async def measure(scenario: Scenario, servers: Servers, seed: int) -> Measured:
    """One round, from the process's start to the last commit. Raises ValueError when a partition is claimed again."""
    async with room(servers.infrastructure) as where, bench_relay(where, "scorer", "balanced") as running:
        await running.migrate("scorer")
        await scorer.fill(where, workload.history(scenario.events, scenario.leads, seed, scenario.days))
        async with connected(where.url, "scorer") as connection:
            began, before = time.monotonic(), (0.0, servers.postgres_cpu(), servers.kafka_cpu())
            process = await running.launch("scorer")
            done = takeovers = 0
            while done < scenario.events:
                if (seconds := time.monotonic() - began) > 2 * MOST_SECONDS or process.returncode is not None:
                    standing = f"{done} of {scenario.events}, {takeovers} takeovers after {seconds:.0f} s"
                    raise ValueError(f"{scenario.name}: {standing}, exit code {process.returncode}")
                await asyncio.sleep(0.1)
                [(done, takeovers)] = await connection.fetch(PROGRESS)
            seconds = time.monotonic() - began
            after = (cpu.cpu_of(process.pid), servers.postgres_cpu(), servers.kafka_cpu())
    note = f"{seconds:.0f} s of {MOST_SECONDS}, {takeovers} takeovers of {PARTITIONS} partitions"
    if takeovers > PARTITIONS:
        raise ValueError(f"{scenario.name}: {note}")
    costs = [(then - first) / scenario.events for first, then in zip(before, after, strict=True)]
    parts = dict(zip(("worker", "postgres", "broker"), costs, strict=True))
    return Measured(scenario.events / seconds, parts, note=note)
