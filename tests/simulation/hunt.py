"""Searches seeds for a broken invariant, and shrinks a failing run to few steps."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context

from tests.simulation.oracle import judge
from tests.simulation.run import Run, simulate
from tests.simulation.scenario import Arrival, Fault, Scenario, scenario_of

CHUNK = 20
ATTEMPTS = 300
"""Most runs spent on making one failure smaller."""
CHATTER = ("offsets", "offsets_not_committed", "bounds", "before")


def run_seeds(seeds: Sequence[int]) -> tuple[dict[int, list[str]], Counter[str]]:
    """The seeds that break something, with what they break, and how often each thing happened."""
    broken: dict[int, list[str]] = {}
    happened: Counter[str] = Counter()
    for seed in seeds:
        run = simulate(scenario_of(seed), judge)
        happened += run.happened
        if run.violations:
            broken[seed] = run.violations
    return broken, happened


def _begin() -> None:
    """Leaves Ctrl-C to the parent, and the processors to tests beside it that have limits of time: this has none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(19)


@contextmanager
def hunting(seeds: range, processes: int = 2) -> Iterator[Iterator[tuple[int, dict[int, list[str]], Counter[str]]]]:
    """Runs the seeds in so many processes; yields how many are done, and what `run_seeds` says of them."""
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _begin)
    try:
        yield ((len(chunk), *found) for chunk, found in zip(chunks, pool.map(run_seeds, chunks), strict=True))
    finally:
        pool.shutdown(cancel_futures=True)


def shrink(scenario: Scenario, tell: Callable[[int, int], None] = lambda *_: None) -> Run:
    """A run that still breaks something, from which as good as nothing can be left out."""
    run = simulate(scenario, judge)
    items: list[Arrival | Fault] = [*scenario.faults, *scenario.arrivals]
    size, tried = max(1, len(items) // 2), 0
    while run.violations and tried < ATTEMPTS:
        smaller = False
        for at in range(0, len(items), size):
            tried += 1
            tell(tried, len(items))
            fewer = simulate(_only(scenario, [*items[:at], *items[at + size :]]), judge)
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
            f"again: python -m tests.simulation --from {run.scenario.seed} --seeds 1",
        ]
    )
