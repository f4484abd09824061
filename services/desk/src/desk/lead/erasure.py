"""`baton erase` and `baton suppress`, for a lead that asks to be forgotten or to be left alone.

Both publish an event on `engagements`, so that every service receives it in order. Ingest does not accept them: its
write key is public, so anybody could erase anybody.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from desk.settings import DeskSettings
from desk.terminal import Json, LeadArgument, Yes, bar, confirm, reaching_relay, say_relay

if TYPE_CHECKING:
    from desk.lead.meaning import Meaning
    from schemas.envelope import Envelope

TAKES = 30
"""Seconds within which a relay at work has erased a lead in all services."""


def erase(lead: LeadArgument, yes: Yes = False, as_json: Json = False) -> None:
    """Forgets a lead for good: deletes all its facts, and drops whatever comes of it later. Nothing brings it back.

    Any of its names will do, and all of them are reached: what is kept under each is deleted, and what comes later
    under any is dropped; of a name that other leads have too only what was done as this one. It names them first, asks,
    and waits until the services have erased them. Of a name that nobody knows, all that it may be is erased: address,
    user id and anonymous id. What was published stays on the topics until their retention ends, and so do dead letters
    and backups.

    Exits with 1 when it was not asked for after all, when the name is one of several persons, when Kafka does not
    answer, or when the services have not erased all within 30 s; they still will.

    Example: baton erase ada@example.com
    """
    from schemas.engagements import Erasure, LeadErased

    asked = _Asked.of(lead)
    meaning = asked.meaning
    for name, text in meaning.names.items():
        also = ", which other leads have too: only what was done as this lead goes" if name in meaning.shared else ""
        typer.echo(f"Reached: {text}{also}", err=True)
    confirm(f"Erase {asked.who} for good?", yes=yes)
    events = [LeadErased(data=Erasure(), **asked.about(lead)) for lead in (*meaning.persons, *meaning.unlisted)]
    asked.publish(events)
    _say_erased(asked, events[0], asked.wait() if asked.readable else None, as_json=as_json)


def suppress(lead: LeadArgument, yes: Yes = False, as_json: Json = False) -> None:
    """Says that nobody may approach a lead any more. What is known of it stays, and it is still scored.

    Exits with 1 when it was not asked for after all, when the name is one of several persons, or Kafka does not answer.

    Example: baton suppress ada@example.com --yes
    """
    from schemas.engagements import LeadSuppressed, Suppression

    asked = _Asked.of(lead)
    confirm(f"Suppress {asked.who}?", yes=yes)
    events = [LeadSuppressed(data=Suppression(), **asked.about(lead)) for lead in asked.meaning.persons]
    asked.publish(events)
    answer = json.dumps({"lead_id": events[0].subject, "event": events[0].id, "asked": "suppressed"})
    typer.echo(answer if as_json else f"{asked.who} will be suppressed; `baton lead` says when it is.")


@dataclass(frozen=True, slots=True)
class _Asked:
    """The lead as it was typed, and whom that means; `readable`: the services' tables can be read."""

    lead: str
    settings: DeskSettings
    meaning: Meaning
    readable: bool

    @classmethod
    def of(cls, lead: str) -> _Asked:
        """Once Kafka answers. Says on standard error which relay is meant, and if no service knows the lead.

        Ends the command with 2 for what identifies nobody, with 1 for a name of several persons.
        """
        from desk.lead.meaning import SeveralPersons
        from desk.lead.person import candidates

        candidates(lead)
        settings = DeskSettings.read()
        say_relay(settings.kafka)
        with reaching_relay():
            try:
                meaning, known = asyncio.run(_read(settings, lead))
            except SeveralPersons as several:
                persons = ", ".join(several.persons)
                _end(
                    f"{lead.strip()} is a name of several persons: {persons}. Nothing was changed: name one by its id."
                )
        asked = cls(lead.strip(), settings, meaning, known is not None)
        if not known:
            unknown = "Whether a service knows the lead cannot be read now."
            typer.echo(unknown if known is None else f"No service knows {asked.who}.", err=True)
        return asked

    @property
    def who(self) -> str:
        return self.lead if self.meaning.persons == (self.lead,) else f"{self.lead} ({', '.join(self.meaning.persons)})"

    def about(self, lead_id: str) -> dict[str, Any]:
        """A new event's id, source, subject and time."""
        from datetime import UTC, datetime
        from uuid import uuid4

        return {"id": str(uuid4()), "source": "baton/operator", "subject": lead_id, "time": datetime.now(UTC)}

    def publish(self, events: Iterable[Envelope]) -> None:
        """Returns once all replicas have them."""
        from chassis.kafka.publisher import Publisher, Record

        async def publish() -> None:
            async with Publisher(self.settings.kafka) as publisher:
                await publisher.publish([Record(each.topic, each.subject.encode(), each.encode()) for each in events])

        with reaching_relay():
            asyncio.run(publish())

    def wait(self) -> Mapping[str, set[str]] | None:
        """Service -> the names that it has not erased after TAKES seconds; None where that cannot be read now.

        Not those that are other leads' too: of these only what belongs to the erased lead goes.
        """
        from chassis.process.failures import Transient
        from desk.lead.meaning import not_erased

        own = set(self.meaning.names) - self.meaning.shared
        with reaching_relay(), bar("Erasing") as tell:
            try:
                return asyncio.run(not_erased(self.settings.database, own, TAKES, tell))
            except Transient:
                return None


async def _read(settings: DeskSettings, lead: str) -> tuple[Meaning, bool | None]:
    """Whom the name means, and whether a service knows them; None where that cannot be read: an erasure needs no
    database. Raises BrokerAway and SeveralPersons.
    """
    from chassis.process.failures import Transient
    from desk.lead.meaning import SERVICES, every_reading, meaning_of
    from desk.letters.reader import reader
    from desk.reading import one_instant, row_of

    async with reader(settings.kafka):
        pass
    meaning = every_reading(lead)
    try:
        async with one_instant(settings.database, SERVICES[0]) as (connection, _):
            meaning = await meaning_of(connection, lead)
        for service in SERVICES:
            async with one_instant(settings.database, service) as (connection, _):
                if [each for each in meaning.persons if await row_of(connection, each) is not None]:
                    return meaning, True
    except Transient:
        return meaning, None
    return meaning, False


def _say_erased(asked: _Asked, event: Envelope, left: Mapping[str, set[str]] | None, *, as_json: bool) -> None:
    """Which names were erased, and which services still have some (None: nobody can say now)."""
    meaning, done = asked.meaning, None if left is None else not any(left.values())
    if as_json:
        said = {"asked": "erased", "done": done, "names": list(meaning.names.values())}
        print(json.dumps({"lead_id": event.subject, "event": event.id, **said}))
    elif left is None:
        print(f"{asked.who} will be erased; `baton lead` says when it is.")
    elif done:
        print(f"Erased: {', '.join(text for name, text in meaning.names.items() if name not in meaning.shared)}.")
    if left and not done:
        waiting = (f"{meaning.names[name]} in {service}" for service, some in left.items() for name in sorted(some))
        _end(f"Published, but not erased within {TAKES} s: {', '.join(waiting)}. Are the services running?")


def _end(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
