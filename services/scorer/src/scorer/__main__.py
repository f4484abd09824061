"""The console script `scorer`: serve (when nothing is said), migrate, and what operators ask."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import TypeAdapter

from chassis.commands import INSTANTS, bar, instant_named, lead_named, plainly, service_commands
from scorer.asking import erase, suppress
from scorer.policy_commands import policy
from scorer.settings import Settings

if TYPE_CHECKING:
    from datetime import datetime

    from scorer.rules.explanation import Explanation

NAME = "scorer"


def serve(resume: bool, set_aside: frozenset[tuple[int, int]]) -> None:
    """Runs the service under its policy."""
    from chassis.process.serve import serve as serve_until
    from scorer.app import build
    from scorer.metrics import outcomes_of

    settings = Settings.read()
    service = build(settings)
    serve_until(settings, service, outcomes_of(service.bands), resume=resume, set_aside=set_aside)


main = service_commands("Keeps every lead's score and explains each point.", NAME, Settings.read, serve)
main.add_typer(policy, name="policy")
main.command()(erase)
main.command()(suppress)


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
    """The explanation, None for an unknown lead; as of now it is held against what is stored at the same moment."""
    from chassis.policy import PolicyError
    from chassis.reading import facts_of, one_moment, state_of
    from scorer.app import build
    from scorer.rules.explanation import explain

    scorer = build(settings)
    try:
        criteria = None if instant is None else scorer.criteria(instant)
    except PolicyError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from error
    async with one_moment(settings.database, NAME) as (connection, moment):
        facts = await facts_of(connection, scorer.inputs["engagements"], lead_id)
        stored = await state_of(connection, lead_id)
    if not facts:
        return None
    if instant is not None and criteria is not None:
        return explain(lead_id, facts, criteria, instant)
    state = scorer.new(lead_id) if stored is None else scorer.load(lead_id, stored)
    return explain(lead_id, facts, scorer.criteria(moment), moment, state)


@main.command("backtest")
def backtest_(
    policy_file: Annotated[
        Path, typer.Argument(help="One YAML file: the candidate.", show_default=False, exists=True, dir_okay=False)
    ],
    since: Annotated[str | None, typer.Option("--from", help=f"Only facts from then on. {INSTANTS}")] = None,
    until: Annotated[str | None, typer.Option("--to", help=f"Only facts before then. {INSTANTS}")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, with the ids of all leads.")] = False,
    as_html: Annotated[bool, typer.Option("--html", help="One HTML page that needs nothing else.")] = False,
) -> None:
    """Scores all stored facts under another policy, beside the policy in force, and changes nothing.

    Tells leads by band, who would newly reach the gate's band and who no longer, and what each rule pays. What is read
    is of one moment; the same facts give the same bytes. A candidate that scores as the policy in force does is held
    against the stored scores too, if neither --from nor --to is given.

    Exits with 0, with 1 when a stored score is not what the facts come to or the database cannot be read, with 2 for a
    policy file that is wrong, with 130 after Ctrl-C.
    """
    if as_json and as_html:
        raise typer.BadParameter("give --json or --html, not both", param_hint="--html")
    start = None if since is None else instant_named(since, "--from")
    end = None if until is None else instant_named(until, "--to")
    if start and end and start >= end:
        raise typer.BadParameter("expected an instant after --from", param_hint="--to")
    _backtest(policy_file, start, end, as_json=as_json, as_html=as_html)


def _backtest(
    policy_file: Path, since: datetime | None, until: datetime | None, *, as_json: bool, as_html: bool
) -> None:
    from chassis.policy import PolicyError, load_version
    from chassis.process.run import tame_garbage_collector
    from schemas.policy import Policy
    from scorer import sheet
    from scorer.backtest import Asked, backtest

    settings = Settings.read()
    try:
        candidate = load_version(policy_file, Policy).version
    except PolicyError as error:
        typer.echo(f"The candidate is no policy:\n{error}", err=True)
        raise typer.Exit(2) from error
    asked = Asked(candidate, since, until, most=sys.maxsize if as_json else sheet.NAMED)
    tame_garbage_collector()  # facts come and go by the page: a third of the time went into looking at the rest
    with plainly(), bar("Facts") as tell:
        report = asyncio.run(backtest(settings, asked, tell))
    write = sheet.as_json if as_json else sheet.as_html if as_html else sheet.as_text
    print(write(report))
    if report.differing is not None and report.differing.count:
        typer.echo("Stored scores are not what the facts come to: they need to be looked into.", err=True)
        raise typer.Exit(1)


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
    if below := tell_missing(view):
        print("\n".join(below))


if __name__ == "__main__":
    main()
