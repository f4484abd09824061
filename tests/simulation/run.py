"""Runs one scenario from its seed to the verdict."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from unittest.mock import patch

from chassis.partition import decide, owner, supervisor, worker
from tests.simulation.loop import PROCESS, Loop
from tests.simulation.scenario import Scenario
from tests.simulation.world import World


@dataclass(slots=True)
class Run:
    """What came of a scenario."""

    scenario: Scenario
    violations: list[str]
    happened: Counter[str]
    lines: list[tuple[float, str, str, str]] = field(default_factory=list)


def _no_wall_clock() -> float:
    raise AssertionError("a process's own clock decides nothing")


def simulate(scenario: Scenario, judge: Callable[[World], list[str]]) -> Run:
    """Runs the scenario to its end and has it judged; the same scenario gives the same lines."""
    loop = Loop(Random(f"loop {scenario.seed}"))
    chances = random.getstate()
    random.seed(scenario.seed)
    try:
        world = World(scenario, loop)
        loop.set_exception_handler(lambda _, context: world.problems.append(str(context)))
        with (
            patch.object(worker, "log", world.diary),
            patch.object(decide, "log", world.diary),
            patch.object(owner, "log", world.diary),
            patch.object(supervisor, "log", world.diary),
            patch.object(owner, "MOVED", scenario.moved),
            patch.object(owner, "TOGETHER", min(scenario.moved, owner.TOGETHER)),  # each a fact, at the least
            patch.object(supervisor, "COMMIT_SECONDS", 7),  # half of all steps would be that advice
            patch.object(time, "time", _no_wall_clock),
            patch.object(os, "_exit", lambda _: world.kill(PROCESS.get())),
        ):
            loop.run_until_complete(world.run())
            violations = world.problems + world.diary.stopped or judge(world)
            lines = list(world.diary.lines)
            world.over = True
            loop.bury()
    finally:
        random.setstate(chances)
    happened = Counter(what for _, who, what, _ in lines if not what.startswith("armed: "))
    for store in world.stores.values():
        for row in store.partitions.values():
            for total, count in row.progress.totals.items():
                happened[total.partition(":")[0]] += count
    return Run(scenario, list(violations), happened, lines)
