"""The console script `router`: serve (when nothing is said), migrate, and what operators ask."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from pydantic import TypeAdapter

from router.settings import Settings
from schemas.envelope import LeadId
from schemas.identity import lead_id_of

main = typer.Typer(
    help="Hands each qualified lead to an owner, exactly once, and keeps its stages.", add_completion=False
)


@main.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        serve()


@main.command()
def serve() -> None:
    """Runs the service until it is told to stop (SIGTERM)."""
    from chassis import run
    from router.app import build
    from router.metrics import OUTCOMES

    settings = Settings.read()
    run.serve(settings, build(settings), OUTCOMES)


@main.command()
def migrate() -> None:
    """Brings the service's tables to the form that this version needs."""
    from chassis import run
    from router.app import Router

    version = asyncio.run(run.migrate(Settings.read(), Router.name))
    print(f"{Router.name}: the tables are at version {version}")


@main.command()
def show(
    lead: Annotated[str, typer.Argument(help="The lead's e-mail address or lead_id.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Shows where a lead stands: stages, gate with its evidence, owner, due times. Exits with 1 for an unknown one."""
    from datetime import UTC, datetime

    from chassis.failures import Transient
    from router.app import build
    from router.rules.overview import Overview, overview, tell

    lead_id = _lead_id(lead)
    settings = Settings.read()
    router = build(settings)
    try:
        state = asyncio.run(_read(settings, lead_id))
    except Transient as error:
        typer.echo(f"The lead cannot be read now: {error}", err=True)
        raise typer.Exit(1) from error
    if state is None:
        typer.echo(f"The router knows no lead {lead}: neither a score nor a sales activity of it has come.", err=True)
        raise typer.Exit(1)
    view = overview(router.load(lead_id, state), router.policies.at(datetime.now(UTC)))
    print(TypeAdapter(Overview).dump_json(view, indent=2).decode() if as_json else tell(view))


async def _read(settings: Settings, lead_id: str) -> str | None:
    from chassis.reading import reading, state_of
    from router.app import Router

    async with reading(settings.database, Router.name) as connection:
        return await state_of(connection, lead_id)


def _lead_id(lead: str) -> str:
    """The id of the lead that the operator named. Ends the command with 2 when it is neither id nor e-mail address."""
    try:
        return lead_id_of(email=lead) if "@" in lead else TypeAdapter[str](LeadId).validate_python(lead.strip().lower())
    except ValueError as error:
        raise typer.BadParameter("expected an e-mail address or a lead_id", param_hint="lead") from error


if __name__ == "__main__":
    main()
