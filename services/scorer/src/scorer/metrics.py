"""Counters of the scorer, stored with the partition, so that a kill loses none."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.process.metrics import Outcome
from scorer.rules.linking import CONFLICTS, REFUSED


def outcomes_of(bands: Sequence[str]) -> tuple[Outcome, ...]:
    """The counters; those of each band are 0 from the start."""
    return (
        Outcome("scores", "baton_scorer_scores", "Scores published, by the band that the lead is in", "band", bands),
        Outcome(REFUSED, "baton_scorer_links_refused", "Links kept that mean nothing: not from weak to strong"),
        Outcome(CONFLICTS, "baton_scorer_identity_conflicts", "User ids seen with a second e-mail address"),
    )
