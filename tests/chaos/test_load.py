"""The load and the verdict on a real relay: nothing is found wrong with a healthy one, and what is spoilt is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.evidence import System
from tests.chaos.load import Load
from tests.chaos.quiet import quiet
from tests.chaos.verdict import Findings, verdict
from tests.e2e.conftest import QUICK
from tests.infrastructure import Infrastructure, room
from tests.relay import Relay, relay

SECONDS = 25


@dataclass
class Ran:
    """A relay after its load, with everything on it judged."""

    relay: Relay
    system: System
    load: Load
    findings: Findings


@pytest.fixture(scope="module")
async def ran(servers: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ran]:
    """25 s of load, in the middle of which the scorer is killed."""
    folder: Path = tmp_path_factory.mktemp("chaos")
    async with room(servers) as where, relay(where, folder, QUICK) as running:
        load = Load(where.bootstrap_servers, where.prefix, running.port, seed=1)
        stop = asyncio.Event()
        sending = asyncio.create_task(load.run(stop))
        try:
            await asyncio.sleep(SECONDS / 2)
            await running.kill("scorer")
            await running.start("scorer")
            await asyncio.sleep(SECONDS / 2)
            stop.set()
            await sending
            await load.finish()
        finally:
            await load.close()
        system = System(where.bootstrap_servers, where.prefix, where.url, QUICK / "1.yaml")
        await quiet(system, 60)
        yield Ran(running, system, load, await verdict(system, load.book))


async def test_a_healthy_relay_has_nothing_wrong_with_it(ran: Ran) -> None:
    assert ran.findings.violations == []
