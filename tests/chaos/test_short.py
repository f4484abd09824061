"""A short chaos run: each process killed once, one frozen, one cut off; nothing is lost or counted twice."""

import pytest
from rich.console import Console

from tests.chaos.faults import CATALOGUE, KILLS
from tests.chaos.report import Progress, violations
from tests.chaos.run import Run, perform
from tests.chaos.trial import Fault, Trial


async def nothing(trial: Trial) -> None:
    """Says that it did something, and did not."""
    trial.happened["anything"] += 0


IDLE = Fault("nothing", "a fault that never happens, and from which nobody recovers in time", nothing, 1, 0)
SHORT = [*(CATALOGUE[name] for name in KILLS), CATALOGUE["database-freeze"], CATALOGUE["reset"], IDLE]


SLACK = 3.0
"""Tests share their machine; `make chaos` holds the limits as they are."""


@pytest.mark.timeout(400)
async def test_every_part_is_killed_and_nothing_is_lost_or_counted_twice() -> None:
    run = Run(seed=4, faults=SHORT, rate=150, slack=SLACK)
    await perform(run, Progress(Console()))
    *_, idle = run.trials
    assert len(idle.violations) == 2, "a fault that did not happen, and a recovery over its limit, are both told"
    assert [each for each in violations(run) if not each.startswith("nothing:")] == [], f"logs: {run.logs}"
    assert run.audited is not None
    assert {one.verdict for one in run.audited.invariants if one.name != "I4"} >= {"held"}
    assert run.counts["events"] > 5_000
