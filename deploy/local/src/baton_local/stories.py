"""The stories of the demo's people: one function each, from the first visit to the decision of sales."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from baton_local.cast import Pen, Person
from baton_local.replies import BREACHED, HANDED_OFF, Replies
from baton_local.senders import Senders
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

REPLY_SECONDS = 60.0
"""Seconds after which a story without a handoff ends: the policy in force is not the demo's."""
LONGEST_NEGLECT = 66.0
"""Most seconds without a follow-up, whatever the policy's clocks."""
WEEKS = timedelta(days=20)
SALES_TOOL = "https://demo.baton.example/crm"


class Story:
    """One person's story. `pause` waits for so many seconds of the demo's time."""

    def __init__(self, person: Person, senders: Senders, replies: Replies, pause: Callable[[float], Awaitable[None]]):
        self._person = person
        self._pen = Pen(person)
        self._send = senders
        self._replies = replies
        self._pause = pause

    async def followed_up_in_time(self) -> None:
        """Reads the prices four times before signing up; sales calls at once, accepts and qualifies."""
        pen = self._pen
        await self._send.track([pen.page("Pricing") for _ in range(4)])
        await self._pause(3)
        await self._send.track([pen.identify()])
        await self._pause(3)
        await self._send.track([pen.track("Webinar Attended")])
        if handoff := await self._handoff():
            await self._pause(5)
            await self._contact(handoff)
            await self._pause(3)
            await self._report(SalesAccepted, Activity(by=_owner(handoff)))
            await self._pause(5)
            await self._qualify(handoff)

    async def followed_up_too_late(self) -> None:
        """Asks for a demo and is called after the due: a breach that stands."""
        await self._ask_for_a_demo()
        if handoff := await self._handoff():
            await asyncio.sleep(_seconds_until_missed(handoff))
            await self._contact(handoff)
            await self._pause(3)
            await self._qualify(handoff)

    async def reported_too_late(self) -> None:
        """Is called in time, but the CRM reports it after the breach was published: the breach is taken back."""
        await self._ask_for_a_demo()
        if handoff := await self._handoff():
            called_at = datetime.now(UTC)
            await self._replies.first(BREACHED, self._person.lead_id, LONGEST_NEGLECT)
            await self._pause(4)
            await self._contact(handoff, called_at)
            await self._pause(6)
            await self._qualify(handoff)

    async def sent_by_the_platform(self) -> None:
        """Known to the marketing platform only; sales calls in time and disqualifies."""
        pen = self._pen
        for event in (pen.described(), pen.opted_in(), pen.recorded("content_downloaded", "pricing")):
            await self._send.publish(event)
        await self._send.publish(pen.recorded("email_opened"))
        await self._called_and_turned_down()

    async def history_comes_late(self) -> None:
        """Not enough to qualify, until the platform reports what the person did weeks ago."""
        pen = self._pen
        await self._send.publish(pen.described(industry="weaving"))
        await self._send.publish(pen.recorded("webinar_attended"))
        await self._pause(8)
        for content in ("pricing", "case_study"):
            await self._send.publish(pen.recorded("content_downloaded", content, ago=WEEKS))
        await self._called_and_turned_down()

    async def not_ready_yet(self) -> None:
        """Attends a webinar, and does nothing more."""
        await self._send.track([self._pen.page("Webinars"), self._pen.identify(company=False)])
        await self._send.track([self._pen.track("Webinar Attended")])

    async def _ask_for_a_demo(self) -> None:
        await self._send.track([self._pen.page("Demo")])
        await self._send.track([self._pen.identify(), self._pen.track("Demo Requested")])

    async def _called_and_turned_down(self) -> None:
        if handoff := await self._handoff():
            await self._pause(7)
            await self._contact(handoff)
            await self._pause(8)
            await self._report(SalesDisqualified, Reasoned(by=_owner(handoff), reason="no_budget"))

    async def _handoff(self) -> dict[str, Any] | None:
        return await self._replies.first(HANDED_OFF, self._person.lead_id, REPLY_SECONDS)

    async def _contact(self, handoff: dict[str, Any], at: datetime | None = None) -> None:
        await self._report(SalesContacted, Contact(by=_owner(handoff), channel="call"), at)

    async def _qualify(self, handoff: dict[str, Any]) -> None:
        verdict = Validation(by=_owner(handoff), budget="yes", timeline="yes", authority="yes", fit="yes")
        await self._report(SalesQualified, verdict)

    async def _report(self, kind: type[SalesActivity], data: Activity, at: datetime | None = None) -> None:
        event = kind(
            id=self._pen.event_id(),
            source=SALES_TOOL,
            type=kind.model_fields["type"].default,
            subject=self._person.lead_id,
            time=at or datetime.now(UTC),
            data=data,
        )
        await self._send.report(event)


def _owner(handoff: dict[str, Any]) -> str:
    return str(handoff["owner"]["id"])


def _seconds_until_missed(handoff: dict[str, Any]) -> float:
    """Six seconds more than the follow-up's target."""
    target = min((seconds for clock, seconds in handoff["targets"].items() if clock in FOLLOW_UPS), default=0)
    return max(0.0, min(target + 6.0, LONGEST_NEGLECT))
