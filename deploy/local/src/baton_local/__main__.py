"""`python -m baton_local run`: what `make run` calls."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from baton_local.errors import LocalError
from baton_local.options import DATA, WRITE_KEYS, Ports, Run

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """The whole relay on this machine: real Kafka, real Postgres, the services, demo traffic."""


@app.command()
def run(  # noqa: PLR0913, PLR0917 - each is an option of the command, given by name
    fresh: Annotated[bool, typer.Option("--fresh", help="start over: delete the data of earlier runs")] = False,
    no_demo: Annotated[bool, typer.Option("--no-demo", help="send no demo traffic")] = False,
    policy: Annotated[str, typer.Option(help="name of a folder in deploy/policies")] = "demo",
    data: Annotated[Path, typer.Option(help="folder of the data, kept from run to run")] = DATA,
    write_keys: Annotated[Path, typer.Option(help="file of the write keys; the demo's own by default")] = WRITE_KEYS,
    http_host: Annotated[str, typer.Option(help="address on which ingest listens")] = Ports.http_host,
    http_port: Annotated[int, typer.Option(help="port of ingest")] = Ports.http,
    kafka_port: Annotated[int, typer.Option(help="port of Kafka; its controller takes the next one")] = Ports.kafka,
    postgres_port: Annotated[int, typer.Option(help="port of Postgres")] = Ports.postgres,
    ops_port_base: Annotated[
        int,
        typer.Option(help="port of ingest's /readyz and /metrics; the others take the next ones"),
    ] = Ports.ops_base,
) -> None:
    """Start everything and watch it. Ctrl-C stops it and leaves nothing running; the data stays for the next run."""
    from baton_local.run import run_until_signal

    ports = Ports(http_host, http_port, kafka_port, postgres_port, ops_port_base)
    try:
        wanted = Run(data, ports, policy, not no_demo, fresh, write_keys)
        asyncio.run(run_until_signal(wanted, Console(highlight=False)))
    except LocalError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
