"""Reading the journal for people: an operator's verb looks, it never writes a lead's rows beside its worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import connected, engine_of
from chassis.settings import Database
from schemas.envelope import Decoder, Fact

_FACTS = text('SELECT data, time FROM fact WHERE lead_id = :lead_id ORDER BY time, source COLLATE "C", id COLLATE "C"')
_STATE = text("SELECT CAST(state AS text) FROM lead WHERE lead_id = :lead_id")


@asynccontextmanager
async def reading(database: Database, service: str) -> AsyncIterator[AsyncConnection]:
    """A connection to the service's schema. Raises Transient when the database cannot be reached."""
    async with connected(engine_of(database, service)) as connection:
        yield connection


async def facts_of(connection: AsyncConnection, decoder: Decoder, lead_id: str) -> list[Fact]:
    """Every fact of the lead, in the lead's order."""
    rows = (await connection.execute(_FACTS, {"lead_id": lead_id})).all()
    return [decoder.stored(row[0], row[1]) for row in rows]


async def state_of(connection: AsyncConnection, lead_id: str) -> str | None:
    """The state as the service stored it, None for a lead it does not know."""
    state: str | None = (await connection.execute(_STATE, {"lead_id": lead_id})).scalar_one_or_none()
    return state
