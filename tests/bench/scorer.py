"""The scorer from a backlog: hot leads, new leads, and known leads that are not in memory, in order and late."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import asyncpg

from chassis.kafka.publisher import Publisher, Record
from chassis.process.settings import Kafka
from tests.bench import cpu, workload
from tests.bench.measure import Measured, Servers
from tests.infrastructure import Room, room

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Scenario:
    """A backlog, and what the database holds before: `facts_before` of each lead, earlier ones or, if `late`, later.

    Each round has a part of the workload's times of its own, so a scenario has at most MOST_ROUNDS.
    """

    name: str
    events: int
    leads: int
    facts_before: int = 0
    late: bool = False

    async def rounds(self, servers: Servers, count: int) -> AsyncIterator[Measured]:
        """Each round in a database of its own. Raises ValueError for more rounds than MOST_ROUNDS."""
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
"""As many parts of 100,000 events as `workload.PERIOD` has room for beside those of `facts_before`."""


FORGET = "DELETE FROM outbox; UPDATE partition SET offsets = '{}', marks = '{}', totals = '{}', out_seq = 0"


async def measure(scenario: Scenario, servers: Servers, seed: int, template: str | None = None) -> Measured:
    """One round: from the first commit seen to the last, so that starting up is not counted."""
    async with room(servers.infrastructure, template) as where:
        if template is None:
            await run(where, "migrate")
        await fill(where, workload.records(scenario.events, scenario.leads, seed))
        async with serving(where) as process:
            return await _watch(where, scenario, servers, process.pid)


async def _watch(where: Room, scenario: Scenario, servers: Servers, pid: int) -> Measured:
    connection = await connect(where)
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
    await connection.close()
    events = now[0] - first[0]
    worker, postgres, broker = ((after - before) / events for before, after in zip(first[2], now[2], strict=True))
    return Measured(events / (now[1] - first[1]), {"worker": worker, "postgres": postgres, "broker": broker})


@asynccontextmanager
async def known_leads(servers: Servers, scenario: Scenario) -> AsyncIterator[str]:
    """A database in which every lead has its facts, made by the scorer itself, to be copied for each round.

    The copies read topics of their own, from the beginning: offsets, marks and totals go, the policy's version stays.
    """
    total = scenario.leads * scenario.facts_before
    async with room(servers.infrastructure) as where:
        await run(where, "migrate")
        async with serving(where):
            for turn in range(scenario.facts_before):
                seed = turn + (MOST_ROUNDS if scenario.late else 0)
                await fill(where, workload.records(scenario.leads, scenario.leads, seed))
            connection = await connect(where)
            while (done := await connection.fetchval(DONE)) < total:
                print(f"\r  preparing: {done:,} of {total:,} facts", end="", file=sys.stderr, flush=True)
                await asyncio.sleep(1)
            print(file=sys.stderr)
        await connection.execute(FORGET)
        for table in ("fact", "lead"):
            await connection.execute(f"VACUUM ANALYZE {table}")
        await connection.close()
        yield where.database


async def fill(where: Room, records: Iterable[Record]) -> None:
    """Publishes the records, 20,000 at a time."""
    rest = iter(records)
    async with Publisher(Kafka(bootstrap_servers=where.bootstrap_servers, prefix=where.prefix)) as publisher:
        while some := list(islice(rest, 20_000)):
            await publisher.publish(some)


async def run(where: Room, verb: str) -> None:
    """One of the scorer's verbs, to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scorer", verb), env=environment(where), stdout=sys.stderr
    )
    assert await process.wait() == 0


@asynccontextmanager
async def serving(where: Room, policy: str = "classic-50") -> AsyncIterator[asyncio.subprocess.Process]:
    """The scorer's process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scorer", "serve"), env=environment(where, policy), stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def connect(where: Room) -> asyncpg.Connection:
    """To the scorer's schema."""
    return await asyncpg.connect(where.database_url("scorer"), server_settings={"search_path": "scorer"})


def environment(where: Room, policy: str = "classic-50") -> dict[str, str]:
    """Of the scorer's processes; BATON_POLICIES goes before `policy`."""
    return {
        "BATON_POLICIES": str(ROOT / "deploy/policies" / policy),
        **os.environ,
        "BATON_KAFKA__BOOTSTRAP_SERVERS": where.bootstrap_servers,
        "BATON_KAFKA__PREFIX": where.prefix,
        "BATON_DATABASE__URL": where.database_url("scorer"),
        "BATON_OPS__PORT": "0",  # nobody asks it
    }
