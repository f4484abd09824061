"""`baton conflicts`: user ids that were seen with more than one e-mail address. Nothing is merged for them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from desk.settings import DeskSettings
from desk.terminal import Json, reaching_relay, stamp

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from schemas.envelope import Fact
    from scorer.app import Scorer

# Page by page, so that each statement ends in time. The limit is a literal: see `desk.reading`.
_PAGE = """
SELECT lead_id, state #> '{names,links,since,1}' IS NOT NULL FROM lead WHERE lead_id > :after
ORDER BY lead_id LIMIT 2000
"""


@dataclass(frozen=True, slots=True)
class Address:
    """A lead that the user id was linked to, and from when on."""

    email: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Conflict:
    """A user id and its addresses, the latest last: to it events go now."""

    user_id: str
    addresses: tuple[Address, ...]


def conflicts(
    as_json: Json = False, limit: Annotated[int, typer.Option(min=1, help="Most user ids to list.")] = 50
) -> None:
    """Lists user ids that were seen with two e-mail addresses: events go to the later one from its time on.

    Are they one person, `baton merge` makes them one; else a shared login, or a mistake of the sender.

    Example: baton conflicts --json
    """
    with reaching_relay():
        found = asyncio.run(_read(limit + 1))
    more, found = len(found) > limit, found[:limit]
    if as_json:
        rows = [
            {
                "user_id": each.user_id,
                "addresses": [{"email": one.email, "since": stamp(one.since)} for one in each.addresses],
            }
            for each in found
        ]
        print(json.dumps({"conflicts": rows, "more": more}, indent=2))
    elif not found:
        print("No user id was seen with two addresses.")
    for each in [] if as_json else found:
        addresses = (f"{one.email} since {one.since:%Y-%m-%d %H:%M}" for one in each.addresses)
        print(f"{each.user_id}: {', then '.join(addresses)}")
    if more and not as_json:
        print("... and more; --limit says how many to list.")


async def _read(most: int) -> list[Conflict]:
    """The first ones by the user ids' lead ids, at most so many."""
    from sqlalchemy import text

    from chassis.policy import Policies
    from desk.reading import one_instant
    from scorer.app import Scorer

    scorer, found, after = Scorer(Policies()), list[Conflict](), ""
    async with one_instant(DeskSettings.read().database, scorer.name) as (connection, _):
        while rows := (await connection.execute(text(_PAGE), {"after": after})).all():
            for alias in (lead for lead, several in rows if several):
                if (conflict := await _conflict(connection, scorer, alias)) is not None:
                    found.append(conflict)
                if len(found) == most:
                    return found
            after = rows[-1][0]
    return found


async def _conflict(connection: AsyncConnection, scorer: Scorer, alias: str) -> Conflict | None:
    """The conflict of the alias; None for a device, which may have several people."""
    from desk.reading import facts_of
    from schemas.engagements import LeadLinked

    decoder = scorer.inputs["engagements"]
    facts = await facts_of(connection, decoder, alias)
    links = [
        fact
        for fact in facts
        if isinstance(fact.event, LeadLinked) and fact.event.data.alias == alias and fact.event.data.lead_by == "email"
    ]
    leads = {fact.event.data.lead: fact.time for fact in links if fact.event.data.alias_by == "user_id"}
    if len(leads) < 2:
        return None
    addresses, user_id = list[Address](), _user_id(facts, alias)
    for lead, since in sorted(leads.items(), key=lambda each: each[1]):
        its = await facts_of(connection, decoder, lead)
        user_id = user_id or _user_id(its, alias)
        addresses.append(Address(_email(its) or lead, since))
    return Conflict(user_id or alias, tuple(addresses))


def _user_id(facts: list[Fact], alias: str) -> str | None:
    from desk.lead.person import identifiers_of

    named = (names for names in map(identifiers_of, facts) if names is not None)
    return next((names.user_id for names in named if names.lead_ids().get("user_id") == alias), None)


def _email(facts: list[Fact]) -> str | None:
    from desk.lead.person import identifiers_of

    return next((names.email for names in map(identifiers_of, facts) if names is not None and names.email), None)
