"""A room with the journal's schema in it."""

import pytest

from tests.infrastructure import Room
from tests.integration.chassis.driving import House


@pytest.fixture
async def house(own_room: Room) -> House:
    """Fresh topics, a fresh database, migrated."""
    made = House(own_room)
    await made.open()
    return made
