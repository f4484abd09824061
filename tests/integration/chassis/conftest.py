"""A room with the journal's schema in it; and a relay's work, come to rest, for the auditor."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.e2e.conftest import QUICK
from tests.infrastructure import Infrastructure, Room, room
from tests.integration.chassis.driving import House
from tests.integration.desk.auditing import Rest, busy, records_of
from tests.relay import relay


@pytest.fixture
async def house(own_room: Room) -> House:
    """Fresh topics, a fresh database, migrated."""
    made = House(own_room)
    await made.open()
    return made


@pytest.fixture(scope="session")
async def rest(servers: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rest]:
    """The work of real services, which are stopped."""
    async with room(servers) as where:
        async with relay(where, tmp_path_factory.mktemp("audited"), QUICK) as running:
            await busy(running)
        yield Rest(servers, where, await records_of(running))
