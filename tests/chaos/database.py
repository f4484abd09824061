"""Faults of a database that answers: slow commits, a clock behind the broker's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

import asyncpg

from tests.chaos.guests import visits
from tests.chaos.trial import Trial
from tests.infrastructure import connected
from tests.relay import JUDGES

COMMIT_SECONDS = 2
SLOW_SECONDS = 25
BEHIND_SECONDS, SHIFT_SECONDS = 40, 20
_SCHEMAS = tuple(service.replace("-", "_") for service in JUDGES)
_SLOW = [
    "CREATE FUNCTION public.slow_disk() RETURNS trigger LANGUAGE plpgsql AS"
    f" $$ BEGIN BEGIN PERFORM pg_sleep({COMMIT_SECONDS}); EXCEPTION WHEN query_canceled THEN"
    f" PERFORM pg_sleep({COMMIT_SECONDS}); END; RETURN NULL; END $$",
    *(
        f"CREATE CONSTRAINT TRIGGER slow_disk AFTER UPDATE ON {schema}.partition DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION public.slow_disk()"
        for schema in _SCHEMAS
    ),
]
_QUICK = ["DROP FUNCTION public.slow_disk() CASCADE"]
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE '%epoch + 1%'"
_BEHIND = [
    "SET allow_system_table_mods = on",
    "ALTER FUNCTION pg_catalog.clock_timestamp() RENAME TO true_clock_timestamp",
    "CREATE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS"
    f" $$ SELECT pg_catalog.true_clock_timestamp() - interval '{SHIFT_SECONDS} s' $$",
]
_RIGHT = [
    "SET allow_system_table_mods = on",
    "DROP FUNCTION pg_catalog.clock_timestamp()",
    "ALTER FUNCTION pg_catalog.true_clock_timestamp() RENAME TO clock_timestamp",
]
_SHIFT = "SELECT extract(epoch FROM now() - clock_timestamp())"


async def slow_commits(trial: Trial) -> None:
    """Every commit of a worker waits 2 s for the disk, its rows locked, while instances join and leave: who takes a
    partition over meets the commit of the owner before. A deferred trigger waits where a disk would, and as a disk does
    it goes on when the client has given up."""
    service = trial.chance.choice(JUDGES)
    waited = 0

    async def look(connection: asyncpg.Connection) -> None:
        nonlocal waited
        while True:
            waited += await connection.fetchval(_WAITING)
            await asyncio.sleep(0.1)

    async with connected(trial.stage.room.url) as connection, _held(trial, _SLOW, _QUICK):
        looking = asyncio.create_task(look(connection))
        try:
            await visits(trial, service, SLOW_SECONDS)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
    trial.over()
    trial.happened["claims seen waiting for a commit"] += waited


async def clock_behind(trial: Trial) -> None:
    """The database's clock is behind the broker's: what the broker stamps now has not come yet. The function that
    services ask is another for sessions that begin after it was exchanged; libfaketime hangs a JVM.
    """
    async with _held(trial, _BEHIND, _RIGHT):
        await all_begin_anew(trial, [])
        async with connected(trial.stage.room.url) as connection:
            trial.happened["seconds behind"] += round(await connection.fetchval(_SHIFT))
        await asyncio.sleep(BEHIND_SECONDS)
    await all_begin_anew(trial, [])
    trial.over()


async def all_begin_anew(trial: Trial, statements: Iterable[str]) -> None:
    """Runs the statements, and ends every session of a service."""
    async with connected(trial.stage.room.url) as connection:
        await connection.execute("SET default_transaction_read_only = off")
        for statement in statements:
            await connection.execute(statement)
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> 'postgres'")


@contextlib.asynccontextmanager
async def _held(trial: Trial, on: Iterable[str], off: Iterable[str]) -> AsyncIterator[None]:
    """The first statements hold as long as the block runs, the second undo them; nobody sees only some of them."""
    async with connected(trial.stage.room.url) as connection:
        await _at_once(connection, on)
        try:
            yield
        finally:
            await _at_once(connection, off)


async def _at_once(connection: asyncpg.Connection, statements: Iterable[str]) -> None:
    async with connection.transaction():
        for statement in statements:
            await connection.execute(statement)
