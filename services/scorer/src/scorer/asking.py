"""What a lead asks for through an operator: to be forgotten, or to be left alone.

It is an event on `engagements`, as all that is known of a lead, so that every service hears of it in order. Ingest has
no way in for it: with a write key, which is public, anybody could erase anybody.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chassis.commands import confirm, lead_named
from scorer.settings import Settings

if TYPE_CHECKING:
    from schemas.envelope import Envelope

Lead = Annotated[str, typer.Argument(help="The lead's e-mail address or lead_id.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def erase(lead: Lead, yes: Yes = False) -> None:
    """Forgets a lead for good: deletes all its facts, and drops whatever comes of it later. Nothing brings it back.

    Also one that nobody knows yet. What was published stays on the topics until their retention ends, and so do dead
    letters and backups. An anonymous id or a user id under which the lead was seen is a lead of its own.

    Exits with 1 when it was not asked for after all, or Kafka does not answer.
    """
    from schemas.engagements import Erasure, LeadErased

    lead_id = lead_named(lead)
    confirm(f"Erase lead {lead_id} for good?", yes=yes)
    _publish(LeadErased(data=Erasure(), **_about(lead_id)))
    typer.echo(f"Lead {lead_id} will be erased; `scorer explain` says when it is.")


def suppress(lead: Lead, yes: Yes = False) -> None:
    """Says that nobody may approach a lead any more. What is known of it stays, and it is still scored.

    Exits with 1 when it was not asked for after all, or Kafka does not answer.
    """
    from schemas.engagements import LeadSuppressed, Suppression

    lead_id = lead_named(lead)
    confirm(f"Suppress lead {lead_id}?", yes=yes)
    _publish(LeadSuppressed(data=Suppression(), **_about(lead_id)))
    typer.echo(f"Lead {lead_id} will be suppressed; `scorer explain` says when it is.")


def _about(lead_id: str) -> dict[str, Any]:
    from datetime import UTC, datetime
    from uuid import uuid4

    return {"id": str(uuid4()), "source": "baton/operator", "subject": lead_id, "time": datetime.now(UTC)}


def _publish(event: Envelope) -> None:
    import logging

    from chassis.kafka.publisher import Publisher, Record
    from chassis.process.failures import BrokerAway

    async def publish() -> None:
        async with Publisher(Settings.read().kafka) as publisher:
            await publisher.publish([Record(event.topic, event.subject.encode(), event.encode())])

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it has to say is said in a sentence
    try:
        asyncio.run(publish())
    except BrokerAway as error:
        typer.echo(f"Kafka does not answer now ({error}). Run it again: asked twice, it happens once.", err=True)
        raise typer.Exit(1) from error
