"""`baton erase` and `baton suppress`, for a lead that asks to be forgotten or to be left alone.

Both publish an event on `engagements`, so that every service receives it in order. Ingest does not accept them: its
write key is public, so anybody could erase anybody.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import typer

from desk.settings import DeskSettings
from desk.terminal import Json, LeadArgument, Yes, confirm, lead_named, plainly

if TYPE_CHECKING:
    from schemas.envelope import Envelope


def erase(lead: LeadArgument, yes: Yes = False, as_json: Json = False) -> None:
    """Forgets a lead for good: deletes all its facts, and drops whatever comes of it later. Nothing brings it back.

    Also one that nobody knows yet. What was published stays on the topics until their retention ends, and so do dead
    letters and backups. An anonymous id or a user id under which the lead was seen is a lead of its own.

    Exits with 1 when it was not asked for after all, or Kafka does not answer.

    Example: baton erase ada@example.com
    """
    from schemas.engagements import Erasure, LeadErased

    lead_id = lead_named(lead)
    confirm(f"Erase lead {lead_id} for good?", yes=yes)
    _publish(LeadErased(data=Erasure(), **_about(lead_id)), "erased", as_json=as_json)


def suppress(lead: LeadArgument, yes: Yes = False, as_json: Json = False) -> None:
    """Says that nobody may approach a lead any more. What is known of it stays, and it is still scored.

    Exits with 1 when it was not asked for after all, or Kafka does not answer.

    Example: baton suppress ada@example.com --yes
    """
    from schemas.engagements import LeadSuppressed, Suppression

    lead_id = lead_named(lead)
    confirm(f"Suppress lead {lead_id}?", yes=yes)
    _publish(LeadSuppressed(data=Suppression(), **_about(lead_id)), "suppressed", as_json=as_json)


def _about(lead_id: str) -> dict[str, Any]:
    from datetime import UTC, datetime
    from uuid import uuid4

    return {"id": str(uuid4()), "source": "baton/operator", "subject": lead_id, "time": datetime.now(UTC)}


def _publish(event: Envelope, what: str, *, as_json: bool) -> None:
    from chassis.kafka.publisher import Publisher, Record

    async def publish() -> None:
        async with Publisher(DeskSettings.read().kafka) as publisher:
            await publisher.publish([Record(event.topic, event.subject.encode(), event.encode())])

    with plainly():
        asyncio.run(publish())
    answer = json.dumps({"lead_id": event.subject, "event": event.id, "asked": what})
    typer.echo(answer if as_json else f"Lead {event.subject} will be {what}; `baton lead` says when it is.")
