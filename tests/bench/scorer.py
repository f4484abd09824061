"""The scorer from a backlog: hot leads, new leads, and known leads that are not in memory, in order and late."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice

import asyncpg

from chassis.kafka.publisher import Publisher, Record
from chassis.process.settings import Kafka
from tests.bench import cpu, workload
from tests.bench.measure import Measured, Servers, bench_relay
from tests.infrastructure import Room, connected, room


@dataclass(frozen=True)
class Scenario:
    """A backlog, and the facts in the database before it: `facts_before` of each lead, earlier ones or, if `late`,
    later.

    Each round uses other times of the workload, so a scenario has at most MOST_ROUNDS.
    """

    name: str
    events: int
    leads: int
    facts_before: int = 0
    late: bool = False

    async def rounds(self, servers: Servers, count: int) -> AsyncIterator[Measured]:
        """Each round in its own database. Raises ValueError for more rounds than MOST_ROUNDS."""
        if count > MOST_ROUNDS:
            raise ValueError(f"{count} rounds are more than {MOST_ROUNDS}")
        async with known_leads(servers, self) if self.facts_before else nullcontext() as template:
            for seed in range(count):
                after = 0 if self.late else self.facts_before
                yield await measure(self, servers, after + seed, template)


DONE = "SELECT coalesce(sum((totals->>'records')::int), 0) FROM partition"
SCENARIOS = (
    Scenario("scorer hot: 10k leads", 300_000, 10_000),
    Scenario("scorer new: 300k leads", 300_000, 300_000),
    Scenario("scorer known in order: 100k leads, 20 facts each", 100_000, 100_000, 20),
    Scenario("scorer late: 100k leads, 20 later facts each", 100_000, 100_000, 20, late=True),
)
MOST_ROUNDS = 10
"""As many parts of 100,000 events as fit into `workload.PERIOD` beside those of `facts_before`."""


FORGET = (
    "DELETE FROM outbox",
    "UPDATE partition SET offsets = '{}', marks = '{}', totals = '{}', out_seq = 0",
)


async def measure(scenario: Scenario, servers: Servers, seed: int, template: str | None = None) -> Measured:
    """One round, from the first commit seen to the last, so that the start is not counted."""
    async with room(servers.infrastructure, template) as where, bench_relay(where, "scorer") as running:
        if template is None:
            await running.migrate("scorer")
        await fill(where, workload.records(scenario.events, scenario.leads, seed))
        process = await running.launch("scorer")
        async with connected(where.url, "scorer") as connection:
            return await _watch(connection, scenario, servers, process.pid)


async def _watch(connection: asyncpg.Connection, scenario: Scenario, servers: Servers, pid: int) -> Measured:
    first: tuple[int, float, Sequence[float]] | None = None
    deadline = time.monotonic() + 180
    while True:
        count = await connection.fetchval(DONE)
        now = (count, time.monotonic(), (cpu.cpu_of(pid), servers.postgres_cpu(), servers.kafka_cpu()))
        if first is None and count > 0:
            first = now
        if first is not None and count >= scenario.events:
            break
        if time.monotonic() > deadline:
            raise TimeoutError(f"{scenario.name}: {count} of {scenario.events} after 180 s")
        await asyncio.sleep(0.05)
    events = now[0] - first[0]
    worker, postgres, broker = ((after - before) / events for before, after in zip(first[2], now[2], strict=True))
    return Measured(events / (now[1] - first[1]), {"worker": worker, "postgres": postgres, "broker": broker})


@asynccontextmanager
async def known_leads(servers: Servers, scenario: Scenario) -> AsyncIterator[str]:
    """A database in which every lead has its facts, made by the scorer and copied for each round.

    The copies read their own topics from the beginning: offsets, marks and totals are removed, the policy's version
    stays.
    """
    total = scenario.leads * scenario.facts_before
    async with room(servers.infrastructure) as where:
        async with bench_relay(where, "scorer") as running, connected(where.url, "scorer") as connection:
            await running.migrate("scorer")
            await running.launch("scorer")
            for turn in range(scenario.facts_before):
                seed = turn + (MOST_ROUNDS if scenario.late else 0)
                await fill(where, workload.records(scenario.leads, scenario.leads, seed))
            while (done := await connection.fetchval(DONE)) < total:
                print(f"\r  preparing: {done:,} of {total:,} facts", end="", file=sys.stderr, flush=True)
                await asyncio.sleep(1)
            print(file=sys.stderr)
        async with connected(where.url, "scorer") as connection:
            for statement in (*FORGET, "VACUUM ANALYZE fact", "VACUUM ANALYZE lead"):
                await connection.execute(statement, timeout=600)
        yield where.database


async def fill(where: Room, records: Iterable[Record]) -> None:
    """Publishes the records, 20,000 at a time."""
    rest = iter(records)
    async with Publisher(Kafka(bootstrap_servers=where.bootstrap_servers, prefix=where.prefix)) as publisher:
        while some := list(islice(rest, 20_000)):
            await publisher.publish(some)
