"""The console script `scorer`: serve (when nothing is said), migrate, and what operators ask."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import TypeAdapter

from chassis.commands import INSTANTS, instant_named, lead_named, plainly, service_commands
from scorer.policy_commands import policy
from scorer.settings import Settings

if TYPE_CHECKING:
    from datetime import datetime

    from scorer.app import Scorer
    from scorer.rules import Criteria
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
    at: Annotated[
        str | None, typer.Option("--at", metavar="INSTANT", help=f"As of then instead of now: {INSTANTS}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Explains a score line by line, recomputed from the facts, and tells what is missing to the next band.

    With --at it is judged by the policy in force at that instant, on the facts up to it that are known today.

    Exits with 1 for an unknown lead and, without --at, when the stored score is not what the facts come to.
    """
    from scorer.rules.explanation import Explanation

    lead_id = lead_named(lead)
    instant = None if at is None else instant_named(at, "--at")
    with plainly():
        view = asyncio.run(_explanation(Settings.read(), lead_id, instant))
    if view is None:
        typer.echo(f"The scorer knows no lead {lead}: no event of it has come.", err=True)
        raise typer.Exit(1)
    if as_json:
        print(TypeAdapter(Explanation).dump_json(view, indent=2).decode())
    else:
        _print(view)
    if view.stored_agrees is False:
        typer.echo("The stored score is not what these facts come to: it needs to be looked into.", err=True)
        raise typer.Exit(1)


async def _explanation(settings: Settings, lead_id: str, instant: datetime | None) -> Explanation | None:
    """The explanation, None for an unknown lead; as of now it is held against what is stored.

    The state is read before and after the facts, lest a commit between the two be taken for a disagreement.
    """
    from datetime import UTC, datetime

    from chassis.reading import facts_of, reading, state_of
    from scorer.app import build
    from scorer.rules.explanation import explain

    scorer = build(settings)
    criteria = _criteria(scorer, instant)
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
    if instant is not None:
        return explain(lead_id, facts, criteria, instant)
    state = scorer.new(lead_id) if stored is None else scorer.load(lead_id, stored)
    return explain(lead_id, facts, criteria, datetime.now(UTC), state)


def _criteria(scorer: Scorer, instant: datetime | None) -> Criteria:
    """What is judged by at the instant, None: now. Ends the command with 2 when the operator named too early a one."""
    from datetime import UTC, datetime

    from chassis.policy import PolicyError

    if instant is None:
        return scorer.criteria(datetime.now(UTC))
    try:
        return scorer.criteria(instant)
    except PolicyError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from error


def _print(view: Explanation) -> None:
    from chassis.tables import columns
    from scorer.rules.explanation import rows, tell, tell_missing

    headings = ("rule", "points", "since", "event")
    print("\n".join(tell(view)))
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*headings)
        table.columns[1].justify = "right"
        for row in rows(view):
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
    else:
        print(columns(headings, rows(view)))
    print("\n".join(tell_missing(view)))


if __name__ == "__main__":
    main()
