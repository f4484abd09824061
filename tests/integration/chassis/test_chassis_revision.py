"""A version of the policy that comes into force judges every lead of a partition, once, wherever it was interrupted."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.partition.owner import SLICE
from chassis.policy import Policies, PolicyError
from tests.integration.chassis.counting import Counting
from tests.integration.chassis.driving import House
from tests.until import until

LEADS = 2 * SLICE + 1


@dataclass(frozen=True)
class Version:
    version: int
    effective_from: datetime
    policy: str = "any"
    digest: str = ""


def policies(*dates: datetime) -> Policies[Any]:
    return Policies(Path("any"), tuple(Version(number, date) for number, date in enumerate(dates, 1)))


def long_ago() -> datetime:
    return datetime.now(UTC) - timedelta(days=1)


async def with_leads(house: House) -> None:
    await house.query(
        "INSERT INTO lead (lead_id, part, version, state) "
        "SELECT 'lead-' || n, n % 2, 1, '[1, null, false, \"\", null]'"
        f" FROM generate_series(1, {2 * LEADS}) AS n"
    )


async def standing(house: House) -> list[tuple[int, str | None]]:
    return [tuple(row) for row in await house.query("SELECT policy, judged_until FROM partition WHERE part = 0")]


async def test_every_lead_is_looked_at_once_also_by_two_owners_one_after_the_other(house: House) -> None:
    service = Counting(policies=policies(long_ago()))
    await with_leads(house)
    async with house.claimed(service) as ownership:
        await ownership.tick(idle=True)
        assert len(service.looked) == SLICE
    async with house.claimed(service) as ownership:
        for _ in range(5):
            await ownership.tick(idle=True)
    assert len(service.looked) == LEADS
    assert await standing(house) == [(1, None)]


async def test_a_version_that_comes_into_force_meanwhile_begins_with_the_first_lead(house: House) -> None:
    service = Counting(policies=policies(long_ago()))
    await with_leads(house)
    async with house.claimed(service) as ownership:
        await ownership.tick(idle=True)
        service.policies.join(policies(service.policies.versions[0].effective_from, long_ago() + timedelta(hours=1)))
        for _ in range(5):
            await ownership.tick(idle=True)
    assert len(service.looked) == SLICE + LEADS
    assert await standing(house) == [(2, None)]


async def test_no_version_judges_before_its_date(house: House) -> None:
    service = Counting(policies=policies(datetime.now(UTC) + timedelta(hours=1)))
    await with_leads(house)
    async with house.claimed(service) as ownership:
        await ownership.tick(idle=True)
    assert service.looked == []


async def test_an_instance_without_the_version_that_has_judged_does_not_go_on(house: House) -> None:
    async with house.running(Counting(policies=policies(long_ago()))) as one:
        await until(lambda: one.ready() is None, "the version to be taken over")
        await until(lambda: _judged(house), "every partition to be judged")
    older = Counting()
    async with house.running(older) as other:
        await until(
            lambda: "version 1 of the policy has judged here, the newest is 0" in (other.ready() or ""), "what it lacks"
        )
        older.policies.join(policies(long_ago()))
        await until(lambda: other.ready() is None, "it to go on with the version")


async def _judged(house: House) -> bool:
    rows = await house.query("SELECT policy, judged_until FROM partition")
    return {tuple(row) for row in rows} == {(1, None)}


def test_a_version_that_judges_already_never_changes() -> None:
    first, second = long_ago(), long_ago() + timedelta(hours=1)
    known = policies(first)
    assert not known.join(policies(first))
    with pytest.raises(PolicyError, match="was changed or taken away"):
        known.join(Policies(Path("any"), (Version(1, second, digest="of other terms"),)))
    assert known.join(policies(first, second))
