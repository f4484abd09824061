"""Which leads a name means, and every other name that what is asked for them reaches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.policy import Policies
from chassis.process.settings import Database
from desk.lead.finding import state_of
from desk.lead.person import WORDS, candidates, identifiers_of
from desk.reading import facts_of, one_instant, row_of
from schemas.envelope import Fact
from scorer.app import Scorer
from scorer.rules.names import ONE_NAME, Names, names_itself, names_somebody

SERVICES = ("scorer", "router", "sla-monitor")
_ERASED = text("SELECT lead_id FROM lead WHERE lead_id = ANY(:leads) AND erased IS NOT NULL")


@dataclass(slots=True)
class Meaning:
    """The `persons` that a name means, and how each lead id that is reached is spelt, theirs first.

    Of the names those in `shared` are other leads' too; `unlisted` are aliases that the scorer had no room to list.
    """

    persons: tuple[str, ...]
    names: dict[str, str] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    unlisted: list[str] = field(default_factory=list)


class SeveralPersons(Exception):  # noqa: N818 - a verdict, not a fault
    """The name is one of several persons: nobody can say whom it means. `persons`: their lead ids and addresses."""

    def __init__(self, persons: Sequence[str]) -> None:
        super().__init__()
        self.persons = tuple(persons)


def every_reading(typed: str) -> Meaning:
    """Of a name that nobody knows: all that it may be."""
    names = {each.lead_id: f"{typed.strip()} ({each.what})" for each in candidates(typed)}
    return Meaning(tuple(names), names)


async def meaning_of(connection: AsyncConnection, typed: str) -> Meaning:
    """Whom the name means, by all that it may be; `connection` is to the scorer's schema.

    A known lead id means that lead only, so that there is a name for each person. Raises SeveralPersons.
    """
    known = [each for each in candidates(typed) if await row_of(connection, each.lead_id) is not None]
    if not known:
        return every_reading(typed)
    persons = dict[str, None]()
    for each in known[:1] if known[0].what == "lead id" else known:
        persons |= dict.fromkeys(await _persons(connection, each.lead_id))
    living = [lead for lead in persons if lead not in await erased_of(connection, persons)]
    if len(living) > 1:
        raise SeveralPersons([await _who(connection, lead) for lead in living])
    meaning = Meaning(tuple(persons))
    for lead in persons:
        await _add_names(connection, lead, meaning, {each.lead_id: f"{typed.strip()} ({each.what})" for each in known})
    return meaning


async def erased_of(connection: AsyncConnection, leads: Collection[str]) -> set[str]:
    """Those of the leads that the service has erased."""
    return set((await connection.execute(_ERASED, {"leads": sorted(leads)})).scalars())


async def not_erased(
    database: Database, leads: Collection[str], seconds: float, tell: Callable[[int, int], None]
) -> dict[str, set[str]]:
    """Service -> the leads that it has not erased yet: none, or those after so many seconds.

    `tell` is called with how many are erased, and of how many, over all services. Raises Transient and DBAPIError.
    """
    left = {service: set(leads) for service in SERVICES}
    until = monotonic() + seconds
    while True:
        for service in SERVICES:
            async with one_instant(database, service) as (connection, _):
                left[service] -= await erased_of(connection, left[service])
        waiting = sum(map(len, left.values()))
        tell(len(SERVICES) * len(leads) - waiting, len(SERVICES) * len(leads))
        if not waiting or monotonic() > until:
            return left
        await asyncio.sleep(0.5)


async def _persons(connection: AsyncConnection, lead_id: str, seen: tuple[str, ...] = ()) -> list[str]:
    """The lead, or all that it is an alias of."""
    state = await state_of(connection, lead_id)
    if state is None or state.names.links is None:
        return [lead_id]
    leads = [lead for lead in _leads(state.names) if lead not in (*seen, lead_id)]
    return [end for lead in leads for end in await _persons(connection, lead, (*seen, lead_id))]


async def _who(connection: AsyncConnection, lead_id: str) -> str:
    state = await state_of(connection, lead_id)
    email = state.tally.basis.email if state is not None else None
    return f"{email.value} ({lead_id})" if email else f"lead {lead_id}"


async def _add_names(connection: AsyncConnection, lead_id: str, meaning: Meaning, typed: Mapping[str, str]) -> None:
    """Adds the lead's names: its aliases and theirs, as the scorer passes an erasure on, and what its facts tell."""
    facts = await facts_of(connection, Scorer(Policies()).inputs["engagements"], lead_id)
    spelt, waiting, listed = _spelt(facts), [lead_id], set[str]()
    leads = dict[str, Sequence[str]]()
    masked = set[str]()
    while waiting:
        if (name := waiting.pop()) in listed:
            continue
        listed.add(name)
        state = await state_of(connection, name)
        names = ONE_NAME if state is None else state.names
        waiting += names.aliases
        masked |= set(names.masked) if name == lead_id else set()
        leads[name] = _leads(names)
    shared = {name for name, its in leads.items() if len(its) > 1}
    while more := {name for name, its in leads.items() if shared.intersection(its)} - shared:
        shared |= more
    meaning.shared |= shared
    told = {alias for fact in facts for alias in _aliases(fact) if fact.event.via not in masked} - masked
    for name in [lead_id, *sorted((listed | told) - {lead_id})]:
        meaning.names[name] = spelt.get(name) or typed.get(name) or f"alias {name}"
    for name in sorted(told - listed):
        state = await state_of(connection, name)
        only = state is None or len(_leads(state.names)) < 2
        meaning.unlisted += [name] if only else []
        meaning.shared |= set() if only else {name}


def _leads(names: Names) -> Sequence[str]:
    """The leads of an alias that are not erased."""
    return [] if names.links is None else [lead for lead in names.links.leads if lead not in names.gone]


def _aliases(fact: Fact) -> set[str]:
    """The aliases that a fact of their lead tells."""
    via = {fact.event.via} if fact.event.via is not None else set()
    return via | ({fact.event.data.alias} if names_somebody(fact) and not names_itself(fact) else set())


def _spelt(facts: Sequence[Fact]) -> dict[str, str]:
    """Lead id -> the identifier that it is made from, as far as the facts tell it."""
    said = [names for names in map(identifiers_of, facts) if names is not None]
    return {
        lead: f"{getattr(names, kind)} ({WORDS[kind]})" for names in said for kind, lead in names.lead_ids().items()
    }
