"""An owner whom the group cannot hear any more ends itself and starts again; one that owns nothing is left alone."""

from __future__ import annotations

import asyncio

import pytest

from baton_local.topics import PARTITIONS
from tests.chaos.link import Way
from tests.chaos.processes import STUCK, Instance
from tests.chaos.stage import Stage
from tests.until import until

pytestmark = pytest.mark.slow
LIMIT_SECONDS = 200
STALL_SECONDS = 5
"""Shorter than the session: until that is over nobody has lost a partition, and who has none need not fear."""


@pytest.mark.timeout(240)
async def test_a_stuck_client_is_noticed_and_an_idle_one_is_left_alone() -> None:
    stage = Stage()
    for instance in stage.of("scorer"):
        instance.env["BATON_WORKER__STALL"] = f"PT{STALL_SECONDS}S"
    async with stage, asyncio.timeout(LIMIT_SECONDS):
        env, count = stage.of("scorer")[0].env, PARTITIONS - 1
        more = [
            Instance(f"scorer-{number}", "scorer", env, stage.logs / f"scorer-{number}.log", stage.ports.take())
            for number in range(3, 3 + count)
        ]
        lives = [asyncio.create_task(instance.run()) for instance in more]
        everybody = [*stage.of("scorer"), *more]
        try:
            await until(lambda: owners(stage, everybody, PARTITIONS), "owners", LIMIT_SECONDS)
            [idle] = [instance for instance in everybody if not await owned(stage, instance)]
            stage.to_broker["scorer"].hold({Way.UP, Way.DOWN})
            owning = [instance for instance in everybody if instance is not idle]
            await until(lambda: all(STUCK in instance.exits for instance in owning), "the watchdogs", LIMIT_SECONDS)
            assert idle.exits == [], "it has nothing whose progress could be missed"
            stage.to_broker["scorer"].heal()
            await until(lambda: owners(stage, [*stage.of("scorer"), idle], PARTITIONS), "new owners", LIMIT_SECONDS)
        finally:
            for instance in more:
                await instance.end()
            await asyncio.gather(*lives)
        stage.forget_logs()


async def owners(stage: Stage, instances: list[Instance], parts: int) -> bool:
    """Whether the instances work on so many partitions together, and all but one have some where there are enough."""
    found = [await owned(stage, instance) for instance in instances]
    return sum(found) == parts and (len(found) <= parts or found.count(0) == len(found) - parts)


async def owned(stage: Stage, instance: Instance) -> int:
    """How many partitions it works on, by its own metrics; none while it does not answer."""
    if not await stage.ready(instance):
        return 0
    metrics = (await stage.http.get(f"{instance.ops_url}/metrics")).text
    return sum(
        line.endswith(" 1.0") for line in metrics.splitlines() if line.startswith("baton_scorer_partition_working{")
    )
