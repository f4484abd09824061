"""The clocks of all leads for people on duty: what is due next, for whom, by whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest
from itertools import pairwise
from typing import Literal

from sla_monitor.rules.clock import Clock, Standing, WatchedLead


@dataclass(frozen=True, slots=True)
class Row:
    """One clock; `waiting`: past its due while its inputs are not proven read."""

    clock: str
    lead_id: str
    lead: str | None
    episode: int
    owner: str | None
    due: datetime
    seconds_left: float
    state: Standing | Literal["waiting"]

    @property
    def order(self) -> tuple[datetime, str, str]:
        return (self.due, self.clock, self.lead_id)

    @property
    def time_left(self) -> str:
        """`in 12 s`, `8 s overdue`, `in 3 h 20 min`; the two largest units, rounded towards the due."""
        if self.state not in ("running", "waiting", "unknown"):
            return "-"
        amount = _amount(int(abs(self.seconds_left)))
        return f"in {amount}" if self.seconds_left >= 0 else f"{amount} overdue"


@dataclass(slots=True)
class Overview:
    """The first `limit` clocks by due time, and how many there are."""

    now: datetime
    limit: int
    ended: bool = False
    rows: tuple[Row, ...] = ()
    total: int = 0

    def add(self, leads: Iterable[WatchedLead]) -> None:
        """Adds the clocks of these leads: the open ones, with `ended` all."""
        new = [self._row(lead, clock) for lead in leads for clock in lead.clocks if clock.open or self.ended]
        self.total += len(new)
        self.rows = tuple(nsmallest(self.limit, (*self.rows, *new), key=lambda row: row.order))

    @property
    def more(self) -> int:
        """How many are left out."""
        return self.total - len(self.rows)

    def _row(self, lead: WatchedLead, clock: Clock) -> Row:
        waiting = clock.standing == "running" and self.now > clock.due
        return Row(
            clock=clock.clock,
            lead_id=lead.lead_id,
            lead=lead.name,
            episode=clock.episode,
            owner=clock.holder.name if clock.holder else None,
            due=clock.due,
            seconds_left=(clock.due - self.now).total_seconds(),
            state="waiting" if waiting else clock.standing,
        )


def _amount(seconds: int) -> str:
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    for (name, size), (lesser, part) in pairwise(units):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {name} {rest} {lesser}" if rest else f"{seconds // size} {name}"
    return f"{seconds} s"
