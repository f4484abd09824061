"""Reads what the three services keep of a lead, and the clocks of all leads; writes nothing."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from chassis.policy import Policies, load_policies
from desk.lead.clocks import Overview
from desk.lead.explanation import Explanation, explain
from desk.lead.finding import person
from desk.lead.screen import Screen
from desk.lead.standing import Overview as Standing
from desk.lead.standing import overview
from desk.reading import every_state, facts_of, one_instant, row_of
from desk.settings import DeskSettings
from router.app import Router
from router.rules.handoff import Context
from schemas.policy import Policy
from scorer.app import Scorer
from scorer.rules import Criteria
from sla_monitor.app import SlaMonitor


@dataclass(frozen=True, slots=True)
class Look:
    """Reads one relay's tables, under the policy in force. Every method raises Transient and DBAPIError."""

    settings: DeskSettings
    policies: Policies[Policy]

    @classmethod
    def of(cls, settings: DeskSettings) -> Look:
        """Raises PolicyError."""
        return cls(settings, load_policies(settings.policies, Policy))

    def criteria(self, instant: datetime) -> Criteria:
        """The criteria of a score at `instant`. Raises PolicyError where no version is in force."""
        return Scorer(self.policies).criteria(instant)

    async def explanation(self, lead_id: str, instant: datetime | None = None) -> Explanation | None:
        """The score explained, None for a lead that the scorer does not know; without `instant` compared with the
        row.
        """
        scorer = Scorer(self.policies)
        async with one_instant(self.settings.database, scorer.name) as (connection, now):
            facts = await facts_of(connection, scorer.inputs["engagements"], lead_id)
            row = await row_of(connection, lead_id)
        if not facts:
            return None
        state = scorer.new(lead_id) if row is None else scorer.load(lead_id, row.state)
        if instant is not None:
            return explain(lead_id, facts, scorer.criteria(instant), instant, names=state.names)
        view = explain(lead_id, facts, scorer.criteria(now), now, state)
        return view if row is None else replace(view, dropped=row.dropped, erased=row.erased)

    async def standing(self, lead_id: str) -> Standing | None:
        """Stage, gate and owner; None for a lead that the router does not know."""
        router = Router(self.policies)
        async with one_instant(self.settings.database, router.name) as (connection, now):
            row = await row_of(connection, lead_id)
        if row is None:
            return None
        return overview(router.load(lead_id, row.state), Context(now, router.policies), row)

    async def screen(self, typed: str) -> Screen:
        """What the three services keep of the lead of that name, each read at one instant."""
        found = await person(self.settings.database, typed)
        lead_id = found.lead_id
        monitor = SlaMonitor(self.policies, timedelta())
        score, standing = await self.explanation(lead_id), await self.standing(lead_id)
        async with one_instant(self.settings.database, monitor.name) as (connection, now):
            clocks = Overview(now.astimezone(UTC), sys.maxsize, ended=True)
            if (row := await row_of(connection, lead_id)) is not None:
                clocks.add([monitor.load(lead_id, row.state)])
        return Screen(lead_id, score, standing, clocks.rows, found)

    async def explained(self, typed: str, instant: datetime | None = None) -> Explanation | None:
        """As `explanation`, of the lead of that name."""
        found = await person(self.settings.database, typed)
        view = await self.explanation(found.lead_id, instant)
        return None if view is None else replace(view, person=found)

    async def stands(self, typed: str) -> Standing | None:
        """As `standing`, of the lead of that name."""
        return await self.standing((await person(self.settings.database, typed)).lead_id)

    async def clocks(self, *, ended: bool, limit: int) -> Overview:
        """The clocks of all leads, the next due first, by the database's time."""
        monitor = SlaMonitor(self.policies, timedelta())
        async with one_instant(self.settings.database, monitor.name) as (connection, now):
            found = Overview(now.astimezone(UTC), limit, ended)
            async for page in every_state(connection, due=not ended):
                found.add(monitor.load(lead_id, state) for lead_id, state in page)
        return found
