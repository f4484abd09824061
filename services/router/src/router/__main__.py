"""The console script `router`: serve (when nothing is said), migrate, and what operators ask."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from pydantic import TypeAdapter

from chassis.commands import lead_named, plainly, service_commands
from router.settings import Settings

NAME = "router"


def serve(resume: bool, set_aside: frozenset[tuple[int, int]]) -> None:
    """Runs the service under its policy."""
    from chassis.process.serve import serve as serve_until
    from router.app import build
    from router.metrics import OUTCOMES

    settings = Settings.read()
    serve_until(settings, build(settings), OUTCOMES, resume=resume, set_aside=set_aside)


main = service_commands(
    "Hands each qualified lead to an owner, exactly once, and keeps its stages.", NAME, Settings.read, serve
)


@main.command()
def show(
    lead: Annotated[str, typer.Argument(help="The lead's e-mail address or lead_id.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Shows where a lead stands: stages, gate with its evidence, owner, targets. Exits with 1 for an unknown one."""
    from datetime import UTC, datetime

    from router.app import build
    from router.rules.handoff import Moment
    from router.rules.overview import Overview, overview, tell

    lead_id = lead_named(lead)
    settings = Settings.read()
    with plainly():
        router = build(settings)
        moment = Moment(datetime.now(UTC), router.policies)
        state = asyncio.run(_read(settings, lead_id))
    if state is None:
        typer.echo(f"The router knows no lead {lead}: neither a score nor a sales activity of it has come.", err=True)
        raise typer.Exit(1)
    view = overview(router.load(lead_id, state), moment)
    print(TypeAdapter(Overview).dump_json(view, indent=2).decode() if as_json else tell(view))


async def _read(settings: Settings, lead_id: str) -> str | None:
    from chassis.reading import reading, state_of

    async with reading(settings.database, NAME) as connection:
        return await state_of(connection, lead_id)


if __name__ == "__main__":
    main()
