"""Nobody gets into the local database without a password, whatever was there before."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from stat import S_IMODE

import asyncpg
import pytest

from baton_local.passwords import Passwords
from baton_local.ports import HeldPorts
from baton_local.postgres import Postgres
from tests.infrastructure import connected

pytestmark = pytest.mark.usefixtures("made")

ROLES = ("postgres", "baton_reader", "scorer", "router", "sla_monitor")


@pytest.fixture
def made(data: Path) -> None:
    """The data folder, as `make run` has it before Postgres."""
    data.mkdir(mode=0o755)


@asynccontextmanager
async def running(data: Path, *, passwords: bool = True) -> AsyncIterator[Postgres]:
    """A server on the data, as `make run` has it, or without passwords as earlier versions had it."""
    known = Passwords(data / "passwords.json") if passwords else None
    with HeldPorts() as held:
        postgres = Postgres(data / "postgres", data / "log", held.take(), durable=False, passwords=known)
        await postgres.start()
        try:
            yield postgres
        finally:
            await postgres.stop(5)


async def is_closed(postgres: Postgres) -> None:
    """Each role gets in by its URL, and not without its password or with another one."""
    for role in ROLES:
        url = postgres.url(role)
        async with connected(url) as connection:
            assert await connection.fetchval("SELECT current_user") == role
        password = url.partition(f"{role}:")[2].partition("@")[0]
        for wrong in ("", ":wrong"):
            with pytest.raises(asyncpg.InvalidPasswordError):
                async with connected(url.replace(f":{password}", wrong)):
                    pass


async def test_each_role_needs_its_password_from_the_first_start_on(data: Path) -> None:
    async with running(data) as postgres:
        await is_closed(postgres)
        first = postgres.url("scorer").partition("@")[0]
    assert S_IMODE((data / "passwords.json").stat().st_mode) == 0o600
    async with running(data) as postgres:
        await is_closed(postgres)
        assert postgres.url("scorer").partition("@")[0] == first, "a password stays"


async def test_data_that_was_open_to_all_is_closed(data: Path) -> None:
    async with running(data, passwords=False) as postgres, connected(postgres.url("scorer")) as connection:
        await connection.execute("CREATE TABLE scorer.kept ()")
    async with running(data) as postgres:
        await is_closed(postgres)
        async with connected(postgres.url("scorer")) as connection:
            assert await connection.fetchval("SELECT count(*) FROM scorer.kept") == 0


async def test_lost_passwords_are_made_anew(data: Path) -> None:
    async with running(data):
        pass
    (data / "passwords.json").unlink()
    async with running(data) as postgres:
        await is_closed(postgres)
