"""Benchmark of ingest over HTTP: accepted events a second, each acknowledged by the broker before its request is
answered.

A real `ingest serve` on fresh topics; the load generator is another process. Every answer must be 200, and the topic
must have exactly as many records as events were sent: each call has one identifier, so that no link is added.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.bench import cpu
from tests.bench.load import Answers
from tests.bench.measure import Measured, Servers, bench_relay
from tests.infrastructure import Room, room
from tests.relay import ROOT, Relay
from tests.topics import ends


@dataclass(frozen=True)
class Scenario:
    """The requests: `batch` calls in each, and how many requests a round has."""

    name: str
    connections: int
    requests: int
    batch: int = 1

    async def rounds(self, servers: Servers, count: int) -> AsyncIterator[Measured]:
        """Each round on fresh topics."""
        for seed in range(count):
            async with room(servers.infrastructure) as where, bench_relay(where, "ingest") as running:
                await running.start()
                yield await self._measure(running, servers, seed)

    async def _measure(self, running: Relay, servers: Servers, seed: int) -> Measured:
        pid, port = await running.named("ingest").pid(), running.http_port
        load = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.load"),
            *(str(each) for each in (port, self.connections, self.requests, self.batch, seed)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert load.stdin is not None
        assert load.stdout is not None
        assert await load.stdout.readline() == b"warm\n"
        before = (cpu.cpu_of(pid), servers.kafka_cpu())
        load.stdin.write(b"\n")
        answers = Answers(**json.loads(await load.stdout.readline()))
        after = (cpu.cpu_of(pid), servers.kafka_cpu())
        assert await load.wait() == 0
        await self._check(running.room, answers)
        events = self.requests * self.batch
        worker, broker = ((used - idle) / events for idle, used in zip(before, after, strict=True))
        costs = {"worker": worker, "broker": broker}
        return Measured(events / answers.seconds, costs, {"p50": answers.p50, "p99": answers.p99})

    async def _check(self, where: Room, answers: Answers) -> None:
        if answers.statuses != {"200": answers.sent}:
            raise ValueError(f"{self.name}: {answers.sent} requests were answered with {answers.statuses}")
        found = sum((await ends(where.bootstrap_servers, f"{where.prefix}engagements")).values())
        if found != answers.sent * self.batch:
            raise ValueError(f"{self.name}: {answers.sent * self.batch} events were sent, the topic holds {found}")


SCENARIOS = (
    Scenario("ingest single x 32 connections", connections=32, requests=20_000),
    Scenario("ingest batches of 100 x 8 connections", connections=8, requests=2_000, batch=100),
)
