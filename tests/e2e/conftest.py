"""One relay for the stories, under a policy whose clocks run for seconds."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.infrastructure import Infrastructure, room
from tests.relay import ROOT, Relay, relay

QUICK = ROOT / "tests/fixtures/policies/quick"
CLASSIC = ROOT / "deploy/policies/classic-50"


@pytest.fixture(scope="session")
async def shared_relay(servers: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Relay]:
    """Four services that tests share, each with people of its own."""
    folder: Path = tmp_path_factory.mktemp("relay")
    async with room(servers) as where, relay(where, folder, QUICK) as running:
        yield running
