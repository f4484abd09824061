"""The report of a run: a line while it runs, tables at its end, JSON for programs."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from desk.audit.report import MEANING
from tests.chaos.run import Run
from tests.chaos.trial import Trial

LINE_EVERY = 5.0
MODELLED = ("I1", "I2", "I3", "I5", "I7", "I8", "I9")
"""What the model recomputes from the raw records; the rest is the auditor's alone."""


class Progress:
    """One line that moves on a terminal, one every few seconds elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console

    async def watch(self, run: Run) -> None:
        """Until cancelled."""
        if not self._console.is_terminal:
            while True:
                self._console.print(self._line(run), soft_wrap=True)
                await asyncio.sleep(LINE_EVERY)
        with Live(console=self._console, transient=True, auto_refresh=False) as live:
            while True:
                live.update(Text(self._line(run), no_wrap=True), refresh=True)
                await asyncio.sleep(0.5)

    def _line(self, run: Run) -> str:
        past = int(time.monotonic() - run.began)
        left = int(run.planned_seconds)
        counts = run.counts
        return (
            f"{past // 60}:{past % 60:02} gone, about {left // 60}:{left % 60:02} to go, "
            f"fault {len(run.trials)}/{len(run.faults)} {run.doing}, "
            f"{counts['events']:,} events, {len(run.acknowledged):,} acknowledged, {run.broken} violations"
        )


def show(run: Run, console: Console) -> None:
    """The tables, the violations one by one, and how to repeat the run."""
    console.print(_faults(run))
    if run.exits:
        ended = ", ".join(f"{name}: {count}" for name, count in sorted(run.exits.items()))
        console.print(f"Processes that ended (service, exit code; -9 SIGKILL, 71 watchdog): {ended}", soft_wrap=True)
    console.print(_invariants(run))
    console.print(_figures("Sent", run.counts), soft_wrap=True)
    if run.findings is not None:
        console.print(_figures("Found", run.findings.figures), soft_wrap=True)
    machine = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    console.print(f"seed {run.seed}, {machine}", soft_wrap=True)
    for violation in violations(run):
        console.print(Text.assemble(("violation", "red"), " ", violation), soft_wrap=True)
    if run.broken:
        console.print(f"{run.broken} violations. Logs: {run.logs}. Again: {run.again}", soft_wrap=True)
    else:
        console.print("[green]Nothing lost, nothing counted twice; every fault happened and healed by itself.[/]")


def violations(run: Run) -> Iterator[str]:
    """Every one in a sentence."""
    for trial in run.trials:
        yield from (f"{trial.fault.name}: {violation}" for violation in trial.violations)
    yield from run.violations
    for one in run.audited.invariants if run.audited else ():
        if one.verdict == "broken":
            yield f"{one.name}, auditor: {one.violations} against: {one.text}, e.g. {'; '.join(one.examples)}"
    for found in run.findings.violations if run.findings else ():
        yield f"{found.invariant}, model: {found.count} x {found.text}, e.g. {'; '.join(found.examples)}"


def as_json(run: Run) -> dict[str, Any]:
    """All of it."""
    return {
        "seed": run.seed,
        "machine": run.machine,
        "events": dict(run.counts),
        "exits": dict(run.exits),
        "trials": [_trial(trial) for trial in run.trials],
        "audit": run.audited.as_json() if run.audited else None,
        "figures": run.findings.figures if run.findings else None,
        "violations": list(violations(run)),
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "fault": trial.fault.name,
        "happened": dict(trial.happened),
        "seconds": None if trial.ended is None else round(trial.ended - trial.began, 2),
        "recovery": None if trial.recovery is None else round(trial.recovery, 2),
        "limit": trial.fault.limit,
        "notes": trial.notes,
        "violations": trial.violations,
    }


def _faults(run: Run) -> Table:
    table = Table(title="Faults")
    for name in ("fault", "times", "evidence", "recovery, median", "max", "limit", "noted", "violations"):
        table.add_column(name, justify="left" if name in ("fault", "evidence", "noted") else "right")
    for name in sorted({trial.fault.name for trial in run.trials}):
        trials = [trial for trial in run.trials if trial.fault.name == name]
        recoveries = [trial.recovery for trial in trials if trial.recovery is not None]
        table.add_row(
            name,
            str(len(trials)),
            _told(trials, "happened"),
            f"{statistics.median(recoveries):.1f} s" if recoveries else "",
            f"{max(recoveries):.1f} s" if recoveries else "",
            f"{trials[0].fault.limit:g} s",
            _told(trials, "notes"),
            str(sum(len(trial.violations) for trial in trials)),
        )
    return table


def _invariants(run: Run) -> Table:
    table = Table(title="Invariants")
    for name in ("", "what", "auditor", "model"):
        table.add_column(name)
    broken = Counter(found.invariant for found in run.findings.violations) if run.findings else Counter[str]()
    for one in run.audited.invariants if run.audited else ():
        model = f"{broken[one.name]} broken" if broken[one.name] else "held" if one.name in MODELLED else ""
        table.add_row(one.name, MEANING[one.name], one.verdict, model)
    return table


def _figures(what: str, figures: Mapping[str, float]) -> str:
    return f"{what}: " + ", ".join(f"{name} {round(value, 4):,}" for name, value in sorted(figures.items()))


def _told(trials: list[Trial], what: str) -> str:
    """Each figure's values over the trials."""
    values: dict[str, list[Any]] = {}
    for trial in trials:
        for name, value in getattr(trial, what).items():
            values.setdefault(name, []).append(value)
    return "\n".join(f"{name} {', '.join(f'{value:,}' for value in found)}" for name, found in values.items())
