"""Fixtures with real servers: one pair for the session, a room for each test that asks for one."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

from tests.infrastructure import Infrastructure, Room, infrastructure, room, source

# No deadline, since the machine is shared; the same examples in every run, so that a failure can be repeated.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci")


def pytest_report_header(config: pytest.Config) -> str:
    """Prints which servers the tests use and which tests are left out, so that a change is noticed."""
    chosen = f"; only tests that are {config.option.markexpr!r}" if config.option.markexpr else ""
    return f"stack: {source()}{chosen}"


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[Infrastructure]:
    """Real Kafka and real Postgres."""
    async with infrastructure() as running:
        yield running


@pytest.fixture
async def own_room(servers: Infrastructure) -> AsyncIterator[Room]:
    """Fresh topics and a fresh database."""
    async with room(servers) as made:
        yield made


@pytest.fixture(scope="session")
def kafka_bootstrap(servers: Infrastructure) -> str:
    """Where the broker is."""
    return servers.bootstrap_servers
