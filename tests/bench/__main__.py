"""`make bench`: what the relay costs per event, on real Kafka and Postgres, in one run."""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
from typing import Annotated

import typer

from tests.bench import scorer
from tests.bench.measure import Measured, Servers, servers, summary


def main(
    rounds: Annotated[int, typer.Option(min=1, help="rounds of each scenario; medians are printed")] = 3,
    only: Annotated[str, typer.Option(help="run only scenarios whose name contains this")] = "",
) -> None:
    """Measures ingest (single, batches of 100) and the scorer from a backlog (hot, new, known leads)."""
    asyncio.run(_bench(rounds, only))


async def _bench(rounds: int, only: str) -> None:
    print(f"commit {_commit()}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()};")
    print(f"{rounds} rounds; load, service, Kafka and Postgres on the same cores")
    async with servers() as running:
        for scenario in scorer.SCENARIOS:
            if only in f"scorer {scenario.name}":
                print(summary(f"scorer {scenario.name}", await _rounds(scenario, running, rounds)), flush=True)


async def _rounds(scenario: scorer.Scenario, running: Servers, rounds: int) -> list[Measured]:
    if not scenario.facts_before:
        return [await _say(scenario, i, await scorer.measure(scenario, running, i)) for i in range(rounds)]
    async with scorer.known_leads(running, scenario) as template:
        return [await _say(scenario, i, await scorer.measure(scenario, running, i, template)) for i in range(rounds)]


async def _say(scenario: scorer.Scenario, turn: int, measured: Measured) -> Measured:
    print(f"  round {turn + 1}: {measured.rate:,.0f} events/s", file=sys.stderr)
    return measured


def _commit() -> str:
    git = ("git", "rev-parse", "--short", "HEAD")
    return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "?"


typer.run(main)
