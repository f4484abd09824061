"""Makes the clocks of an episode, and says what ends each; with their lead they are all that sla-monitor keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from schemas.handoffs import LeadHandedOff, LeadQualified, Owner
from schemas.policy import Policy
from schemas.scores import PolicyRef
from schemas.sla import Party
from sla_monitor.rules.milestones import Milestone

DISORDER = timedelta(minutes=5)
"""How far before its start a stop that names no episode may be: two machines' clocks, or an early owner."""
RESOLUTION = timedelta(microseconds=1)
"""The first instant after `due` is so much later."""

Standing = Literal["running", "unknown", "breached", "met", "cancelled"]
Stop = Literal["handed_off", "contacted", "decided", "feedback"]


@dataclass(frozen=True, slots=True)
class Clock:
    """One promise in one episode; its terms are those of one version of the policy, for good.

    `version` counts the events published about it, `end` is the earliest milestone in time that ends it, `warnings` are
    the fractions of the time still to be warned of. Stops count from `stops_from` on, which is before the start where
    the lead qualified before the handoff was published; absent in states of before 2026-11-28: the start. In an episode
    that was taken over from another lead, `alias`, that goes for stops that named the other one.
    """

    clock: str
    episode: int
    handoff_id: str
    party: Party
    stop: Stop
    holder: Owner | None
    started_at: datetime
    due: datetime
    warnings: tuple[float, ...]
    policy: PolicyRef
    cause: str
    version: int = 0
    standing: Standing = "running"
    end: Milestone | None = None
    stops_from: datetime | None = None
    alias: str | None = None

    @property
    def open(self) -> bool:
        """No verdict yet."""
        return self.standing in ("running", "unknown")

    def warns_at(self, fraction: float) -> datetime:
        """When `fraction` of the time has passed."""
        return self.started_at + fraction * (self.due - self.started_at)

    def met_by(self, milestone: Milestone) -> bool:
        """Whether the milestone is what was promised."""
        return self.stop in milestone.means

    def ended_by(self, milestone: Milestone, until: datetime | None) -> bool:
        """Whether the milestone ends this clock in time; `until` is the start of the lead's next handoff, if any.

        An erasure ends every open clock, whenever it was due: what would decide it may be unread, and is never kept. A
        milestone that names no episode belongs to the current one: from `stops_from`, less DISORDER, to `until`.
        """
        if "suppressed" in milestone.means:
            return milestone.time <= self.due or ("erased" in milestone.means and (self.open or milestone == self.end))
        if "merged" in milestone.means:
            return milestone.time <= self.due and milestone.episode in (None, self.episode)
        excused = self.stop == "contacted" and "no_contact_needed" in milestone.means
        if milestone.time > self.due or not (self.met_by(milestone) or excused):
            return False
        if milestone.episode is not None:
            return milestone.episode == self.episode
        since = self.stops_from if self.alias in (None, milestone.via) else None
        return (since or self.started_at) - DISORDER <= milestone.time and (until is None or milestone.time < until)

    @property
    def next_look(self) -> datetime:
        """The next instant at which time alone may change an open clock."""
        return min((self.warns_at(fraction) for fraction in self.warnings), default=self.due + RESOLUTION)


@dataclass(frozen=True, slots=True)
class Inherited:
    """An episode that was taken over from a merged lead, `alias`; `number`: which it was there, if known."""

    alias: str
    episode: int
    number: int | None


@dataclass(frozen=True, slots=True)
class WatchedLead:
    """A lead as its clocks see it: `name` is for people, `starts` and `activities` are in the lead's order."""

    lead_id: str
    name: str | None = None
    clocks: tuple[Clock, ...] = ()
    starts: tuple[Milestone, ...] = ()
    activities: tuple[Milestone, ...] = ()
    inherited: tuple[Inherited, ...] = ()

    def end_of(self, clock: Clock) -> Milestone | None:
        """The earliest known milestone that ends the clock in time."""
        until = self._next_handoff(clock.episode)
        ends = (milestone for milestone in self._milestones(clock) if clock.ended_by(milestone, until))
        return min(ends, key=lambda milestone: milestone.order, default=None)

    def _milestones(self, clock: Clock) -> Iterator[Milestone]:
        yield from self.starts
        yield from map(self._placed, self.activities)
        if clock.end is not None:
            yield clock.end

    def _placed(self, activity: Milestone) -> Milestone:
        """The activity with the number that the episode of the merged lead, which it names, has here."""
        if activity.via is None or activity.episode is None:
            return activity
        told = (activity.via, activity.episode)
        return next(
            (replace(activity, episode=each.episode) for each in self.inherited if (each.alias, each.number) == told),
            activity,
        )

    def _next_handoff(self, episode: int) -> datetime | None:
        later = (m.time for m in self.starts if "handed_off" in m.means and m.episode and m.episode > episode)
        return min(later, default=None)


def clocks_of(
    event: LeadQualified | LeadHandedOff, start: Milestone, received: datetime, policy: Policy
) -> list[Clock]:
    """The clocks that the policy starts for a lead of this intent; `received`: when the event was published.

    Those of a handoff start when it was published, since nobody could see it before; never before it was decided,
    whatever the broker's clock says.
    """
    data = event.data
    owner = event.data.owner if isinstance(event, LeadHandedOff) else None
    started_at = max(start.time, received.astimezone(UTC)) if owner else start.time
    return [
        Clock(
            clock=rule.id,
            episode=data.episode,
            handoff_id=data.handoff_id,
            party=rule.party,
            stop=rule.stop,
            holder=owner if rule.party == "sales" else None,
            started_at=started_at,
            due=started_at + rule.target,
            warnings=tuple(sorted(set(rule.warn))),
            policy=policy.ref,
            cause=start.id,
            stops_from=min(data.qualified_at.astimezone(UTC), start.time),
            alias=event.data.alias if isinstance(event, LeadHandedOff) else None,
        )
        for rule in policy.clocks
        if rule.start in start.means and rule.intent in (None, data.intent.level)
    ]
