"""`baton lead` and its parts: `explain` (the score), `show` (stage, gate, owner), `due` (the clocks of all leads)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from desk.settings import DeskSettings
from desk.terminal import INSTANTS, Json, LeadArgument, instant_named, reaching_relay, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from desk.lead.clocks import Row
    from desk.lead.explanation import Explanation


def lead(lead: LeadArgument, as_json: Json = False) -> None:
    """Shows a lead on one screen: who it is, score and what is missing, stage, gate, owner, clocks, what was dropped.

    Exits with 1 for a lead that no service knows. `explain`, `show` and `due` say more of each part.

    Example: baton lead ada@example.com
    """
    from desk.lead.look import Look
    from desk.lead.person import candidates
    from desk.lead.screen import Screen, lines
    from desk.tables import dumped, wrapped

    candidates(lead)
    with reaching_relay():
        screen = asyncio.run(Look.of(DeskSettings.read()).screen(lead))
    if not screen.known:
        typer.echo(
            f"No service knows a lead {lead}: no event of it has come. `baton rejected list` has refused ones.",
            err=True,
        )
        raise typer.Exit(1)
    print(dumped(screen, Screen) if as_json else wrapped(lines(screen)))


def explain(
    lead: LeadArgument,
    at: Annotated[
        str | None, typer.Option("--at", metavar="INSTANT", help=f"As of then instead of now: {INSTANTS}.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Explains a score line by line, computed again from its facts, and says what is missing to the next band.

    With --at: by the policy in force at that instant, on the facts up to it that are known today.

    Exits with 1 for an unknown lead and, without --at, when the stored score does not follow from the facts.

    Example: baton explain ada@example.com --at 2026-11-20T10:00Z
    """
    from chassis.policy import PolicyError
    from desk.lead.explanation import Explanation
    from desk.lead.look import Look
    from desk.lead.person import candidates
    from desk.tables import dumped

    candidates(lead)
    instant = None if at is None else instant_named(at, "--at")
    with reaching_relay():
        look = Look.of(DeskSettings.read())
        try:
            _ = instant and look.criteria(instant)
        except PolicyError as error:
            raise typer.BadParameter(str(error), param_hint="--at") from error
        view = asyncio.run(look.explained(lead, instant))
    if view is None:
        typer.echo(f"The scorer knows no lead {lead}: no event of it has come.", err=True)
        raise typer.Exit(1)
    if as_json:
        print(dumped(view, Explanation))
    else:
        _print(view)
    if view.stored_agrees is False:
        typer.echo("The stored score does not follow from these facts: this needs a person.", err=True)
        raise typer.Exit(1)


def show(lead: LeadArgument, as_json: Json = False) -> None:
    """Shows a lead's stages, its gate with the evidence, owner and targets. Exits with 1 for an unknown one.

    Example: baton show ada@example.com
    """
    from desk.lead.look import Look
    from desk.lead.person import candidates
    from desk.lead.standing import Overview, tell
    from desk.tables import dumped, wrapped

    candidates(lead)
    with reaching_relay():
        view = asyncio.run(Look.of(DeskSettings.read()).stands(lead))
    if view is None:
        typer.echo(f"The router knows no lead {lead}: neither a score nor a sales activity of it has come.", err=True)
        raise typer.Exit(1)
    print(dumped(view, Overview) if as_json else wrapped(tell(view)))


def due(
    as_json: Json = False,
    ended: Annotated[bool, typer.Option("--all", help="Also clocks that ended: met, breached, cancelled.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most clocks to list.")] = 50,
) -> None:
    """Lists the open clocks, the next due first, by the database's time.

    Example: baton due --all --limit 10
    """
    from desk.lead.look import Look

    with reaching_relay():
        overview = asyncio.run(Look.of(DeskSettings.read()).clocks(ended=ended, limit=limit))
    if as_json:
        clocks = [{**asdict(row), "due": stamp(row.due), "time_left": row.time_left} for row in overview.rows]
        print(json.dumps({"now": stamp(overview.now), "clocks": clocks, "more": overview.more}, indent=2))
    elif not overview.rows:
        print("No clock has been started yet." if ended else "No clock is running.")
    else:
        print(table(overview.rows))
        if overview.more:
            print(f"... and {overview.more} more; --limit says how many to list.")


def table(rows: Sequence[Row]) -> str:
    """A table of clocks; a lead without a name is shown by its id."""
    from desk.tables import columns

    headings = ("CLOCK", "LEAD", "OWNER", "DUE (UTC)", "TIME LEFT", "STATE")
    cells = (
        (row.clock, row.lead or row.lead_id, row.owner or "-", f"{row.due:%Y-%m-%d %H:%M:%S}", row.time_left, row.state)
        for row in rows
    )
    return columns(headings, cells)


def _print(view: Explanation) -> None:
    from desk.lead.explanation import rows, tell, tell_missing
    from desk.tables import columns, joined

    headings = ("rule", "points", "since", "event")
    print(joined(tell(view)))
    print(columns(headings, rows(view)))
    if below := tell_missing(view):
        print(joined(below))
