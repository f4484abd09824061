"""How much of its inputs a service has still to read, and when nothing is unread, unpublished or undecided."""

import asyncio
import json
import math
from datetime import UTC, datetime, timedelta

import asyncpg
from aiokafka.errors import KafkaError

from baton_local.topics import PARTITIONS
from tests.infrastructure import Room, connected
from tests.relay import JUDGES
from tests.topics import Ends, ends

INPUTS = ("engagements", "sales-activities", "lead-scores", "lead-handoffs")
LOOKS = 2
"""How often in a row nothing may be found: a first look may fall between one service's output and the next's input."""
_OWED = "SELECT count(*) FROM {schema}.outbox WHERE created_at < clock_timestamp() - interval '3 s'"
"""What is younger has been published: the next commit deletes it, and clocks go on running out for minutes."""
_CLOCKS = """
SELECT count(*) FROM sla_monitor.lead, json_array_elements(state->'clocks') AS clock
WHERE due_at IS NOT NULL AND clock->>'standing' IN ('running', 'unknown')
AND ((clock->>'due')::timestamptz < clock_timestamp() - interval '3 s'
    OR clock->>'stop' IN ('contacted', 'handed_off') AND (clock->>'due')::timestamptz < $1)
"""
PROMISED = timedelta(seconds=75)
"""Following up is promised within a minute; what an unmerge resumes may take days more, and is not waited for."""
_MOVING = "SELECT count(*) FROM scorer.lead WHERE (state->'names'->'after')::text LIKE '[%'"


async def unread(database: asyncpg.Connection, room: Room, service: str, until: Ends) -> float:
    """How many offsets before these ends the service has not read; infinite while a partition was never claimed."""
    rows = await database.fetch(f"SELECT part, offsets::text FROM {service.replace('-', '_')}.partition")
    if len(rows) < PARTITIONS:
        return math.inf
    read = {(room.prefix + topic, part): at for part, text in rows for topic, at in json.loads(text).items()}
    return float(sum(max(0, until[place] - offset) for place, offset in read.items()))


async def quiet(room: Room, seconds: float) -> None:
    """Returns once everything is read, published, and every promise about following up within PROMISED is judged.

    Raises TimeoutError that names what it still waited for after `seconds`.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    looks, left, soon = 0, ["a first look"], datetime.now(UTC) + PROMISED
    while looks < LOOKS:
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"not quiet within {seconds:.0f} s: {', '.join(left)}")
        try:
            async with asyncio.timeout(20):
                left = await _left(room, soon)
        except (TimeoutError, KafkaError, OSError, asyncpg.PostgresError) as error:
            left = [f"an answer ({type(error).__name__})"]
        looks = 0 if left else looks + 1
        await asyncio.sleep(0.5)


async def _left(room: Room, soon: datetime) -> list[str]:
    left: list[str] = []
    async with connected(room.url) as database:
        inputs = [room.prefix + topic for topic in INPUTS]
        now = await ends(room.bootstrap_servers, *inputs, isolation="read_committed")
        for service in JUDGES:
            lag = await unread(database, room, service, now)
            outbox = await database.fetchval(_OWED.format(schema=service.replace("-", "_")))
            left += [f"{service} to read {lag:g} records"] if lag else []
            left += [f"{service} to publish {outbox} records"] if outbox else []
        if moving := await database.fetchval(_MOVING):
            left.append(f"scorer to move the facts of {moving} leads")
        if clocks := await database.fetchval(_CLOCKS, soon):
            left.append(f"sla-monitor to judge {clocks} clocks")
    return left
