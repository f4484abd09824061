"""Counters of sla-monitor: the outcomes of clocks, stored with the partition, so that a kill loses none."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.process.metrics import Outcome


def outcomes_of(clocks: Sequence[str]) -> tuple[Outcome, ...]:
    """The counters of each clock, 0 from the start: a series that begins at 1 hides its first breach."""
    return tuple(
        Outcome(total, name, text, "clock", clocks)
        for total, name, text in (
            ("started", "baton_sla_clocks_started", "Clocks that were started"),
            ("warned", "baton_sla_clocks_warned", "Warnings given before a clock's due"),
            ("met", "baton_sla_clocks_met", "Promises that were kept in time"),
            ("cancelled", "baton_sla_clocks_cancelled", "Clocks cancelled: nobody owes the promise any more"),
            ("unknown", "baton_sla_clocks_unknown", "Clocks past due whose inputs were behind for too long"),
            ("breaches", "baton_sla_breaches", "Breaches published; less the retractions, those that stand"),
            ("retractions", "baton_sla_breach_retractions", "Breaches taken back by a stop that arrived late"),
        )
    )
