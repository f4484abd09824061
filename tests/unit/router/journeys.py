"""A lead's way through the router, for its tests."""

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

from chassis.policy import Policies
from router.rules.handoff import Context
from router.rules.lead import Lead
from router.rules.route import Result, route, wake
from schemas.envelope import Envelope
from schemas.handoffs import Handoff, LeadHandedOff, LeadStageChanged, StageChange
from schemas.policy import Policy
from schemas.sales import (
    DealLost,
    DealWon,
    OpportunityCreated,
    SalesAccepted,
    SalesActivity,
    SalesDisqualified,
    SalesQualified,
    SalesRecycled,
)
from tests.builders import LEAD, NOON, a_fact, a_policy, a_sales_activity, a_score, at

STEPS: dict[str, tuple[type[SalesActivity], dict[str, Any]]] = {
    "accepted": (SalesAccepted, {}),
    "qualified": (SalesQualified, {"budget": "yes"}),
    "disqualified": (SalesDisqualified, {"reason": "no_budget"}),
    "recycled": (SalesRecycled, {"reason": "no_timeline"}),
    "opportunity": (OpportunityCreated, {"value": 1000, "close_date": date(2026, 6, 1)}),
    "won": (DealWon, {}),
    "lost": (DealLost, {"reason": "no_response"}),
}


def a_step(step: str, minutes: float = 1, **fields: Any) -> SalesActivity:
    """Sales took this step `minutes` after NOON; takes what the envelope and the activity have."""
    event, needed = STEPS[step]
    return a_sales_activity(event, **{"id": f"{step}-{minutes:g}", "time": at(minutes), **needed, **fields})


def a_context(now: datetime, *versions: Policy | None, turn: int = 0) -> Context:
    """The instant, under the version in force then; classic-50's only one by default."""
    return Context(now, Policies(Path(), tuple(filter(None, versions)) or (a_policy(),)), turn)


def go(lead: Lead, *events: Envelope, now: datetime = NOON, policy: Policy | None = None) -> Result:
    """What the router makes of the events, one after the other; the result has the events published on the way."""
    published: list[Envelope] = []
    result = Result(lead)
    for event in events:
        result = route(result.lead, a_fact(event), a_context(now, policy, turn=result.turn or 0))
        published += result.events
    return Result(result.lead, tuple(published), result.due, result.turn)


def a_handed_off_lead() -> Lead:
    """Ada, handed off at NOON."""
    return go(Lead(LEAD), a_score(65)).lead


def changes(events: Iterable[Envelope]) -> list[StageChange]:
    """The stage changes among the events."""
    return [event.data for event in events if isinstance(event, LeadStageChanged)]


def as_told(events: Iterable[Envelope]) -> list[tuple[str, datetime, bool]]:
    """The stages that a reader of `lead.stage_changed` knows: what follows a stage replaces what did before."""
    stages: list[tuple[str, datetime, bool]] = []
    for change in changes(events):
        names = [name for name, _, _ in stages]
        known = names.index(change.before) + 1 if change.before in names else 0
        stages = [*stages[:known], (change.after, change.at, change.implied)]
    return stages


def handoffs(result: Result) -> list[Handoff]:
    return [event.data for event in result.events if isinstance(event, LeadHandedOff)]


def tick(lead: Lead, now: datetime) -> Result:
    return wake(lead, a_context(now))
