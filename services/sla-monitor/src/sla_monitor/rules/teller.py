"""Makes the events of a lead's clocks, each with the next version of its clock."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

from schemas.envelope import Envelope
from schemas.identity import derived_id
from schemas.sla import (
    ClockCancelled,
    ClockMet,
    ClockStarted,
    ClockUnknown,
    ClockWarned,
    SlaBreached,
    SlaBreachRetracted,
    clock_id_of,
)
from sla_monitor.rules.clock import Clock
from sla_monitor.rules.milestones import Milestone

SOURCE = "baton/sla-monitor"

Kind = (
    type[ClockStarted]
    | type[ClockWarned]
    | type[ClockMet]
    | type[ClockUnknown]
    | type[ClockCancelled]
    | type[SlaBreached]
    | type[SlaBreachRetracted]
)


class Teller:
    """Collects the events about one lead's clocks in one decision; `counts` are those of the events.

    Each method returns the clock with its new version and standing.
    """

    def __init__(self, lead_id: str) -> None:
        self._lead_id = lead_id
        self.events: list[Envelope] = []
        self.counts: Counter[str] = Counter()

    def started(self, clock: Clock) -> Clock:
        self._count("started", clock)
        return self._tell(ClockStarted, clock, clock.started_at, clock.cause)

    def warned(self, clock: Clock, fraction: float) -> Clock:
        self._count("warned", clock)
        return self._tell(ClockWarned, clock, clock.warns_at(fraction), clock.cause, fraction=fraction)

    def unknown(self, clock: Clock, since: datetime) -> Clock:
        self._count("unknown", clock)
        return self._tell(ClockUnknown, replace(clock, standing="unknown"), since, clock.cause)

    def breached(self, clock: Clock, detected_at: datetime) -> Clock:
        """A breach at the instant `due`, whenever it was found."""
        self._count("breaches", clock)
        clock = replace(clock, standing="breached")
        return self._tell(
            SlaBreached, clock, clock.due, clock.cause, breach_id=self._breach_id(clock), detected_at=detected_at
        )

    def retracted(self, clock: Clock, end: Milestone, detected_at: datetime) -> Clock:
        """Takes the breach back at `detected_at`, which is later than its publication."""
        self._count("retractions", clock)
        return self._tell(
            SlaBreachRetracted,
            clock,
            detected_at,
            end.id,
            breach_id=self._breach_id(clock),
            detected_at=detected_at,
            stop_event=end.id,
            met_at=end.time if clock.met_by(end) else None,
        )

    def met(self, clock: Clock, end: Milestone) -> Clock:
        self._count("met", clock)
        early = end.time < clock.started_at
        return self._tell(
            ClockMet,
            replace(clock, standing="met"),
            max(end.time, clock.started_at),
            end.id,
            met_at=end.time,
            stop_before_start=early,
        )

    def cancelled(self, clock: Clock, end: Milestone) -> Clock:
        self._count("cancelled", clock)
        clock = replace(clock, standing="cancelled")
        reasons = {"suppressed": "the lead is suppressed", "merged": "the promise is another lead's"}
        why = next((reasons[means] for means in end.means if means in reasons), "no contact needed")
        return self._tell(ClockCancelled, clock, max(end.time, clock.started_at), end.id, why=why)

    def _count(self, total: str, clock: Clock) -> None:
        self.counts[f"{total}:{clock.clock}"] += 1

    def _breach_id(self, clock: Clock) -> str:
        return derived_id("breach", clock_id_of(self._lead_id, clock.episode, clock.clock))

    def _tell(self, kind: Kind, clock: Clock, time: datetime, cause: str, **more: Any) -> Clock:
        clock = replace(clock, version=clock.version + 1)
        clock_id = clock_id_of(self._lead_id, clock.episode, clock.clock)
        word = str(kind.model_fields["type"].default).split(".")[2]
        data = {
            "clock_id": clock_id,
            "clock": clock.clock,
            "version": clock.version,
            "episode": clock.episode,
            "handoff_id": clock.handoff_id,
            "party": clock.party,
            "holder": clock.holder,
            "started_at": clock.started_at,
            "due": clock.due,
            "elapsed": (time - clock.started_at).total_seconds(),
            "remaining": (clock.due - time).total_seconds(),
            "cause": cause,
            "policy": clock.policy,
            **more,
        }
        self.events.append(
            kind(
                id=derived_id(clock_id, word, clock.version),
                source=SOURCE,
                subject=self._lead_id,
                time=time,
                finaltime=True,
                data=data,
            )
        )
        return clock
