"""Postgres: connections with bounded waits, and which of its errors are transient."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from chassis.process.failures import DatabaseAway
from chassis.process.settings import Database
from chassis.service import schema_of

CONNECT_SECONDS = 5
COMMAND_SECONDS = 15
_TRANSIENT = ("08", "40", "53", "55P03", "57", "58", "25P03", "25P04", "25006")
"""SQLSTATE classes after which the same statement may succeed: connection, rollback, resources, lock, shutdown, I/O,
idle or transaction timeout, and a database that is read-only for now."""
_STALE_PLAN = asyncpg.InvalidCachedStatementError
"""Raised for a statement prepared before a migration changed its result."""


def engine_of(database: Database, service: str, seconds: float = COMMAND_SECONDS) -> AsyncEngine:
    """Connections for one service: its own schema, every statement its own transaction, every wait bounded."""
    url = make_url(database.url.get_secret_value()).set(drivername="postgresql+asyncpg")
    return create_async_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # parameters are facts, and an error would quote them
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": seconds,
            **({"ssl": tls} if (tls := database.ssl()) else {}),
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
    """The SQLSTATE of a database error; None when the server did not answer."""
    answer = _answer(error)
    return None if answer is None else str(answer.sqlstate)


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may succeed later, on a new connection."""
    answer = _answer(error)
    if answer is None:
        return isinstance(error, (OSError, TimeoutError, InterfaceError, DBAPIError, asyncpg.InterfaceError))
    return isinstance(answer, _STALE_PLAN) or str(answer.sqlstate).startswith(_TRANSIENT)


def _answer(error: BaseException) -> asyncpg.PostgresError | None:
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, asyncpg.PostgresError):
        seen = seen.orig if isinstance(seen, DBAPIError) else seen.__cause__
    return seen


@contextlib.asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection that is dropped, not closed, when the block fails: a dead socket never answers.

    Raises DatabaseAway when the database cannot be reached now.
    """
    try:
        async with asyncio.timeout(CONNECT_SECONDS + 1):
            connection = await engine.connect()
            driver = (await connection.get_raw_connection()).driver_connection
    except (OSError, TimeoutError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        if is_transient(error):
            raise DatabaseAway(f"connecting to the database: {sqlstate_of(error) or type(error).__name__}") from error
        raise
    try:
        yield connection
    finally:
        # Before any await: a second cancellation may come at each one, and a connection that failed has been
        # invalidated, so asking it for its driver would connect again.
        if driver is not None:
            driver.terminate()
        if not connection.invalidated:
            await connection.invalidate()
        await connection.close()
