"""Shared parts of all commands: leads and instants as arguments, questions, progress, and errors as sentences."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from desk.settings import HOW

if TYPE_CHECKING:
    from chassis.process.settings import Kafka

INSTANTS = "2026-11-20T10:00Z, 2026-11-20T11:00+01:00, or 2026-11-20 for midnight in UTC"

LeadArgument = Annotated[
    str, typer.Argument(help="The lead's e-mail address, user id, anonymous id or lead_id.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def instant_named(text: str, option: str) -> datetime:
    """The instant in UTC. Ends the command with 2 when it is none or has no time zone."""
    with suppress(ValueError):
        instant = datetime.fromisoformat(f"{text}T00:00Z" if len(text) == len("2026-11-20") else text.upper())
        if instant.tzinfo is not None and MINYEAR < instant.year < MAXYEAR:
            return instant.astimezone(UTC)
    raise typer.BadParameter(f"expected an instant with its time zone, as {INSTANTS}", param_hint=option)


def stamp(instant: datetime) -> str:
    """For programs: in UTC, as pydantic writes instants in the other answers."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def confirm(question: str, *, yes: bool) -> None:
    """Continues if the operator agrees, or has said `--yes`; else ends the command with 1, as where nobody can be
    asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        typer.echo(f"{question} There is no terminal to ask at: use --yes. Nothing was changed.", err=True)
        raise typer.Exit(1)
    if not typer.confirm(question):
        typer.echo("Nothing was changed.", err=True)
        raise typer.Exit(1)


def say_relay(kafka: Kafka) -> None:
    """Says on standard error which relay a command is about to change."""
    from desk.tables import plain

    prefix = f", prefix {kafka.prefix}" if kafka.prefix else ""
    typer.echo(plain(f"Relay: broker {kafka.bootstrap_servers}{prefix}"), err=True)


def wrap_help(app: typer.Typer) -> None:
    """Lets every paragraph of the commands' help be wrapped to the terminal: typer wraps the first one only, and keeps
    the source's line breaks in the others.
    """
    for command in app.registered_commands:
        paragraphs = inspect.cleandoc((command.callback and command.callback.__doc__) or "").split("\n\n")
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            wrap_help(group.typer_instance)


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, where that is a terminal; the block calls it with what is done and the
    total.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def reaching_relay() -> Iterator[None]:
    """Ends the command with 1 and a sentence for what an operator can mend; says how to reach a relay where it
    finds none.
    """
    from chassis import commands
    from chassis.policy import PolicyError
    from chassis.process.failures import BrokerAway, Transient

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the command says it in a sentence
    with commands.plainly():
        try:
            yield
        except PolicyError as error:
            end(f"The policy cannot be used:\n{error}", error)
        except BrokerAway as error:
            end(f"Kafka does not answer now ({error}). {HOW}", error)
        except Transient as error:
            end(f"The database cannot be read now: {error}. {HOW}", error)


def end(sentence: str, error: Exception, code: int = 1) -> NoReturn:
    """Ends the command with the sentence on standard error."""
    from desk.tables import joined

    typer.echo(joined(sentence.split("\n")), err=True)
    raise typer.Exit(code) from error
