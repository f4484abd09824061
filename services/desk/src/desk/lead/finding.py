"""Finds a person by any of its names: needs the scorer's tables, and no policy."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.process.settings import Database
from desk.lead.person import Alias, Candidate, Linked, Person, candidates
from desk.reading import one_instant, row_of
from scorer import stored
from scorer.app import Scorer
from scorer.rules import State

_FACTS = text("""
SELECT count(*), count(*) FILTER (WHERE (source, id) > (CAST(:source AS text), CAST(:id AS text)))
FROM fact WHERE lead_id = :lead_id
""")
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
            return await follow(connection, typed, candidate)
    return Person(typed.strip(), likely[0].what, likely[0].lead_id)


async def follow(connection: AsyncConnection, typed: str, found: Candidate) -> Person:
    """The person that the candidate, a known lead, is now."""
    lead_id, via = found.lead_id, list[Alias]()
    while len(via) < MOST_HOPS and (alias := await _alias(connection, lead_id)) is not None:
        if alias.links[-1].lead_id in (lead_id, *(each.lead_id for each in via)):
            break
        via.append(alias)
        lead_id = alias.links[-1].lead_id
    return Person(typed.strip(), found.what, lead_id, tuple(via))


async def state_of(connection: AsyncConnection, lead_id: str) -> State | None:
    """The scorer's state of the lead, None for an unknown one."""
    row = await row_of(connection, lead_id)
    return None if row is None else stored.read(lead_id, row.state)


async def _alias(connection: AsyncConnection, lead_id: str) -> Alias | None:
    """What the lead is another name of; None where it is a person."""
    state = await state_of(connection, lead_id)
    if state is None or (links := state.names.links) is None:
        return None
    known = {lead: await state_of(connection, lead) for lead in links.leads}
    emails = {lead: its.tally.basis.email for lead, its in known.items() if its is not None}
    linked = tuple(
        Linked(lead, None if (email := emails.get(lead)) is None else str(email.value), since)
        for since, lead in links.since
        if lead not in state.names.gone
    )
    source, id_ = state.names.after or (None, None)
    count = {"lead_id": lead_id, "source": source, "id": id_}
    facts, left = (await connection.execute(_FACTS, count)).one()
    return Alias(lead_id, linked, links.first, state.names.merged, facts, left)
