"""A room with the scorer's tables, and an operator in it."""

from __future__ import annotations

import pytest

from tests.infrastructure import Room
from tests.integration.chassis.driving import House
from tests.integration.desk.operator import Operator


@pytest.fixture
async def house(own_room: Room) -> House:
    """Fresh topics, a fresh database, migrated."""
    made = House(own_room)
    await made.open()
    return made


@pytest.fixture
def operator(own_room: Room) -> Operator:
    """Types commands."""
    return Operator(own_room)
