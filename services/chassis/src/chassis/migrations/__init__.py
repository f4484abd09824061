"""Schema migrations: one alembic environment for all services, each with its own versions and its own schema."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from chassis.database import connected, engine_of, schema_of
from chassis.failures import Failure
from chassis.settings import Database

SECONDS = 300
"""How long a migration may take, its wait for another one included."""


class WrongSchema(Failure):
    """The database's schema is not the one that this version of the service works with."""


async def migrate(database: Database, service: str) -> str:
    """Brings the service's schema to the newest version and returns it; two at once wait for one another."""
    version: str = await _with_connection(database, service, lambda connection: _upgrade(connection, service))
    return version


async def check(database: Database, service: str) -> None:
    """Raises WrongSchema unless the schema is at this version's head, Transient when the database is not reached."""
    head = ScriptDirectory.from_config(_config(service)).get_current_head()
    found = await _with_connection(database, service, _version)
    if found != head:
        raise WrongSchema(
            f"schema {schema_of(service)} is at {found or 'nothing'}, needed is {head}: run {service} migrate"
        )


async def _with_connection(database: Database, service: str, work: Any) -> Any:
    async with connected(engine_of(database, service, SECONDS)) as connection:
        return await connection.run_sync(work)


def _upgrade(connection: Connection, service: str) -> str:
    config = _config(service)
    config.attributes["connection"] = connection.execution_options(isolation_level="READ COMMITTED")
    with connection.begin():  # one transaction: a migration that is killed leaves nothing half done
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"baton migrate {service}"})
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        command.upgrade(config, "head")
        return str(_version(connection))


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config(service: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("chassis") / "migrations"))
    config.set_main_option("version_locations", str(files(schema_of(service)) / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
