"""The console script `baton-audit`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.process.settings import Database, Settings

if TYPE_CHECKING:
    from chassis.audit import Report
    from chassis.audit.auditor import Tell


class AuditSettings(Settings):
    """Settings of the auditor: its database role must be able to read every service's schema."""

    model_config = SettingsConfigDict(env_file=".baton/audit.env")

    database: Database = Field(Database.local("postgres"), description=Database.__doc__ or "")


main = typer.Typer(add_completion=False)


@main.command()
def run(as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False) -> None:
    """Compares topics, facts, leads, outboxes and dead letters of a live system, and says which invariants hold.

    Reads only, joins no consumer group, and disturbs nobody at work. Needs BATON_KAFKA__BOOTSTRAP_SERVERS,
    BATON_KAFKA__PREFIX and BATON_DATABASE__URL of a role that may read the schemas of all services (USAGE and SELECT;
    pg_read_all_data will do); `make run` tells it its own. Holds about 500 bytes for each fact and each output.

    Exits with 0 if nothing is broken, 1 if anything is, 2 if it cannot read.
    """
    import asyncpg

    from chassis.audit import audit
    from chassis.audit.topics import Unreachable

    settings = AuditSettings.read()
    kafka, url = settings.kafka, settings.database.url.get_secret_value()
    try:
        with _progress() as tell:
            report = asyncio.run(audit(kafka.bootstrap_servers, kafka.prefix, url, tell=tell))
    except Unreachable as error:
        _end(str(error), error)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
        _end(f"This is not the database of a migrated system: {error}.", error)
    except asyncpg.InsufficientPrivilegeError as error:
        _end(f"The role may not read all schemas: {error}. GRANT pg_read_all_data would do.", error)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
        _end(f"The database cannot be read: {type(error).__name__}.", error)
    print(json.dumps(report.as_json(), indent=2) if as_json else "\n".join(_lines(report)))
    raise typer.Exit(1 if report.broken else 0)


def _lines(report: Report) -> Iterator[str]:
    for each in report.invariants:
        yield f"{each.name:<4} {each.verdict:<14} {each.text}"
        yield from (f"       {example}" for example in each.examples)
        if (more := each.violations - len(each.examples)) > 0:
            yield f"       ... and {more} more"
    yield ""
    for name, figure in report.figures.items():
        yield f"{name}: " + ", ".join(f"{key} {value}" for key, value in sorted(figure.items()))
    broken = report.broken
    yield f"Broken: {', '.join(broken)}." if broken else "Nothing is broken."


@contextmanager
def _progress() -> Iterator[Tell]:
    """A bar on standard error, where a person looks at it."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("audit", total=None)

        def tell(what: str, done: int, size: int) -> None:
            bar.update(task, description=f"reading {what}", completed=done, total=size or None)

        yield tell


def _end(sentence: str, error: Exception) -> None:
    typer.echo(sentence, err=True)
    raise typer.Exit(2) from error


if __name__ == "__main__":
    main()
