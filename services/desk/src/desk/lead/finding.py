"""Finds a person by any of its names: needs the scorer's tables, and no policy."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.process.settings import Database
from desk.lead.person import Candidate, Person, candidates
from desk.reading import one_instant, row_of
from scorer import stored
from scorer.app import Scorer

MOST_HOPS = 10
"""Links from an anonymous id to a user id, an address and merged ones: chains are short."""


async def person(database: Database, typed: str) -> Person:
    """The person of that name; of one that nobody knows, the likeliest id. Raises Transient and DBAPIError."""
    async with one_instant(database, Scorer.name) as (connection, _):
        return await find(connection, typed)


async def find(connection: AsyncConnection, typed: str) -> Person:
    """As `person`; `connection` is to the scorer's schema."""
    likely = candidates(typed)
    for candidate in likely:
        if await row_of(connection, candidate.lead_id) is not None:
            return await _followed(connection, typed, candidate)
    return Person(typed.strip(), likely[0].what, likely[0].lead_id)


async def _followed(connection: AsyncConnection, typed: str, found: Candidate) -> Person:
    lead_id, via = found.lead_id, list[str]()
    while len(via) < MOST_HOPS and (row := await row_of(connection, lead_id)) is not None:
        links = stored.read(lead_id, row.state).names.links
        if links is None or links.leads[-1] in via:
            break
        via.append(lead_id)
        lead_id = links.leads[-1]
    return Person(typed.strip(), found.what, lead_id, tuple(via))
