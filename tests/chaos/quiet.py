"""Waits until nothing is unread, unpublished or undecided; only then is a verdict valid."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError

from tests.chaos.evidence import System

SCHEMAS = ("scorer", "router", "sla_monitor")
LOOKS = 2
"""How often in a row nothing may be found: a first look may fall between one service's output and the next's input."""
_OWED = "SELECT count(*) FROM {schema}.outbox WHERE created_at < clock_timestamp() - interval '3 s'"
"""What is younger has been published: the next commit deletes it, and clocks go on running out for minutes."""
_CLOCKS = """
SELECT count(*) FROM sla_monitor.lead, json_array_elements(state->'clocks') AS clock
WHERE due_at IS NOT NULL AND clock->>'standing' IN ('running', 'unknown')
AND (clock->>'stop' IN ('contacted', 'handed_off') OR (clock->>'due')::timestamptz < clock_timestamp() - interval '3 s')
"""


async def quiet(system: System, seconds: float) -> None:
    """Returns once everything is read, published, and every promise about following up is judged.

    Raises TimeoutError that names what it still waited for after `seconds`.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    looks, left = 0, ["a first look"]
    while looks < LOOKS:
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"not quiet within {seconds:.0f} s: {', '.join(left)}")
        try:
            async with asyncio.timeout(20):
                left = await _left(system)
        except (TimeoutError, KafkaError, OSError, asyncpg.PostgresError) as error:
            left = [f"an answer ({type(error).__name__})"]
        looks = 0 if left else looks + 1
        await asyncio.sleep(0.5)


async def _left(system: System) -> list[str]:
    left: list[str] = []
    async with system.database() as database, system.kafka() as consumer:
        for schema in SCHEMAS:
            rows = await database.fetch(f"SELECT part, offsets::text FROM {schema}.partition")
            lag = await _lag(system, consumer, {part: json.loads(offsets) for part, offsets in rows})
            outbox = await database.fetchval(_OWED.format(schema=schema))
            left += [f"{schema} to claim its partitions"] if not rows else []
            left += [f"{schema} to read {lag} records"] if lag else []
            left += [f"{schema} to publish {outbox} records"] if outbox else []
        if clocks := await database.fetchval(_CLOCKS):
            left.append(f"sla_monitor to judge {clocks} clocks")
    return left


async def _lag(system: System, consumer: Any, offsets: dict[int, dict[str, int]]) -> int:
    lag = 0
    for topic in {topic for read in offsets.values() for topic in read}:
        for partition, end in (await system.ends(consumer, topic)).items():
            lag += end - offsets.get(partition.partition, {}).get(topic, 0)
    return lag
