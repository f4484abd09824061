"""The counters of the scorer, kept with the partition, so that a kill loses none."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.process.metrics import Outcome


def outcomes_of(bands: Sequence[str]) -> tuple[Outcome, ...]:
    """What is counted; each band of the policy is there at 0 from the start."""
    return (
        Outcome("scores", "baton_scorer_scores", "Scores published, by the band that the lead is in", "band", bands),
    )
