"""A version's number stands for one content for good: another one is refused before it judges."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from chassis.policy import Policies, load_policies
from chassis.postgres import agreed
from chassis.process.failures import OtherTerms
from schemas.policy import Policy
from tests.integration.chassis.driving import House

SHIPPED = Path(__file__).parents[3] / "deploy" / "policies"


@pytest.fixture
def live(tmp_path: Path) -> Policies[Policy]:
    return load_policies(copytree(SHIPPED / "classic-50", tmp_path / "classic-50"), Policy)


def edited(live: Policies[Policy], old: str, new: str, version: int = 1) -> Policies[Policy]:
    """Version 1 of the folder with other words, in place or as a version of its own."""
    text = (live.folder / "1.yaml").read_text().replace(old, new)
    assert new in text
    if version > 1:
        text = text.replace("version: 1", f"version: {version}").replace("2026-01-01", f"2026-01-0{version}")
    (live.folder / f"{version}.yaml").write_text(text)
    return load_policies(live.folder, Policy)


async def known(house: House) -> Sequence[Any]:
    return [tuple(row) for row in await house.query("SELECT name, version, digest FROM policy ORDER BY name, version")]


async def test_terms_edited_in_place_are_refused_with_what_to_do(house: House, live: Policies[Policy]) -> None:
    for _ in range(2):
        await agreed.agree(house.engine, live)
    other = edited(live, "target: 1h", "target: 2h")
    edited(live, "points: 15", "points: 16", version=2)
    with pytest.raises(OtherTerms) as refused:
        await agreed.agree(house.engine, load_policies(other.folder, Policy))
    said = str(refused.value)
    assert said.startswith(f"{live.folder / '1.yaml'}: version 1 of classic-50 has judged with other terms")
    assert "`baton policy apply`" in said
    assert await known(house) == [("classic-50", 1, live.versions[0].digest)]


async def test_words_for_people_may_be_edited_and_versions_added(house: House, live: Policies[Policy]) -> None:
    await agreed.agree(house.engine, live)
    edited(live, "about: ", "about: as agreed in spring, ")
    edited(live, "points: 30,", 'points: 30, because: "we are made for them",')
    await agreed.agree(house.engine, edited(live, "target: 1h", "target: 2h", version=2))
    assert [row[1] for row in await known(house)] == [1, 2]


async def test_another_policy_has_numbers_of_its_own(house: House, live: Policies[Policy]) -> None:
    for policy in (load_policies(SHIPPED / "demo", Policy), live, load_policies(SHIPPED / "demo", Policy)):
        await agreed.agree(house.engine, policy)
    assert [row[:2] for row in await known(house)] == [("classic-50", 1), ("demo", 1)]


async def test_of_two_that_start_at_once_with_other_terms_one_is_refused(house: House, live: Policies[Policy]) -> None:
    first, second = live, edited(live, "target: 1h", "target: 2h")
    for turn in range(10):
        await house.query("DELETE FROM policy RETURNING 1")
        both = (agreed.agree(house.engine, each) for each in (first, second))
        ends = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(end).__name__ for end in ends) == ["NoneType", "OtherTerms"], turn
