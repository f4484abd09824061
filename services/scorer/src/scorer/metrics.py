"""Counters of the scorer, stored with the partition, so that a kill loses none."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.process.metrics import Outcome


def outcomes_of(bands: Sequence[str]) -> tuple[Outcome, ...]:
    """The counters; those of each band are 0 from the start."""
    return (
        Outcome("scores", "baton_scorer_scores", "Scores published, by the band that the lead is in", "band", bands),
    )
