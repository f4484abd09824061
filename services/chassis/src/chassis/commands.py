"""The console script of a service with partition workers: `serve` (the default) and `migrate`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from chassis.process.settings import JudgeSettings

UNDEFINED = ("3F000", "42P01")
"""SQLSTATE of a missing schema and of a missing table."""


def service_commands(
    about: str, name: str, read: Callable[[], JudgeSettings], serve: Callable[[bool, frozenset[tuple[int, int]]], None]
) -> typer.Typer:
    """The console script; `read` gives its settings, `serve` runs it."""
    main = typer.Typer(help=about, add_completion=False)

    @main.callback(invoke_without_command=True)
    def default(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            serve_plainly()

    @main.command("serve")
    def serve_plainly(
        resume: Annotated[
            bool, typer.Option("--resume", help="Go on where too many failures of the rules had stopped a partition.")
        ] = False,
        set_aside: Annotated[
            list[str] | None,
            typer.Option("--set-aside", metavar="PARTITION/SEQ", help="Outbox row to set aside; may be given again."),
        ] = None,
    ) -> None:
        """Runs the service until it is told to stop (SIGTERM).

        With --resume every record that is on the topics now and fails is set aside, however many they are; the limit
        holds for later ones. With --set-aside an output that its topic refuses goes to events-rejected, and its
        partition continues; a row that the topic accepts is published as usual. /readyz and the log name both.
        """
        rows = frozenset(_row_named(text) for text in set_aside or ())
        with plainly():
            serve(resume, rows)

    @main.command()
    def migrate() -> None:
        """Brings the service's tables to the version that this service needs."""
        from chassis.postgres import migrations

        with plainly():
            version = asyncio.run(migrations.migrate(read().database, name))
        typer.echo(f"{name}: the tables are at version {version}")

    return main


def _row_named(text: str) -> tuple[int, int]:
    part, _, seq = text.partition("/")
    if not (part.isdecimal() and seq.isdecimal()):
        raise typer.BadParameter("expected <partition>/<seq>, as /readyz names it", param_hint="--set-aside")
    return int(part), int(seq)


@contextmanager
def plainly() -> Iterator[None]:
    """Ends the command with 1 and a sentence for what an operator can mend: policy, database, missing tables.

    Any other error ends it with 1 and the place that raised it, without messages, which may quote data of leads.
    """
    from sqlalchemy.exc import DBAPIError

    from chassis.policy import PolicyError
    from chassis.postgres.database import is_transient, sqlstate_of
    from chassis.process.failures import Transient
    from chassis.process.logs import said, traced

    try:
        yield
    except PolicyError as error:
        _end(f"The policy cannot be used:\n{error}", error)
    except Transient as error:
        _end(f"The database cannot be read now: {error}", error)
    except DBAPIError as error:
        if is_transient(error):
            _end(f"The database cannot be read now: {sqlstate_of(error) or type(error).__name__}", error)
        if sqlstate_of(error) not in UNDEFINED:
            _end(f"The database refuses: {said(error)}", error)
        _end("The service's tables are not there yet: run its `migrate` first.", error)
    except (typer.Exit, typer.Abort, TyperException):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        _end(traced(error), error)


def _end(sentence: str, error: Exception) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1) from error
