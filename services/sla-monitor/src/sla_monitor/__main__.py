"""The console script `sla-monitor`: serve (when nothing is said), migrate, and what operators ask."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from chassis.commands import plainly, service_commands
from sla_monitor.rules.overview import Overview, Row
from sla_monitor.settings import Settings

NAME = "sla-monitor"


def serve(resume: bool, set_aside: frozenset[tuple[int, int]]) -> None:
    """Runs the service under its policy."""
    from chassis.process.serve import serve as serve_until
    from sla_monitor.app import build
    from sla_monitor.metrics import outcomes_of

    settings = Settings.read()
    service = build(settings)
    serve_until(settings, service, outcomes_of(service.clocks), resume=resume, set_aside=set_aside)


main = service_commands("Times the promised follow-ups and publishes each breach.", NAME, Settings.read, serve)


@main.command()
def due(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    ended: Annotated[bool, typer.Option("--all", help="Also clocks that ended: met, breached, cancelled.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most clocks to list.")] = 50,
) -> None:
    """Lists the open clocks, the next due first, by the database's time."""
    with plainly():
        overview = asyncio.run(_overview(Settings.read(), ended, limit))
    if as_json:
        clocks = [{**asdict(row), "due": row.due.isoformat(), "time_left": row.time_left} for row in overview.rows]
        print(json.dumps({"now": overview.now.isoformat(), "clocks": clocks, "more": overview.more}, indent=2))
    elif not overview.rows:
        print("No clock has been started yet." if ended else "No clock is running.")
    else:
        print(table(overview.rows))
        if overview.more:
            print(f"... and {overview.more} more; --limit says how many to list.")


async def _overview(settings: Settings, ended: bool, limit: int) -> Overview:
    from chassis.reading import reading
    from sla_monitor import store

    async with reading(settings.database, NAME) as connection:
        overview = Overview(await store.now(connection), limit, ended)
        async for leads in store.leads(connection, ended):
            overview.add(leads)
    return overview


def table(rows: tuple[Row, ...]) -> str:
    """The rows under a heading, in columns; a lead without a name is told by its id."""
    from chassis.tables import columns

    headings = ("CLOCK", "LEAD", "OWNER", "DUE (UTC)", "TIME LEFT", "STATE")
    cells = (
        (row.clock, row.lead or row.lead_id, row.owner or "-", f"{row.due:%Y-%m-%d %H:%M:%S}", row.time_left, row.state)
        for row in rows
    )
    return columns(headings, cells)


if __name__ == "__main__":
    main()
