"""The demo's traffic: one short story with a new cast, then a trickle of visitors who never qualify."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from aiokafka.errors import KafkaError

from baton_local.cast import Pen, Person, cast
from baton_local.senders import Senders, SendingRefusedError
from baton_local.words import FOLLOW_UPS
from schemas.sales import (
    Activity,
    Contact,
    Reasoned,
    SalesAccepted,
    SalesActivity,
    SalesContacted,
    SalesDisqualified,
    SalesQualified,
    Validation,
)

HANDOFF_DEADLINE = 60.0
"""Seconds after which an actor gives up on a handoff: the policy in force is not the demo's."""
LONGEST_NEGLECT = timedelta(minutes=1)
"""Nobody's follow-up is left out for longer than this, whatever the policy's clocks are."""
SALES_TOOL = "https://demo.baton.example/crm"
VISITORS = 400


class Desk:
    """What sales sees: every handoff as it comes. Give `hear` to the watch."""

    def __init__(self) -> None:
        self._handoffs: dict[str, asyncio.Future[dict[str, Any]]] = {}

    def expect(self, lead_id: str) -> None:
        self._handoffs[lead_id] = asyncio.get_running_loop().create_future()

    def hear(self, value: bytes) -> None:
        """Keeps the handoff of a lead that is expected; what cannot be read is not for this desk."""
        if b"baton.lead.handed_off" not in value:
            return
        try:
            event = json.loads(value)
            handoff, data = self._handoffs.get(event["subject"]), event["data"]
        except (ValueError, KeyError, TypeError, RecursionError):  # anybody may write to a topic
            return
        if handoff is not None and not handoff.done() and isinstance(data, dict):
            handoff.set_result(data)

    async def handoff(self, lead_id: str) -> dict[str, Any] | None:
        """The lead's handoff once it has come, or None when it does not come."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._handoffs[lead_id]), HANDOFF_DEADLINE)
        except TimeoutError:
            return None


class Demo:
    """The story and the trickle. A refusal ends the demo and is said; it never harms the run."""

    def __init__(self, senders: Senders, desk: Desk, say: Callable[[str], None]) -> None:
        self._send = senders
        self._desk = desk
        self._say = say
        self._run = int(time.time())

    async def play(self) -> None:
        """Runs until cancelled or refused."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._story())
                group.create_task(self._trickle())
        except* (SendingRefusedError, KafkaError, TimeoutError) as failed:
            self._say(f"The demo's traffic has ended: {failed.exceptions[0]}")

    async def _story(self) -> None:
        prompt, neglected, listed, undecided = cast(self._run, 4)
        for person in (prompt, neglected, listed):
            self._desk.expect(person.lead_id)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._followed_up_in_time(prompt))
            group.create_task(self._followed_up_too_late(neglected))
            group.create_task(self._sent_by_the_platform(listed))
            group.create_task(self._not_ready_yet(undecided))

    async def _followed_up_in_time(self, person: Person) -> None:
        pen = Pen(person)
        await self._send.track([pen.identify(), pen.page("Pricing")])
        await asyncio.sleep(3)
        await self._send.track([pen.track("Webinar Attended"), pen.page("Pricing")])
        if handoff := await self._desk.handoff(person.lead_id):
            await asyncio.sleep(5)
            await self._contact(pen, person, handoff)
            await asyncio.sleep(3)
            await self._report(SalesAccepted, pen, person, Activity(by=_owner(handoff)))
            await asyncio.sleep(5)
            await self._qualify(pen, person, handoff)

    async def _followed_up_too_late(self, person: Person) -> None:
        pen = Pen(person)
        await asyncio.sleep(1)
        await self._send.track([pen.identify(), pen.track("Demo Requested")])
        if handoff := await self._desk.handoff(person.lead_id):
            await asyncio.sleep(_until_missed(handoff))
            await self._contact(pen, person, handoff)
            await asyncio.sleep(3)
            await self._qualify(pen, person, handoff)

    async def _sent_by_the_platform(self, person: Person) -> None:
        pen = Pen(person)
        await asyncio.sleep(6)
        await self._send.publish(pen.described())
        await self._send.publish(pen.opted_in())
        await self._send.publish(pen.recorded("content_downloaded", "pricing"))
        await self._send.publish(pen.recorded("email_opened"))
        if handoff := await self._desk.handoff(person.lead_id):
            await asyncio.sleep(7)
            await self._contact(pen, person, handoff)
            await asyncio.sleep(8)
            verdict = Reasoned(by=_owner(handoff), reason="no_budget")
            await self._report(SalesDisqualified, pen, person, verdict)

    async def _not_ready_yet(self, person: Person) -> None:
        pen = Pen(person)
        await asyncio.sleep(10)
        await self._send.track([pen.identify() | {"traits": {"name": person.name}}, pen.track("Webinar Attended")])

    async def _contact(self, pen: Pen, person: Person, handoff: dict[str, Any]) -> None:
        await self._report(SalesContacted, pen, person, Contact(by=_owner(handoff), channel="call"))

    async def _qualify(self, pen: Pen, person: Person, handoff: dict[str, Any]) -> None:
        verdict = Validation(by=_owner(handoff), budget="yes", timeline="yes", authority="yes", fit="yes")
        await self._report(SalesQualified, pen, person, verdict)

    async def _report(self, kind: type[SalesActivity], pen: Pen, person: Person, data: Activity) -> None:
        now = datetime.now(UTC)
        event = kind(
            id=pen.event_id(), source=SALES_TOOL, type=_type_of(kind), subject=person.lead_id, time=now, data=data
        )
        await self._send.report(event)

    async def _trickle(self) -> None:
        """Two page views a second, from visitors who never say who they are."""
        for number in count():
            await self._send.track([self._visit(2 * number), self._visit(2 * number + 1)])
            await asyncio.sleep(1)

    def _visit(self, number: int) -> dict[str, Any]:
        return {
            "type": "page",
            "messageId": f"demo-{self._run}-visit-{number}",
            "timestamp": datetime.now(UTC).isoformat(),
            "anonymousId": f"visitor-{self._run}-{number % VISITORS}",
            "name": "Blog",
            "properties": {"path": "/blog"},
        }


def _owner(handoff: dict[str, Any]) -> str:
    return str(handoff["owner"]["id"])


def _type_of(kind: type[SalesActivity]) -> str:
    return str(kind.model_fields["type"].default)


def _until_missed(handoff: dict[str, Any]) -> float:
    """Seconds until the follow-up is well and truly late, within the bounds of an owner's forgetfulness here."""
    left = min((seconds for clock, seconds in handoff["targets"].items() if clock in FOLLOW_UPS), default=0)
    wait = timedelta(seconds=left + 6)
    return max(0.0, min(wait, LONGEST_NEGLECT).total_seconds())
