"""A version of the policy that is added while a service runs is found; a folder that is wrong changes nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import copytree

import pytest

from chassis.policy import Policies, load_policies
from chassis.postgres.agreed import require_same
from chassis.process import following
from chassis.process.failures import DatabaseAway
from schemas.policy import Policy
from tests.until import until

CLASSIC = Path(__file__).parents[3] / "deploy" / "policies" / "classic-50"


@pytest.fixture
def live(tmp_path: Path) -> Policies[Policy]:
    return load_policies(copytree(CLASSIC, tmp_path / "classic-50"), Policy)


def add(live: Policies[Policy], **instead: str) -> None:
    """A second version, with words replaced that `instead` names."""
    text = (live.folder / "1.yaml").read_text().replace("version: 1", "version: 2").replace("2026-01-01", "2026-02-01")
    for old, new in instead.items():
        text = text.replace(old, new)
    (live.folder / "2.yaml").write_text(text)


@contextlib.asynccontextmanager
async def followed(live: Policies[Policy], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(following, "SECONDS", 0.01)
    monkeypatch.setattr(following, "SETTLED_SECONDS", 0.01)
    known: dict[int, str] = {}
    turns = iter(range(1_000_000))

    async def agree(policies: Policies[Policy]) -> None:
        if next(turns) % 2 == 0:
            raise DatabaseAway("every other time")
        require_same(policies, known)
        known.update((each.version, each.digest) for each in policies.versions)

    task = asyncio.create_task(following.follow(live, agree))
    yield
    assert not task.done(), "it goes on whatever it finds"
    task.cancel()


async def joined(live: Policies[Policy], count: int) -> None:
    await until(lambda: len(live.versions) >= count, "the version to join")


async def test_what_was_added_before_it_began_and_after_is_found(
    live: Policies[Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(live)
    async with followed(live, monkeypatch):
        await joined(live, 2)
        text = (live.folder / "2.yaml").read_text()
        (live.folder / "3.yaml").write_text(text.replace("version: 2", "version: 3").replace("2026-02", "2026-03"))
        await joined(live, 3)


async def test_a_version_that_is_still_being_written_is_not_taken_for_one(
    live: Policies[Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with followed(live, monkeypatch):
        monkeypatch.setattr(following, "SETTLED_SECONDS", 0.4)
        add(live)
        file = live.folder / "2.yaml"
        whole = file.read_text()
        lines = whole.splitlines(keepends=True)
        file.write_text("".join(lines[:-1]))
        load_policies(live.folder, Policy)
        await asyncio.sleep(0.3)
        file.write_text(whole)
        await joined(live, 2)
    assert live.versions == load_policies(live.folder, Policy).versions


async def test_a_wrong_folder_changes_nothing_until_it_is_mended(
    live: Policies[Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = live.versions
    add(live, scoring="scores")
    async with followed(live, monkeypatch):
        await asyncio.sleep(0.3)
        assert live.versions == first
        moved = live.folder.rename(live.folder.with_suffix(".away"))
        await asyncio.sleep(0.1)
        moved.rename(live.folder)
        add(live)
        await joined(live, 2)
    assert live.versions[:1] == first
