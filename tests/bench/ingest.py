"""Ingest over HTTP: accepted events a second, each acknowledged by the broker before its request is answered.

A real `ingest serve` on fresh topics; the load generator is a process of its own. Every answer has to be 200, and the
topic has to hold exactly as many records as events were sent: the generator's calls carry one identifier each, so that
no link is added.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from baton_local.ports import HeldPorts
from baton_local.topics import PARTITIONS
from tests.bench import cpu
from tests.bench.load import Answers
from tests.bench.measure import Measured, Servers
from tests.infrastructure import Room, room

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Scenario:
    """How requests come: `batch` calls in each, and how many requests a round counts."""

    name: str
    connections: int
    requests: int
    batch: int = 1

    async def rounds(self, servers: Servers, count: int) -> AsyncIterator[Measured]:
        """Each round on fresh topics."""
        for seed in range(count):
            async with room(servers.infrastructure) as where, _ingest(where) as (pid, port):
                yield await self._measure(where, servers, (pid, port), seed)

    async def _measure(self, where: Room, servers: Servers, ingest: tuple[int, int], seed: int) -> Measured:
        pid, port = ingest
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
        await self._check(where, answers)
        events = self.requests * self.batch
        worker, broker = ((used - idle) / events for idle, used in zip(before, after, strict=True))
        costs = {"worker": worker, "broker": broker}
        return Measured(events / answers.seconds, costs, {"p50": answers.p50, "p99": answers.p99})

    async def _check(self, where: Room, answers: Answers) -> None:
        if answers.statuses != {"200": answers.sent}:
            raise ValueError(f"{self.name}: {answers.sent} requests were answered with {answers.statuses}")
        found = await _records(where)
        if found != answers.sent * self.batch:
            raise ValueError(f"{self.name}: {answers.sent * self.batch} events were sent, the topic holds {found}")


SCENARIOS = (
    Scenario("ingest single x 32 connections", connections=32, requests=20_000),
    Scenario("ingest batches of 100 x 8 connections", connections=8, requests=2_000, batch=100),
)


async def _records(where: Room) -> int:
    """How many records `engagements` holds; its partitions begin at offset 0 and nothing is written in transactions."""
    consumer = AIOKafkaConsumer(bootstrap_servers=where.bootstrap_servers)
    await consumer.start()
    try:
        partitions = [TopicPartition(f"{where.prefix}engagements", part) for part in range(PARTITIONS)]
        return sum((await consumer.end_offsets(partitions)).values())
    finally:
        await consumer.stop()


@asynccontextmanager
async def _ingest(where: Room) -> AsyncIterator[tuple[int, int]]:
    """Its process id and the port that it answers on."""
    with HeldPorts() as held:
        port, ops = held.take(), held.take()
        async with _served(where, port, ops) as pid:
            yield pid, port


@asynccontextmanager
async def _served(where: Room, port: int, ops: int) -> AsyncIterator[int]:
    """Its process id, once it is ready."""
    environment = {
        **os.environ,
        "BATON_KAFKA__BOOTSTRAP_SERVERS": where.bootstrap_servers,
        "BATON_KAFKA__PREFIX": where.prefix,
        "BATON_HTTP__PORT": str(port),
        "BATON_OPS__PORT": str(ops),
        "BATON_WRITE_KEYS": str(ROOT / "deploy/local/write-keys.yaml"),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ingest", "serve"), env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await _ready(ops)
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


async def _ready(port: int) -> None:
    async with asyncio.timeout(30), httpx.AsyncClient(trust_env=False) as http:
        while True:
            try:
                if (await http.get(f"http://127.0.0.1:{port}/readyz")).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
