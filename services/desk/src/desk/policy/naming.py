"""Policies named on the command line: by name, or by the path of a file or folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from desk.settings import DeskSettings

WHICH = "A policy's name, its file, or its folder"


def policy_named(text: str | Path) -> Path:
    """The file or folder; a name is a folder beside the policy in force. Ends the command with 2 for neither."""
    path = Path(text)
    if path.exists():
        return path
    beside, names = _known()
    if str(text) in names:
        return beside / text
    known = f"; the policies in {beside} are {', '.join(names)}" if names else ""
    raise typer.BadParameter(f"{text} does not exist{known}")


def draft_named(text: str | Path) -> Path:
    """As `policy_named`, one file: of a folder its newest version's."""
    path = policy_named(text)
    if path.is_file():
        return path
    versions = [each for each in path.glob("*.yaml") if each.stem.isdecimal()]
    if not versions:
        raise typer.BadParameter(f"{path} has no versions, which are named <version>.yaml")
    return max(versions, key=lambda each: int(each.stem))


def completed(incomplete: str) -> list[str]:
    """What the shell offers for a policy: the known names and the paths that begin so."""
    head, slash, _ = incomplete.rpartition("/")
    folder = Path(head + slash)
    paths = [f"{head}{slash}{each.name}{'/' * each.is_dir()}" for each in (folder.iterdir() if folder.is_dir() else ())]
    return [name for name in (*_known()[1], *sorted(paths)) if name.startswith(incomplete)]


def _known() -> tuple[Path, list[str]]:
    """The folder beside the policy in force, and the policies in it."""
    beside = DeskSettings.read().policies.parent
    return beside, sorted(each.name for each in beside.iterdir() if each.is_dir()) if beside.is_dir() else []


def policy_argument(
    metavar: str = "POLICY", more: str = "", parser: Callable[[str | Path], Path] = policy_named
) -> Any:
    """An argument that names a policy; `more` is what its help adds."""
    return typer.Argument(
        parser=parser, autocompletion=completed, show_default=False, metavar=metavar, help=f"{WHICH}{more}."
    )


PolicyArgument = Annotated[Path, policy_argument()]
DraftArgument = Annotated[Path, policy_argument("DRAFT", "; of a folder its newest version", draft_named)]
