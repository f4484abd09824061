"""An operator at a room's tables; and a relay's work, come to rest, for the auditor."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.e2e.conftest import QUICK
from tests.infrastructure import Infrastructure, Room, room
from tests.integration.desk.auditing import Rest, busy, records_of
from tests.integration.desk.operator import Operator
from tests.relay import relay


@pytest.fixture
def operator(own_room: Room) -> Operator:
    """Types commands."""
    return Operator(own_room)


@pytest.fixture(scope="session")
async def rest(servers: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rest]:
    """The work of real services, which are stopped."""
    async with room(servers) as where:
        async with relay(where, tmp_path_factory.mktemp("audited"), QUICK) as running:
            await busy(running)
        yield Rest(servers, where, await records_of(running))
