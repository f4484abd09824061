"""`make chaos-mutants`: takes each guard out of a scratch copy of the project, and demands that a suite goes red."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.relay import ROOT

GREEN, RED = 0, 1
HUNT_SECONDS = 600
CHASSIS = "services/chassis/src/chassis"

Hunt = tuple[str, ...]
"""Arguments of the interpreter: a suite that ends with 0 when all is well, with 1 when it found something."""


def chaos(*faults: str, minutes: float) -> Hunt:
    """A run under load with auditor and model at its end."""
    named = (word for fault in faults for word in ("--fault", fault))
    return ("-m", "tests.chaos", "--seed", "1", "--minutes", str(minutes), *named)


def tests(path: str, *named: str) -> Hunt:
    """Tests whose names contain one of the words."""
    return ("-m", "pytest", "-q", "-x", "-m", "", path, "-k", " or ".join(named))


POINTS = "tests/chaos/points/test_failpoints.py"
KILLS = chaos("scorer-kill", "router-kill", minutes=1.3)


@dataclass(frozen=True)
class Mutant:
    """A guard, and the text that takes it out of one file; the hunt is what has to notice."""

    guard: str
    file: str
    text: str
    instead: str
    hunt: Hunt

    def apply(self, copy: Path) -> None:
        """Raises ValueError when the text is not there exactly once: the list is then out of date."""
        path = copy / self.file
        whole = path.read_text()
        if whole.count(self.text) != 1:
            raise ValueError(f"{self.guard}: {self.file} has {self.text!r} {whole.count(self.text)} times")
        path.write_text(whole.replace(self.text, self.instead))


MUTANTS = (
    Mutant(
        "the fence",
        f"{CHASSIS}/sql.py",
        "WHERE part = :part AND epoch = :epoch RETURNING part",
        "WHERE part = :part AND :epoch > 0 RETURNING part",
        tests(POINTS, "deadline"),
    ),
    Mutant(
        "the plain insert of facts",
        f"{CHASSIS}/sql.py",
        "AS u(lead_id, source, id, type, time, fingerprint, data)\n)",
        "AS u(lead_id, source, id, type, time, fingerprint, data) ON CONFLICT DO NOTHING\n)",
        tests("tests/integration/chassis/test_chassis_journal.py", "cache_missed"),
    ),
    Mutant(
        "the outbox in the same statement",
        f"{CHASSIS}/sql.py",
        "AS u(seq, topic, key, value, headers, partition)\n)",
        "AS u(seq, topic, key, value, headers, partition) WHERE false\n)",
        KILLS,
    ),
    Mutant(
        "the drain on takeover",
        f"{CHASSIS}/ownership.py",
        "while rows := await self._journal.leftovers(self._acknowledged):",
        "while rows := (await self._journal.leftovers(self._acknowledged))[:0]:",
        KILLS,
    ),
    Mutant(
        "the offset check at the claim",
        f"{CHASSIS}/worker.py",
        "if not first <= offsets[topic] <= end:",
        "offsets[topic] = min(max(first, offsets[topic]), end)\n            if False:",
        tests(POINTS, "truncated"),
    ),
    Mutant(
        "the offset check while reading",
        f"{CHASSIS}/sequence.py",
        "if record.offset != wanted:",
        "if record.offset < wanted:",
        tests("tests/integration/chassis/test_chassis_process.py", "gap"),
    ),
    Mutant(
        "the retraction",
        "services/sla-monitor/src/sla_monitor/rules/__init__.py",
        "    was = clock.standing\n",
        '    was = clock.standing\n    if was == "breached":\n        return clock\n',
        chaos("reset", minutes=0.5),
    ),
)


@contextmanager
def scratch(mutant: Mutant | None) -> Iterator[Path]:
    """A copy of what git knows or would know, mutated."""
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    with tempfile.TemporaryDirectory(prefix="baton-mutant-", dir="/tmp") as folder:
        copy = Path(folder)
        copy.chmod(0o755)  # Postgres may have to run as nobody
        for name in filter(None, names):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
        if mutant is not None:
            mutant.apply(copy)
        yield copy


def environment(copy: Path) -> Mapping[str, str]:
    """Everything is imported from the copy, in services too."""
    sources = [str(path) for path in sorted(copy.glob("services/*/src"))]
    path = os.pathsep.join([str(copy), *sources, str(copy / "deploy/local/src")])
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def hunted(hunt: Hunt, copy: Path) -> tuple[int, str]:
    """The suite's exit code, and all that it said."""
    where = "import chassis.sql, sla_monitor.rules as r; print(chassis.sql.__file__, r.__file__)"
    asked = subprocess.run(
        (sys.executable, "-c", where), cwd=copy, env=environment(copy), capture_output=True, text=True, check=True
    )
    assert asked.stdout.count(str(copy)) == 2, f"not the copy: {asked.stdout}"
    done = subprocess.run(
        (sys.executable, *hunt),
        cwd=copy,
        env=environment(copy),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HUNT_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout


def telling(said: str) -> str:
    """The line by which a suite says what it found."""
    lines = [line.strip() for line in said.splitlines()]
    found = [line for line in lines if line.startswith(("violation", "E  ", "FAILED"))]
    return (found or lines[-1:] or ["nothing"])[0][:160]


def main(guard: Annotated[list[str] | None, typer.Option(help="only guards with this word in them")] = None) -> None:
    """Takes out each guard in turn; exit code 1 when one is not missed, or when a suite is red without that."""
    chosen = [each for each in MUTANTS if not guard or any(word in each.guard for word in guard)]
    if not chosen:
        raise typer.BadParameter(f"there are: {', '.join(each.guard for each in MUTANTS)}")
    console = Console()
    table = Table("taken away", "exit code", "s", "what was found")
    tried: list[tuple[Mutant | None, Hunt]] = [(None, hunt) for hunt in dict.fromkeys(each.hunt for each in chosen)]
    wrong = _try_all([*tried, *((each, each.hunt) for each in chosen)], table, console)
    console.print(table)
    console.print("[red]Not as it should be.[/]" if wrong else "[green]Every guard that was taken away was missed.[/]")
    raise typer.Exit(1 if wrong else 0)


def _try_all(tries: Sequence[tuple[Mutant | None, Hunt]], table: Table, console: Console) -> bool:
    """Whether any went other than it should."""
    wrong = False
    for number, (mutant, hunt) in enumerate(tries, 1):
        name = mutant.guard if mutant else "nothing"
        console.print(f"{number}/{len(tries)} without {name}: {' '.join(hunt[1:])}", soft_wrap=True)
        began = time.monotonic()
        with scratch(mutant) as copy:
            code, said = hunted(hunt, copy)
        as_wished = code == (RED if mutant else GREEN)
        wrong |= not as_wished
        found = telling(said) if mutant or not as_wished else "all is well"
        table.add_row(name, f"{code}{'' if as_wished else ' !'}", f"{time.monotonic() - began:.0f}", found)
        if not as_wished:
            console.print(said[-4000:], markup=False, soft_wrap=True)
    return wrong


if __name__ == "__main__":
    typer.run(main)
