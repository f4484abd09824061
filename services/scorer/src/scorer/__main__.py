"""The console script `scorer`: serve (when nothing is said), migrate, and what operators ask."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import TypeAdapter

from chassis.commands import lead_named, plainly, service_commands
from scorer.policy_commands import policy
from scorer.settings import Settings

if TYPE_CHECKING:
    from scorer.rules.explanation import Explanation

READ_AGAIN = 20
"""Attempts to read the facts of a lead while nothing new comes of it."""
NAME = "scorer"


def serve(resume: bool) -> None:
    """Runs the service under its policy."""
    from chassis.serve import serve as serve_until
    from scorer.app import build
    from scorer.metrics import outcomes_of

    settings = Settings.read()
    service = build(settings)
    serve_until(settings, service, outcomes_of(service.bands), resume=resume)


main = service_commands("Keeps every lead's score and explains each point.", NAME, Settings.read, serve)
main.add_typer(policy, name="policy")


@main.command()
def explain(
    lead: Annotated[str, typer.Argument(help="The lead's e-mail address or lead_id.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Explains a score line by line, recomputed from the facts.

    Exits with 1 for an unknown lead, and when the stored score is not what the facts come to.
    """
    from scorer.rules.explanation import Explanation

    lead_id = lead_named(lead)
    with plainly():
        view = asyncio.run(_explanation(Settings.read(), lead_id))
    if view is None:
        typer.echo(f"The scorer knows no lead {lead}: no event of it has come.", err=True)
        raise typer.Exit(1)
    if as_json:
        print(TypeAdapter(Explanation).dump_json(view, indent=2).decode())
    else:
        _print(view)
    if not view.stored_agrees:
        typer.echo("The stored score is not what these facts come to: it needs to be looked into.", err=True)
        raise typer.Exit(1)


async def _explanation(settings: Settings, lead_id: str) -> Explanation | None:
    """The explanation, None for an unknown lead.

    The state is read before and after the facts, lest a commit between the two be taken for a disagreement.
    """
    from datetime import UTC, datetime

    from chassis.reading import facts_of, reading, state_of
    from scorer.app import build
    from scorer.rules.explanation import explain

    scorer = build(settings)
    now = datetime.now(UTC)
    criteria = scorer.criteria(now)
    decoder = scorer.inputs["engagements"]
    async with reading(settings.database, NAME) as connection:
        stored = await state_of(connection, lead_id)
        for _ in range(READ_AGAIN):
            facts, before = await facts_of(connection, decoder, lead_id), stored
            stored = await state_of(connection, lead_id)
            if stored == before:
                break
    if not facts:
        return None
    state = scorer.new(lead_id) if stored is None else scorer.load(lead_id, stored)
    return explain(lead_id, facts, state, criteria, now)


def _print(view: Explanation) -> None:
    from chassis.tables import columns
    from scorer.rules.explanation import rows, tell

    headings = ("rule", "points", "since", "event")
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*headings)
        table.columns[1].justify = "right"
        for row in rows(view):
            table.add_row(*(Text(cell) for cell in row))
        print("\n".join(tell(view)))
        Console().print(table)
        return
    print("\n".join(tell(view)))
    print(columns(headings, rows(view)))


if __name__ == "__main__":
    main()
