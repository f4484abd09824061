"""`make bench`: the cost of an event, on real Kafka and Postgres."""

import asyncio
import os
import platform
import subprocess
import sys
from typing import Annotated

import typer

from tests.bench import history, ingest, moving, names, scorer
from tests.bench.measure import HEADING, Measured, Scenario, Servers, row, servers

SCENARIOS: tuple[Scenario, ...] = (
    *ingest.SCENARIOS,
    *scorer.SCENARIOS,
    *names.SCENARIOS,
    *moving.SCENARIOS,
    *history.SCENARIOS,
)


def main(
    rounds: Annotated[int, typer.Option(min=1, help="rounds of each scenario; medians are printed")] = 3,
    only: Annotated[str, typer.Option(help="run only scenarios whose name contains this")] = "",
) -> None:
    """Measures ingest (single, batches of 100), the scorer from a backlog (hot, new, known, late, many
    names), and an import.

    The scorer's policy is classic-50, for the import balanced, unless BATON_POLICIES names the folder of another.
    """
    asyncio.run(_bench(rounds, only))


async def _bench(rounds: int, only: str) -> None:
    print(f"commit {_commit()}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()};")
    print(f"medians of {rounds} rounds; load, service, Kafka and Postgres on the same cores", flush=True)
    scenarios = [scenario for scenario in SCENARIOS if only in scenario.name]
    async with servers() as running:
        rows = [row(scenario.name, await _measured(scenario, running, rounds)) for scenario in scenarios]
    print("\n".join((HEADING, *rows)))


async def _measured(scenario: Scenario, running: Servers, rounds: int) -> list[Measured]:
    measured: list[Measured] = []
    async for one in scenario.rounds(running, rounds):
        measured.append(one)
        print(f"  {scenario.name}, round {len(measured)}: {one.rate:,.0f} events/s", file=sys.stderr, flush=True)
    return measured


def _commit() -> str:
    git = ("git", "rev-parse", "--short", "HEAD")
    return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "?"


typer.run(main)
