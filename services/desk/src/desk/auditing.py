"""`baton audit`: compares topics and tables of a live relay."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from desk.settings import HOW, DeskSettings
from desk.terminal import Json, end

if TYPE_CHECKING:
    from chassis.process.settings import Database, Kafka
    from desk.audit import Report
    from desk.audit.auditor import Acknowledged, Tell


async def audited(
    kafka: Kafka, database: Database, acknowledged: Iterable[Acknowledged] | None = None, tell: Tell = lambda *_: None
) -> Report:
    """As `desk.audit.audit`, which shares no code with the services, but also reads batches that only theirs can
    read.
    """
    from chassis.kafka.records import read_all
    from desk.audit import audit

    read_all()
    there = {"url": database.url.get_secret_value(), "ssl": database.ssl()}
    return await audit(kafka.client(), kafka.prefix, there, acknowledged, tell)


def audit(as_json: Json = False) -> None:
    """Compares topics, facts, leads, outboxes and dead letters of a live system, and says which invariants hold.

    Reads only, joins no consumer group, and disturbs nobody at work. Needs BATON_KAFKA__BOOTSTRAP_SERVERS,
    BATON_KAFKA__PREFIX and BATON_DATABASE__URL of a role that may read the schemas of all services (USAGE and SELECT;
    deploy/README.md has it); `make run` tells it its own. Holds about 500 bytes for each fact and each output.

    Exits with 0 if nothing is broken, 1 if anything is, 2 if it cannot read.

    Example: baton audit --json
    """
    import asyncpg

    from desk.audit.topics import Unreachable
    from desk.tables import joined

    settings = DeskSettings.read()
    try:
        with _progress() as tell:
            report = asyncio.run(audited(settings.kafka, settings.database, tell=tell))
    except Unreachable as error:
        end(f"{error}. {HOW}", error, 2)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
        end(f"This is not the database of a migrated system: {error}.", error, 2)
    except asyncpg.InsufficientPrivilegeError as error:
        end(f"The role may not read all schemas: {error}. See baton_reader in deploy/README.md.", error, 2)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
        end(f"The database cannot be read: {type(error).__name__}. {HOW}", error, 2)
    print(json.dumps(report.as_json(), indent=2) if as_json else joined(_lines(report)))
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
    """A progress bar on standard error, where that is a terminal."""
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
