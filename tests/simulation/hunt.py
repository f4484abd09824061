"""Searches seeds for a broken invariant, and shrinks a failing run to few steps."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

from tests.simulation.names import named_of
from tests.simulation.oracle import judge
from tests.simulation.promises import judge_names
from tests.simulation.run import Run, simulate
from tests.simulation.scenario import Arrival, Fault, Scenario, scenario_of
from tests.simulation.world import World

CHUNK = 20
ATTEMPTS = 300
"""Most runs spent on making one failure smaller."""
FAMILIES: Mapping[str, tuple[Callable[[int], Scenario], Callable[[World], list[str]]]] = {
    "plain": (scenario_of, judge),
    "names": (named_of, judge_names),
}
"""Kinds of scenarios: what a seed of each means, and what judges it."""
CHATTER = ("offsets", "offsets_not_committed", "bounds", "before")


def judged(scenario: Scenario) -> Run:
    """Runs the scenario, and has it judged as its family is."""
    return simulate(scenario, FAMILIES[scenario.family][1])


def run_seeds(family: str, seeds: Sequence[int]) -> tuple[dict[int, list[str]], Counter[str]]:
    """The seeds that break something, with what they break, and how often each thing happened."""
    broken: dict[int, list[str]] = {}
    happened: Counter[str] = Counter()
    for seed in seeds:
        run = judged(FAMILIES[family][0](seed))
        happened += run.happened
        if run.violations:
            broken[seed] = run.violations
    return broken, happened


def _begin() -> None:
    """Leaves Ctrl-C to the parent, and the processors to tests beside it that have limits of time: this has none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(19)


@contextmanager
def hunting(
    seeds: range, processes: int = 2, family: str = "plain"
) -> Iterator[Iterator[tuple[int, dict[int, list[str]], Counter[str]]]]:
    """Runs the seeds in so many processes; yields how many are done, and what `run_seeds` says of them."""
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _begin)
    try:
        yield (
            (len(chunk), *found)
            for chunk, found in zip(chunks, pool.map(partial(run_seeds, family), chunks), strict=True)
        )
    finally:
        pool.shutdown(cancel_futures=True)


def shrink(scenario: Scenario, tell: Callable[[int, int], None] = lambda *_: None) -> Run:
    """A run that still breaks something, from which as good as nothing can be left out."""
    run = judged(scenario)
    items: list[Arrival | Fault] = [*scenario.faults, *scenario.arrivals]
    size, tried = max(1, len(items) // 2), 0
    while run.violations and tried < ATTEMPTS:
        smaller = False
        for at in range(0, len(items), size):
            tried += 1
            tell(tried, len(items))
            fewer = judged(_only(scenario, [*items[:at], *items[at + size :]]))
            if fewer.violations:
                run, items, smaller = fewer, [*items[:at], *items[at + size :]], True
                break
        if not smaller and size == 1:
            break
        size = size if smaller else size // 2
    return run


def _only(scenario: Scenario, items: Sequence[Arrival | Fault]) -> Scenario:
    arrivals = tuple(item for item in items if isinstance(item, Arrival))
    return replace(scenario, arrivals=arrivals, faults=tuple(item for item in items if isinstance(item, Fault)))


def story(run: Run) -> str:
    """The steps of a run and what it breaks, for people."""
    steps = [
        f"{at:9.3f}  {who or '-':13} {what}{about and f'  {about}'}"
        for at, who, what, about in run.lines
        if what not in CHATTER
    ]
    return "\n".join(
        [
            *steps,
            *(f"BROKEN: {violation}" for violation in run.violations),
            f"{len(run.scenario.arrivals)} records and {len(run.scenario.faults)} faults of seed {run.scenario.seed}",
            f"again: python -m tests.simulation --family {run.scenario.family} --from {run.scenario.seed} --seeds 1",
        ]
    )
