"""`baton erase` and `baton suppress`, for a lead that asks to be forgotten or to be left alone.

Both publish an event on `engagements`, so that every service receives it in order. Ingest does not accept them: its
write key is public, so anybody could erase anybody.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import typer

from desk.settings import DeskSettings
from desk.terminal import Json, LeadArgument, Yes, confirm, reaching_relay, say_relay

if TYPE_CHECKING:
    from schemas.envelope import Envelope


def erase(lead: LeadArgument, yes: Yes = False, as_json: Json = False) -> None:
    """Forgets a lead for good: deletes all its facts, and drops whatever comes of it later. Nothing brings it back.

    Any of its names will do, and all of them are reached: what is kept under each is deleted, and what comes later
    under any is dropped. Also one that nobody knows yet. What was published stays on the topics until their retention
    ends, and so do dead letters and backups.

    Exits with 1 when it was not asked for after all, or Kafka does not answer.

    Example: baton erase ada@example.com
    """
    from schemas.engagements import Erasure, LeadErased

    asked = _Asked.of(lead)
    for line in asked.reached:
        typer.echo(line, err=True)
    confirm(f"Erase {asked.who} for good?", yes=yes)
    _publish(LeadErased(data=Erasure(), **asked.about), asked, "erased", as_json=as_json)


def suppress(lead: LeadArgument, yes: Yes = False, as_json: Json = False) -> None:
    """Says that nobody may approach a lead any more. What is known of it stays, and it is still scored.

    Exits with 1 when it was not asked for after all, or Kafka does not answer.

    Example: baton suppress ada@example.com --yes
    """
    from schemas.engagements import LeadSuppressed, Suppression

    asked = _Asked.of(lead)
    confirm(f"Suppress {asked.who}?", yes=yes)
    _publish(LeadSuppressed(data=Suppression(), **asked.about), asked, "suppressed", as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The lead as it was typed, and its id."""

    lead: str
    lead_id: str
    settings: DeskSettings
    reached: tuple[str, ...] = ()
    """Its other names, as lines."""

    @classmethod
    def of(cls, lead: str) -> _Asked:
        """Once Kafka answers. Says on standard error which relay is meant, and if no service knows the lead.

        Ends the command with 2 for neither an address nor an id.
        """
        from desk.lead.person import candidates

        asked = cls(lead.strip(), candidates(lead)[0].lead_id, DeskSettings.read())
        say_relay(asked.settings.kafka)
        with reaching_relay():
            asked = asyncio.run(asked._person())
            if (known := asyncio.run(asked._known())) is not True:
                unknown = "Whether a service knows the lead cannot be read now."
                typer.echo(unknown if known is None else f"No service knows {asked.who}.", err=True)
        return asked

    @property
    def who(self) -> str:
        return f"lead {self.lead_id}" if self.lead == self.lead_id else f"{self.lead} ({self.lead_id})"

    @property
    def about(self) -> dict[str, Any]:
        """The new event's id, source, subject and time."""
        from datetime import UTC, datetime
        from uuid import uuid4

        return {"id": str(uuid4()), "source": "baton/operator", "subject": self.lead_id, "time": datetime.now(UTC)}

    async def _person(self) -> _Asked:
        """With the person that the name means, and its other names; as it is where the database cannot be read."""
        from chassis.policy import Policies
        from chassis.process.failures import Transient
        from desk.lead.finding import find
        from desk.lead.person import known_as, tell
        from desk.reading import facts_of, one_instant
        from scorer.app import Scorer

        scorer = Scorer(Policies())
        try:
            async with one_instant(self.settings.database, scorer.name) as (connection, _):
                person = await find(connection, self.lead)
                known = known_as(await facts_of(connection, scorer.inputs["engagements"], person.lead_id))
        except Transient:
            return self
        names = [*known.email[:1], *tell(known, 50)]
        reached = tuple(f"Reached: {name}" for name in names)
        return replace(self, lead_id=person.lead_id, reached=reached)

    async def _known(self) -> bool | None:
        """Whether a service has a row of the lead; None where that cannot be read: an erasure needs no database.

        Raises BrokerAway.
        """
        from chassis.process.failures import Transient
        from desk.letters.reader import reader
        from desk.reading import one_instant, row_of

        async with reader(self.settings.kafka):
            pass
        try:
            for service in ("scorer", "router", "sla-monitor"):
                async with one_instant(self.settings.database, service) as (connection, _):
                    if await row_of(connection, self.lead_id) is not None:
                        return True
        except Transient:
            return None
        return False


def _publish(event: Envelope, asked: _Asked, what: str, *, as_json: bool) -> None:
    from chassis.kafka.publisher import Publisher, Record

    async def publish() -> None:
        async with Publisher(asked.settings.kafka) as publisher:
            await publisher.publish([Record(event.topic, event.subject.encode(), event.encode())])

    with reaching_relay():
        asyncio.run(publish())
    answer = json.dumps({"lead_id": event.subject, "event": event.id, "asked": what})
    typer.echo(answer if as_json else f"{asked.who} will be {what}; `baton lead` says when it is.")
