"""Every crash point on real processes, with its visible effect."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.kafka.records import read_all
from tests.chaos.points import holders, moves
from tests.chaos.points.broker import Broker
from tests.chaos.points.ground import Ground
from tests.chaos.points.rows import ROWS, Row
from tests.e2e.conftest import QUICK
from tests.infrastructure import Infrastructure, room
from tests.relay import relay
from tests.topics import admin

for rows in (holders, moves):
    assert rows, "it adds its rows"
pytestmark = pytest.mark.slow


@contextlib.asynccontextmanager
async def new_ground(servers: Infrastructure, folder: Path) -> AsyncIterator[Ground]:
    """A relay of its own, on which no clock but the follow-up's runs out while rows are tried."""
    policy = folder / QUICK.name
    policy.mkdir()
    text = (QUICK / "1.yaml").read_text()
    (policy / "1.yaml").write_text(text.replace("target: 10m", "target: 10h").replace("target: 20m", "target: 20h"))
    read_all()  # some of what the cases write only the services' client can read
    async with (
        room(servers) as where,
        relay(where, folder, policy) as running,
        admin(where.bootstrap_servers) as client,
    ):
        yield Ground(running, Broker(where, client))


@pytest.fixture(scope="module")
async def shared_ground(servers: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """One relay for most rows; when they are through, everybody whom nobody called has one breach."""
    async with new_ground(servers, tmp_path_factory.mktemp("failpoints")) as ground:
        yield ground
        await ground.mend()
        await ground.uncalled_breach_once()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every row, as often as --rows-repeat says."""
    if "row" in metafunc.fixturenames:
        alone = "alone" in metafunc.function.__name__
        chosen = [row for row in ROWS if row.alone == alone] * metafunc.config.getoption("--rows-repeat", 1)
        metafunc.parametrize("row", [pytest.param(row, id=row.at) for row in chosen])


async def test_row(shared_ground: Ground, row: Row) -> None:
    await shared_ground.mend()
    await row.case(shared_ground)


async def test_row_alone(servers: Infrastructure, tmp_path: Path, row: Row) -> None:
    async with new_ground(servers, tmp_path) as ground:
        await row.case(ground)
