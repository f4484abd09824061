"""Score changes without an event: a window ends, a new version of the policy comes into force."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.policy import load_policies
from desk.policy.candidate import candidate_of, put
from schemas.identity import lead_id_of
from schemas.policy import Policy
from tests.e2e import people
from tests.e2e.conftest import QUICK
from tests.e2e.test_story import handed_off
from tests.infrastructure import Infrastructure, room
from tests.relay import Relay, relay
from tests.until import until

WINDOW = timedelta(seconds=4)
AHEAD = timedelta(seconds=15)
"""From a version's arrival in the folder to its date: more than a service takes to find it."""
CROWD = 400
"""Leads enough for each partition to have some."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The policy's folder: a webinar counts for four seconds only."""
    text, made = (QUICK / "1.yaml").read_text(), tmp_path / "quick"
    made.mkdir()
    window = '{kind: webinar_attended}, count: {op: ">=", n: 1, window: 4s}'
    (made / "1.yaml").write_text(text.replace("{kind: webinar_attended}", window))
    return made


@pytest.fixture
def dearer(folder: Path, tmp_path: Path) -> Path:
    """A draft under which a download of the prices is worth 22 points instead of 15."""
    text, draft, rule = (
        (folder / "1.yaml").read_text(),
        tmp_path / "draft.yaml",
        "dl_pricing, group: engagement, points: ",
    )
    draft.write_text(text.replace(f"{rule}15", f"{rule}22"))
    return draft


@pytest.fixture
async def running(servers: Infrastructure, tmp_path: Path, folder: Path) -> AsyncIterator[Relay]:
    """Ingest and scorer of a relay of its own, under that policy."""
    async with room(servers) as where, relay(where, tmp_path, folder, "ingest", "scorer") as made:
        yield made


async def scored(running: Relay, email: str, count: int) -> list[dict[str, Any]]:
    """So many scores that were published of the person."""

    async def published() -> list[dict[str, Any]]:
        found = await running.events("lead-scores", "scored", lead_id_of(email=email))
        return found if len(found) >= count else []

    found: list[dict[str, Any]] = await until(published, f"{count} scores", 60)
    return found


@pytest.mark.timeout(240)
async def test_points_leave_by_themselves_and_a_version_added_meanwhile_judges_at_its_date(
    running: Relay, folder: Path, dearer: Path
) -> None:
    ada, bob = people.somebody(), people.somebody()
    await running.start("router")
    assert (await running.batch(people.qualified(ada))).status_code == 200
    assert (await running.batch(people.qualified(bob)[:2])).status_code == 200
    *_, full, left = await scored(running, ada, 4)
    assert [(one["data"]["score"], one["data"]["cause"] == "time") for one in (full, left)] == [(65, False), (45, True)]
    attended = next(line["since"] for line in full["data"]["explanation"] if line["rule"] == "webinar")
    assert datetime.fromisoformat(left["time"]) == datetime.fromisoformat(attended) + WINDOW

    date = datetime.now(UTC) + AHEAD
    put(candidate_of(dearer, load_policies(folder, Policy), date))
    *_, anew = await scored(running, ada, 5)
    *_, edited = await scored(running, bob, 3)
    assert [(one["data"]["score"], one["data"]["cause"]) for one in (anew, edited)] == [(52, "policy"), (52, "policy")]
    assert all(datetime.fromisoformat(one["data"]["as_of"]) >= date for one in (anew, edited))
    told = json.loads((await running.baton("policy", "status", "--json"))[1])
    assert (told["in_force"], set(told["judged"].values())) == (2, {1.0})

    sent = datetime.now(UTC)
    assert (await running.batch([people.tracked(bob, "Webinar Attended")])).status_code == 200
    handoff = await handed_off(running, bob)
    assert datetime.fromisoformat(handoff["data"]["handed_off_at"]) > sent
    code, printed = await running.baton("explain", ada, "--at", full["data"]["as_of"])
    assert (code, "65 points" in printed) == (0, True), printed


@pytest.mark.timeout(120)
async def test_apply_shows_what_would_change_and_adds_the_draft_if_it_may(
    running: Relay, folder: Path, dearer: Path
) -> None:
    ada = people.somebody()
    assert (await running.batch(people.qualified(ada)[:2])).status_code == 200
    await scored(running, ada, 2)
    code, printed = await running.baton("policy", "apply", str(dearer))
    assert (code, (folder / "2.yaml").exists()) == (1, False), printed
    code, printed = await running.baton("policy", "apply", str(dearer), "--yes")
    assert (code, (folder / "2.yaml").exists()) == (0, True), printed
    for words in (
        "1 lead and 3 facts",
        ": 22 points, were 15",
        "Who passes by a change of this policy alone is handed off with the next event that is scored",
        "is version 2 of quick, in force from ",
    ):
        assert words in printed, printed
    code, printed = await running.baton("policy", "status")
    first, second = printed.splitlines()[1:]
    assert (code, "version 1 " in first, "in force" in first) == (0, True, True)
    assert second.startswith("  version 2 from ")
    assert second.endswith(": to come")

    async def joined() -> bool:
        return "policy_joined" in running.named("scorer").log.read_text()

    await until(joined, "the version to be found", 20)


@pytest.mark.timeout(240)
async def test_a_scorer_killed_while_a_version_judges_leaves_nobody_out_and_tells_nobody_twice(
    running: Relay, folder: Path, dearer: Path
) -> None:
    crowd = [people.somebody() for _ in range(CROWD)]
    items = [item for email in crowd for item in people.qualified(email)[:2]]
    for half in (items[:CROWD], items[CROWD:]):
        assert (await running.batch(half)).status_code == 200

    async def dear() -> list[str]:
        """The leads that another policy alone has given a score, as often as it did."""
        told = {(e["subject"], e["id"]): e["data"]["cause"] for e in await running.events("lead-scores", "scored")}
        return [lead for (lead, _), cause in told.items() if cause == "policy"]

    async def all_known() -> bool:
        return len({e["subject"] for e in await running.events("lead-scores", "scored")}) == CROWD

    await until(all_known, "everybody's first score", 60)
    await running.kill("scorer")
    put(candidate_of(dearer, load_policies(folder, Policy), datetime.now(UTC) + AHEAD))
    doomed = await running.launch("scorer", BATON_FAILPOINTS="ticked=kill@3")
    assert await asyncio.wait_for(doomed.wait(), 60) == -signal.SIGKILL
    assert len(await dear()) < CROWD
    await running.start("scorer")

    async def all_judged() -> bool:
        told = json.loads((await running.baton("policy", "status", "--json"))[1])
        return set(told["judged"].values()) == {1.0} and len(await dear()) >= CROWD

    await until(all_judged, "the version to have judged everybody", 60)
    assert sorted(await dear()) == sorted(lead_id_of(email=email) for email in crowd)
