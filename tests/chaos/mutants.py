"""`make chaos-mutants`: removes each guard in a scratch copy of the project; a suite must fail."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.chaos.guards import MUTANTS, Hunt, Mutant
from tests.relay import ROOT

GREEN, RED = 0, 1
FOUND = re.compile(r'violation I\d+, |E  |\{"seeds": .*"broken": \{"')
"""How a line begins that tells of a broken invariant (a chaos run, the simulation) or of a red test (pytest)."""
HUNT_SECONDS = 600


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
    path = os.pathsep.join([str(copy), *sources, str(copy / "schemas/src"), str(copy / "deploy/local/src")])
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def hunted(hunt: Hunt, copy: Path) -> tuple[int, str]:
    """The suite's exit code, and all that it said."""
    where = "import chassis as c, schemas as s, sla_monitor as r; print(c.__file__, s.__file__, r.__file__)"
    asked = subprocess.run(
        (sys.executable, "-c", where), cwd=copy, env=environment(copy), capture_output=True, text=True, check=True
    )
    assert asked.stdout.count(str(copy)) == 3, f"not the copy: {asked.stdout}"
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


def found(said: str) -> str:
    """The first line by which a suite says what it found; empty when it found nothing, as one that merely crashed."""
    return next((line[:160] for line in said.splitlines() if FOUND.match(line)), "")


def main(guard: Annotated[list[str] | None, typer.Option(help="only guards with this word in them")] = None) -> None:
    """Takes out each guard in turn; exit code 1 when one is not missed, or when a suite is red without that."""
    chosen = [each for each in MUTANTS if not guard or any(word in each.guard for word in guard)]
    if not chosen:
        raise typer.BadParameter(f"there are: {', '.join(each.guard for each in MUTANTS)}")
    console = Console()
    table = Table("taken away", "exit code", "s", "what was found")
    pairs: list[tuple[Mutant | None, Hunt]] = [(each, hunt) for each in chosen for hunt in each.hunts]
    wrong = _try_all([*((None, hunt) for hunt in dict.fromkeys(hunt for _, hunt in pairs)), *pairs], table, console)
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
        what = found(said)
        as_wished = (code, bool(what)) == ((RED, True) if mutant else (GREEN, False))
        wrong |= not as_wished
        table.add_row(
            name, f"{code}{'' if as_wished else ' !'}", f"{time.monotonic() - began:.0f}", what or "all is well"
        )
        if not as_wished:
            console.print(said[-4000:], markup=False, soft_wrap=True)
    return wrong


if __name__ == "__main__":
    typer.run(main)
