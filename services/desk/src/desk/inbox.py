"""`baton inbox validate`: checks a file of inboxes before the inbox is started with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from desk.terminal import Json, end

inbox = typer.Typer(help="Inboxes: topics that platforms write to as they like.", no_args_is_help=True)


@inbox.callback()
def _verbs() -> None:
    """Inboxes: topics that platforms write to as they like."""


@inbox.command()
def validate(
    file: Annotated[Path, typer.Argument(help="The file of inboxes.", metavar="FILE")],
    mappings: Annotated[
        Path | None, typer.Option(help="Folder of the mappings; BATON_MAPPINGS without it.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Checks a file of inboxes and the mappings that it names, and prints how each topic is read.

    Exits with 0, with 2 for a file that is wrong, each problem with its file and line.

    Example: baton inbox validate deploy/inboxes.yaml
    """
    from chassis.documents import BadDocument
    from desk.settings import DeskSettings
    from ingest.formats import Formats
    from ingest.inbox.file import read_inboxes

    try:
        found = read_inboxes(file, Formats(mappings or DeskSettings.read().mappings))
    except BadDocument as error:
        if as_json:
            print(json.dumps({"valid": False, "problems": error.problems}, indent=2))
            raise typer.Exit(2) from error
        end(str(error), error, code=2)
    if as_json:
        told = [each.model_dump(mode="json", by_alias=True) for each in found.values()]
        print(json.dumps({"valid": True, "inboxes": told}, indent=2))
        return
    for each in found.values():
        sends = " and ".join(sorted(each.sends))
        print(f"{each.topic}: {each.format}, as inbox/{each.source}, {each.sentby}, may send {sends}")
    print(f"valid: {len(found)} {'inbox' if len(found) == 1 else 'inboxes'}")
