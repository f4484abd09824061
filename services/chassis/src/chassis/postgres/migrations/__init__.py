"""Schema migrations: every service has the same tables, each in a Postgres schema of its own."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.postgres.database import connected, engine_of
from chassis.process.failures import Failure
from chassis.process.settings import Database
from chassis.service import schema_of

SECONDS = 300
"""Most seconds of a migration, including the wait for another one."""


class WrongSchema(Failure):
    """The database's schema is not the one that this version of the service works with."""


async def migrate(database: Database, service: str) -> str:
    """Brings the service's schema to the newest version and returns it; two at once wait for one another."""
    async with connected(engine_of(database, service, SECONDS)) as connection:
        await connection.run_sync(lambda connection: _upgrade(connection, service))
        return await _version(connection) or "nothing"


async def check(database: Database, service: str) -> None:
    """Raises WrongSchema unless the schema is at this version's head, Transient when the database cannot be reached.

    Alembic itself is not used: a starting service need not import it.
    """
    async with connected(engine_of(database, service)) as connection:
        found = await _version(connection)
    if found != (needed := _newest()):
        at = f"schema {schema_of(service)} is at {found or 'nothing'}"
        raise WrongSchema(f"{at}, needed is {needed}: run {service} migrate")


async def _version(connection: AsyncConnection) -> str | None:
    if not await connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL")):
        return None
    version: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def _newest() -> str:
    """The number of the newest `v<number>_<what>.py`, which is its revision."""
    return newest(file.name for file in (files("chassis.postgres") / "migrations" / "versions").iterdir())


def newest(names: Iterable[str]) -> str:
    """The number of the newest migration among the files, as it is written; 0010 comes after 9."""
    return max((name[1:].partition("_")[0] for name in names if name.startswith("v")), key=int)


def _upgrade(connection: Connection, service: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("chassis.postgres") / "migrations"))
    config.attributes["connection"] = connection.execution_options(isolation_level="READ COMMITTED")
    with connection.begin():  # one transaction: a killed migration leaves nothing
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"baton migrate {service}"})
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        command.upgrade(config, "head")
