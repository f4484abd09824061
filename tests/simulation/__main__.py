"""`python -m tests.simulation`: many seeds, or one, traced step by step if it breaks an invariant."""

import json
import os
import sys
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from tests.simulation.hunt import FAMILIES, hunting, shrink, story


def main(
    seeds: Annotated[int, typer.Option(min=1, help="how many seeds to run")] = 2000,
    first: Annotated[int, typer.Option("--from", min=0, help="the first of them")] = 0,
    processes: Annotated[int, typer.Option(min=1, help="how many run at once")] = os.cpu_count() or 1,
    family: Annotated[str, typer.Option(help=f"kind of scenarios: {', '.join(FAMILIES)}")] = "plain",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object: what broke and what happened")] = False,
) -> None:
    """Simulates the relay under faults. Exits with 1 after the first seeds that break an invariant, told minimally."""
    console = Console(stderr=True)
    broken: dict[int, list[str]] = {}
    happened: Counter[str] = Counter()
    done = 0
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("seeds", total=seeds)
        with hunting(range(first, first + seeds), min(processes, seeds), family) as findings:
            for count, more, what in findings:
                done += count
                broken |= more
                happened += what
                progress.update(task, completed=done)
                if broken:
                    break
        if as_json:
            print(
                json.dumps({"seeds": done, "from": first, "broken": broken, "happened": dict(sorted(happened.items()))})
            )
        elif broken:
            making = progress.add_task("making it smaller", total=None)
            smallest = shrink(
                FAMILIES[family][0](min(broken)), lambda tried, _: progress.update(making, completed=tried)
            )
            print(story(smallest))
    if not as_json:
        print(f"{done} seeds from {first}: {len(broken)} broken")
        print("  ".join(f"{what} {count}" for what, count in sorted(happened.items())))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    try:
        typer.run(main)
    except KeyboardInterrupt:
        sys.exit(130)
