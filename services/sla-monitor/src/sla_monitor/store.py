"""What operators ask of sla-monitor's tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from sla_monitor.rules.clock import Lead

_PAGE = 1000
_NOW = text("SELECT clock_timestamp()")
_LEADS = text("""
SELECT lead_id, CAST(state AS text) FROM lead
WHERE lead_id > :after AND (:ended OR due_at IS NOT NULL) ORDER BY lead_id LIMIT :most
""")


async def now(connection: AsyncConnection) -> datetime:
    """The database's time, the only clock that decides."""
    instant: datetime = (await connection.execute(_NOW)).scalar_one()
    return instant


async def leads(connection: AsyncConnection, ended: bool) -> AsyncIterator[list[Lead]]:
    """Leads with an open clock, or with `ended` all of them; by the page, so that memory stays bounded."""
    adapter = TypeAdapter(Lead)
    after = ""
    while rows := (await connection.execute(_LEADS, {"after": after, "ended": ended, "most": _PAGE})).all():
        yield [adapter.validate_json(row[1]) for row in rows]
        after = rows[-1][0]
