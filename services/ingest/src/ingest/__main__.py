"""The console script `ingest`: `serve` (the default), `inbox` and `migrate`."""

from __future__ import annotations

import sys

import typer

main = typer.Typer(
    help="Takes events over HTTP and answers success only after Kafka has acknowledged them.", add_completion=False
)


@main.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        serve()


@main.command()
def serve() -> None:
    """Runs the service until it is told to stop (SIGTERM)."""
    from functools import partial

    from chassis.documents import BadDocument
    from chassis.process.run import run
    from ingest.app import serve as serve_until
    from ingest.formats import Formats
    from ingest.keys import UnreadableKeys, WriteKeys
    from ingest.settings import IngestSettings, is_loopback
    from ingest.webhooks import Webhooks

    settings = IngestSettings.read()
    try:
        keys = WriteKeys(settings.write_keys)
    except UnreadableKeys as error:
        print(f"The write keys cannot be read: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    if keys.has_known_ones and not is_loopback(settings.http.host):
        print(
            f"{settings.write_keys} has keys of the demo, which everybody knows, and {settings.http.host} can be "
            "reached by others: name a file with keys of your own in BATON_WRITE_KEYS (`baton keys hash`), or listen "
            "on 127.0.0.1.",
            file=sys.stderr,
        )
        raise typer.Exit(2)
    try:
        webhooks = Webhooks(settings.webhooks, Formats(settings.mappings))
    except BadDocument as error:
        print(f"The webhooks cannot be read:\n{error}", file=sys.stderr)
        raise typer.Exit(2) from error
    if webhooks.has_known_ones and not is_loopback(settings.http.host):
        print(f"{settings.webhooks} has the secret of the demo, which everybody knows.", file=sys.stderr)
        raise typer.Exit(2)
    run(partial(serve_until, settings, keys, webhooks), settings.log, "ingest")


@main.command()
def inbox() -> None:
    """Reads the topics that platforms write to (BATON_INBOXES names the file), until it is told to stop (SIGTERM)."""
    from functools import partial

    from chassis.documents import BadDocument
    from chassis.process.run import run
    from ingest.formats import Formats
    from ingest.inbox.app import NAME, InboxSettings
    from ingest.inbox.app import serve as serve_until
    from ingest.inbox.file import read_inboxes

    settings = InboxSettings.read()
    formats = Formats(settings.mappings)
    try:
        inboxes = read_inboxes(settings.inboxes, formats)
    except BadDocument as error:
        print(f"The inboxes cannot be read:\n{error}", file=sys.stderr)
        raise typer.Exit(2) from error
    if not inboxes:
        print(f"{settings.inboxes} names no topic: there is nothing to read.", file=sys.stderr)
        raise typer.Exit(2)
    run(partial(serve_until, settings, inboxes, formats), settings.log, NAME)


@main.command()
def migrate() -> None:
    """Does nothing: ingest has no tables."""
    print("ingest has no tables: there is nothing to migrate.")


if __name__ == "__main__":
    main()
