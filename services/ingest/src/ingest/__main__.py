"""The console script `ingest`: serve (when nothing is said), migrate, and what operators need."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

main = typer.Typer(help="Takes events over HTTP and answers success only after Kafka has acknowledged them.")


@main.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        serve()


@main.command()
def serve() -> None:
    """Runs the service until it is told to stop (SIGTERM)."""
    from functools import partial

    from chassis.process.run import run
    from ingest.app import serve as serve_until
    from ingest.keys import UnreadableKeys, WriteKeys
    from ingest.settings import IngestSettings

    settings = IngestSettings.read()
    try:
        keys = WriteKeys(settings.write_keys)
    except UnreadableKeys as error:
        print(f"The write keys cannot be read: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    run(partial(serve_until, settings, keys), settings.log, "ingest")


@main.command()
def migrate() -> None:
    """Does nothing: ingest keeps no tables."""
    print("ingest has no tables: there is nothing to migrate.")


@main.command("hash-key")
def hash_key(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object instead of a line for the file.")] = False,
) -> None:
    """Reads a write key from standard input and prints its hash, as the file of write keys wants it."""
    from ingest.keys import hash_key as hash_of

    key = sys.stdin.readline().strip()
    if not key:
        print("There is no key on standard input.", file=sys.stderr)
        raise typer.Exit(2)
    print(json.dumps({"sha256": hash_of(key)}) if as_json else f"sha256: {hash_of(key)}")


if __name__ == "__main__":
    main()
