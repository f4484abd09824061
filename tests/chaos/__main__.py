"""`make chaos`: injects every fault of the catalogue under load and reports violations."""

import asyncio
import json
import logging
import random
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from baton_local.errors import LocalError
from tests.chaos.faults import CATALOGUE
from tests.chaos.report import Progress, as_json, show
from tests.chaos.run import EVENTS_PER_SECOND, Run, perform
from tests.chaos.schedule import plan
from tests.chaos.special import LEFT_OUT, SPECIAL
from tests.chaos.stage import StageError

MINUTES = 15.0
MINUTES_OF_ONE = 3.0
WIDTH = 150
"""Of the tables in a file; a terminal has its own."""
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _list(wanted: bool) -> None:
    if wanted:
        for fault in (*CATALOGUE.values(), *SPECIAL.values()):
            print(f"{fault.name:20} {fault.about}; flows again within {fault.limit:g} s")
        raise typer.Exit


def _known(names: list[str] | None) -> list[str]:
    names = names or []
    if unknown := set(names) - CATALOGUE.keys() - SPECIAL.keys():
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: there are {', '.join((*CATALOGUE, *SPECIAL))}")
    return names


@app.callback(invoke_without_command=True)
def chaos(  # noqa: PLR0913, PLR0917 - a command's options
    context: typer.Context,
    seed: Annotated[int | None, typer.Option(help="repeats a run's order and load; by chance when left out")] = None,
    fault: Annotated[list[str] | None, typer.Option(help="only this one; may be given again", callback=_known)] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="how long faults go on [default: 15, with --fault 3]")
    ] = None,
    special: Annotated[bool, typer.Option("--special", help="each slow and special fault once, 20 min in all")] = False,
    rate: Annotated[float, typer.Option(min=1, help="events a second")] = EVENTS_PER_SECOND,
    slack: Annotated[float, typer.Option(min=1, help="times each limit of time: for a machine that is busy")] = 1,
    report: Annotated[Path | None, typer.Option("--json", help="write everything that is told to this file")] = None,
    _: Annotated[bool, typer.Option("--list", help="list the faults", callback=_list, is_eager=True)] = False,
) -> None:
    """The whole relay on real Kafka and Postgres, under load, broken again and again.

    Exit code 1 when anything was lost, counted twice, or did not recover in time.
    """
    if context.invoked_subcommand is not None:
        return
    seed = random.randrange(10_000) if seed is None else seed
    names = fault or []
    minutes = minutes or (MINUTES_OF_ONE if names else MINUTES)
    order = ["--special"] if special else [f"--minutes {minutes:g}", *(f"--fault {name}" for name in names)]
    again = f"make chaos ARGS='--seed {seed} --rate {rate:g} --slack {slack:g} {' '.join(order)}'"
    run = Run(seed, [*SPECIAL.values()] if special else plan(seed, minutes, names), again, rate, slack)
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    if special and LEFT_OUT:
        console.print(LEFT_OUT, soft_wrap=True)
    console.print(f"Seed {seed}: {len(run.faults)} faults in about {run.planned_seconds / 60:.0f} min.")
    logging.basicConfig(level=logging.CRITICAL)  # clients of a broker that is killed have much to say
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asyncio.run(perform(run, Progress(console)))
    except KeyboardInterrupt:
        console.print(f"Stopped; nothing is left running. Logs: {run.logs}. Again: {run.again}", soft_wrap=True)
        raise typer.Exit(130) from None
    except (LocalError, StageError) as error:
        console.print(f"{error} Logs: {run.logs}. Again: {run.again}", soft_wrap=True)
        raise typer.Exit(2) from None
    show(run, console)
    if report is not None:
        report.write_text(json.dumps(as_json(run), indent=2) + "\n")
    raise typer.Exit(1 if run.broken else 0)


if __name__ == "__main__":
    app()
