"""Seeds through the simulation: nothing lost, nothing twice, whatever dies, freezes, repeats or comes late."""

from __future__ import annotations

from tests.simulation.oracle import judge
from tests.simulation.scenario import scenario_of
from tests.simulation.world import simulate


def test_no_seed_breaks_an_invariant() -> None:
    broken = {seed: run.violations for seed in range(100) if (run := simulate(scenario_of(seed), judge)).violations}
    assert broken == {}


def test_the_same_seed_gives_the_same_steps() -> None:
    first, second = (simulate(scenario_of(7), judge) for _ in range(2))
    assert first.lines == second.lines
