"""`baton keys hash`: a write key's hash, as ingest's file of write keys wants it."""

from __future__ import annotations

import json
import sys

import typer

from desk.terminal import Json

keys = typer.Typer(help="Write keys, by which senders are known to ingest.", no_args_is_help=True)


@keys.callback()
def _verbs() -> None:
    """Write keys, by which senders are known to ingest."""


@keys.command("hash")
def hash_(as_json: Json = False) -> None:
    """Reads a write key from standard input and prints its hash, as the file of write keys wants it.

    Example: openssl rand -hex 24 | tee key | baton keys hash
    """
    from ingest.keys import hash_key

    key = sys.stdin.readline().strip()
    if not key:
        print("There is no key on standard input.", file=sys.stderr)
        raise typer.Exit(2)
    print(json.dumps({"sha256": hash_key(key)}) if as_json else f"sha256: {hash_key(key)}")
