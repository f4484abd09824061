"""Postgres: connections with bounded waits, and what its errors mean for a partition."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from chassis.failures import Transient
from chassis.settings import Database

CONNECT_SECONDS = 5
COMMAND_SECONDS = 15
_TRANSIENT = ("08", "40", "53", "55P03", "57", "58", "25P03", "25P04", "25006")
"""SQLSTATE classes after which the same statement may succeed: connection, rollback, resources, lock, shutdown, I/O,
idle or transaction time-out, and a database that is read-only for now."""


def schema_of(service: str) -> str:
    """The Postgres schema of a service, which is also the import name."""
    return service.replace("-", "_")


def engine_of(database: Database, service: str) -> AsyncEngine:
    """Connections for one service: its own schema, each statement its own transaction, every wait bounded."""
    url = make_url(database.url.get_secret_value()).set(drivername="postgresql+asyncpg")
    return create_async_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": COMMAND_SECONDS,
            "server_settings": {
                "application_name": f"baton-{service}",
                "search_path": schema_of(service),
                "statement_timeout": "10s",
                "lock_timeout": "5s",
                "jit": "off",
                "tcp_keepalives_idle": "10",
                "tcp_keepalives_interval": "5",
                "tcp_keepalives_count": "3",
            },
        },
    )


def sqlstate_of(error: BaseException) -> str | None:
    """The SQLSTATE of a database error, None when the server never answered."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, asyncpg.PostgresError):
            return str(seen.sqlstate)
        seen = seen.orig if isinstance(seen, DBAPIError) else seen.__cause__
    return None


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may succeed later."""
    state = sqlstate_of(error)
    if state is None:
        return isinstance(error, (OSError, TimeoutError, InterfaceError, DBAPIError, asyncpg.InterfaceError))
    return state.startswith(_TRANSIENT)


@contextlib.asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection that is dropped, not returned politely, when the block fails: a dead socket never answers.

    Raises Transient when the database cannot be reached now.
    """
    try:
        async with asyncio.timeout(CONNECT_SECONDS + 1):
            connection = await engine.connect()
    except (OSError, TimeoutError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        if is_transient(error):
            raise Transient(f"connecting to the database: {type(error).__name__}") from error
        raise
    try:
        yield connection
    finally:
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        if driver is not None:
            driver.terminate()
        await connection.invalidate()
        await connection.close()
