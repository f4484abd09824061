"""An owner whose heartbeats no longer reach the group exits and restarts; one that owns nothing does not."""

import asyncio

import pytest

from baton_local.topics import PARTITIONS
from tests.chaos.link import Way
from tests.chaos.stage import Stage
from tests.processes import STUCK, Instance
from tests.until import until

pytestmark = pytest.mark.slow
LIMIT_SECONDS = 200
STALL_SECONDS = 5
"""Shorter than the session: until that is over nobody has lost a partition, and who has none need not fear."""


@pytest.mark.timeout(240)
async def test_a_stuck_client_is_noticed_and_an_idle_one_is_left_alone() -> None:
    stage = Stage()
    kept = stage.of("scorer")
    for instance in kept:
        instance.env["BATON_WORKER__STALL"] = f"PT{STALL_SECONDS}S"
    async with stage, asyncio.timeout(LIMIT_SECONDS):
        more = [stage.named(f"scorer/{number}") for number in range(3, 2 + PARTITIONS)]
        for instance in more:
            instance.env["BATON_WORKER__STALL"] = kept[0].env["BATON_WORKER__STALL"]
        lives = [asyncio.create_task(instance.run()) for instance in more]
        everybody = [*kept, *more]
        try:
            await until(lambda: owners(stage, everybody, PARTITIONS), "owners", LIMIT_SECONDS)
            [idle] = [instance for instance in everybody if not await owned(stage, instance)]
            stage.to_broker["scorer"].hold({Way.UP, Way.DOWN})
            owning = [instance for instance in everybody if instance is not idle]
            await until(lambda: all(STUCK in instance.exits for instance in owning), "the watchdogs", LIMIT_SECONDS)
            assert idle.exits == [], "it has nothing whose progress could be missed"
            stage.to_broker["scorer"].heal()
            await until(lambda: owners(stage, [*kept, idle], PARTITIONS), "new owners", LIMIT_SECONDS)
        finally:
            for instance in more:
                await instance.end()
            await asyncio.gather(*lives)
        stage.forget_logs()


async def owners(stage: Stage, instances: list[Instance], parts: int) -> bool:
    """Whether the instances work on so many partitions together, and all but one have some where there are enough."""
    found = [await owned(stage, instance) for instance in instances]
    return sum(found) == parts and (len(found) <= parts or found.count(0) == len(found) - parts)


async def owned(stage: Stage, instance: Instance) -> float:
    """How many partitions it works on, by its own metrics; none while it does not answer."""
    if not await stage.ready(instance.name):
        return 0
    return await stage.metric(instance.name, "baton_scorer_partition_working")
