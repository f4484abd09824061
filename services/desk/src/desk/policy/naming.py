"""Policies as they are typed: by name, or by the path of a file or folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from desk.settings import DeskSettings

WHICH = "A policy's name, its file, or its folder"


def policy_named(text: str | Path) -> Path:
    """The file or folder; a name is a folder beside the policy in force. Ends the command with 2 for neither."""
    path = Path(text)
    if path.exists():
        return path
    beside = DeskSettings.read().policies.parent
    if (beside / text).is_dir() and path.name == str(text):
        return beside / text
    names = sorted(each.name for each in beside.iterdir() if each.is_dir()) if beside.is_dir() else []
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


PolicyArgument = Annotated[
    Path, typer.Argument(parser=policy_named, show_default=False, metavar="POLICY", help=f"{WHICH}.")
]
DraftArgument = Annotated[
    Path,
    typer.Argument(
        parser=draft_named, show_default=False, metavar="DRAFT", help=f"{WHICH}; of a folder its newest version."
    ),
]
