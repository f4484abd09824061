"""The console script `scorer`: serve (when nothing is said), migrate, and what operators ask."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import TypeAdapter

from schemas.envelope import LeadId
from schemas.identity import lead_id_of
from scorer.settings import Settings

if TYPE_CHECKING:
    from scorer.app import Scorer
    from scorer.rules.explanation import Explanation

READ_AGAIN = 20
"""Attempts to read the facts of a lead while nothing new comes of it."""
main = typer.Typer(help="Keeps every lead's score and explains each point.")


@main.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        serve()


@main.command()
def serve() -> None:
    """Runs the service until it is told to stop (SIGTERM)."""
    from chassis import run
    from scorer.metrics import outcomes_of

    settings = Settings.read()
    service = _service(settings)
    run.serve(settings, service, outcomes_of(service.bands))


@main.command()
def migrate() -> None:
    """Brings the service's tables to the form that this version needs."""
    from chassis import run
    from scorer.app import Scorer

    version = asyncio.run(run.migrate(Settings.read(), Scorer.name))
    print(f"{Scorer.name}: the tables are at version {version}")


@main.command()
def explain(
    lead: Annotated[str, typer.Argument(help="The lead's e-mail address or lead_id.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Explains a score line by line, recomputed from the facts.

    Exits with 1 for an unknown lead, and when the stored score is not what the facts come to.
    """
    from chassis.failures import Transient
    from scorer.rules.explanation import Explanation

    lead_id = _lead_id(lead)
    try:
        view = asyncio.run(_explanation(Settings.read(), lead_id))
    except Transient as error:
        typer.echo(f"The lead cannot be read now: {error}", err=True)
        raise typer.Exit(1) from error
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
    from scorer.rules.explanation import explain

    scorer = _service(settings)
    decoder = scorer.inputs["engagements"]
    async with reading(settings.database, scorer.name) as connection:
        stored = await state_of(connection, lead_id)
        for _ in range(READ_AGAIN):
            facts, before = await facts_of(connection, decoder, lead_id), stored
            stored = await state_of(connection, lead_id)
            if stored == before:
                break
    if not facts:
        return None
    state = scorer.new(lead_id) if stored is None else scorer.load(lead_id, stored)
    return explain(lead_id, facts, state, scorer.criteria(datetime.now(UTC)))


def _service(settings: Settings) -> Scorer:
    """The service, under a policy that is in force. Ends the command with 1 where there is none, and says why."""
    from datetime import UTC, datetime

    from chassis.policy import PolicyError
    from scorer.app import build

    try:
        scorer = build(settings)
        scorer.criteria(datetime.now(UTC))
    except PolicyError as error:
        typer.echo(f"The policy cannot be used:\n{error}", err=True)
        raise typer.Exit(1) from error
    return scorer


def _print(view: Explanation) -> None:
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
    cells = [headings, *rows(view)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(headings))]
    print("\n".join(tell(view)))
    print("\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells))


def _lead_id(lead: str) -> str:
    """The id of the lead that the operator named. Ends the command with 2 when it is neither id nor e-mail address."""
    try:
        return lead_id_of(email=lead) if "@" in lead else TypeAdapter[str](LeadId).validate_python(lead.strip().lower())
    except ValueError as error:
        raise typer.BadParameter("expected an e-mail address or a lead_id", param_hint="lead") from error


if __name__ == "__main__":
    main()
