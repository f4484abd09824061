"""An operator's commands on a room's tables; and a relay's finished traffic for the auditor."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.conftest import QUICK
from tests.infrastructure import Infrastructure, Room, room
from tests.integration.desk.auditing import Rest, busy, records_of
from tests.integration.desk.operator import Operator
from tests.relay import POLICIES, Relay, relay


@pytest.fixture
async def terminal(own_room: Room, tmp_path: Path) -> AsyncIterator[Relay]:
    """Where commands are typed, with no service running."""
    made = Relay(own_room, tmp_path, POLICIES / "classic-50", [])
    yield made
    await made.stop()


@pytest.fixture
def operator(terminal: Relay) -> Operator:
    """Types commands about dead letters."""
    return Operator(terminal)


@pytest.fixture(scope="session")
async def rest(servers: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rest]:
    """The work of real services, which are stopped."""
    async with room(servers) as where:
        async with relay(where, tmp_path_factory.mktemp("audited"), QUICK) as running:
            await busy(running)
        yield Rest(servers, where, await records_of(running))
