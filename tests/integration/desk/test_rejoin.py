"""Replayed dead letters: the state is as if the event had been valid at its own time."""

import json
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from chassis.kafka.consumer import append_time
from chassis.kafka.publisher import Record
from desk.letters.reader import reader
from schemas.engagements import Engagement, EngagementRecorded
from schemas.envelope import Decoder
from schemas.identity import lead_id_of
from scorer.app import Scorer
from scorer.app import build as the_scorer
from scorer.settings import Settings
from tests.infrastructure import Room
from tests.integration.chassis.driving import House
from tests.integration.desk.operator import Operator
from tests.relay import ROOT, Relay
from tests.until import until

POLICY = ROOT / "tests/fixtures/policies/quick"
MANY = 4_000


def event(lead: str, id: str, kind: str, **fields: Any) -> dict[str, Any]:  # noqa: A002
    """An engagement as a platform's own producer writes it, its time not judged yet."""
    data = {"kind": kind, "content": fields.pop("content", None), "properties": {"n": 0.1, "name": "Zoë \u2028"}}
    return {
        **{"specversion": "1.0", "type": "baton.engagement.recorded.v1", "id": id, "source": "platform"},
        **{"subject": lead, "time": datetime.now(UTC).isoformat(), "data": data, **fields},
    }


def record(told: Mapping[str, Any]) -> Record:
    return Record("engagements", told["subject"].encode(), json.dumps(told).encode())


def download(lead: str) -> dict[str, Any]:
    return event(lead, "download", "content_downloaded", content="pricing")


def others(lead: str) -> list[dict[str, Any]]:
    """What the lead did besides, at instants of its own."""
    began = datetime.now(UTC) - timedelta(hours=5)
    kinds = ("webinar_attended", None), ("content_downloaded", "case_study")
    return [
        event(lead, kind, kind, content=content, time=(began + timedelta(hours=n)).isoformat())
        for n, (kind, content) in enumerate(kinds)
    ]


CASES: Mapping[str, dict[str, Any]] = {
    "in time": {"time": (datetime.now(UTC) - timedelta(days=2)).isoformat()},
    "by a clock an hour ahead": {
        "time": (datetime.now(UTC) - timedelta(hours=3)).isoformat(),
        "sentat": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    },
    "ahead, so as of its receipt": {"time": (datetime.now(UTC) + timedelta(hours=2)).isoformat()},
}


def in_history(told: dict[str, Any], appended_at: datetime) -> dict[str, Any]:
    """The same event, its time judged by hand on the day when it first came."""
    time = datetime.fromisoformat(told["time"])
    if "sentat" in told:
        time += appended_at - datetime.fromisoformat(told["sentat"])
    return {**told, "time": min(time, appended_at).isoformat(), "occurredat": told["time"], "finaltime": True}


@asynccontextmanager
async def scorer(room: Room, folder: Path, policies: Path) -> AsyncIterator[None]:
    """The real scorer as a process, under these policies."""
    running = Relay(room, folder, policies, ["scorer"])
    try:
        await running.start()
        yield
    finally:
        await running.stop()


def judged(state: str) -> dict[str, Any]:
    """The state but for how often it was published: late facts that come together are told of once."""
    told: dict[str, Any] = json.loads(state)
    del told["published"]["version"]
    return told


async def test_events_refused_under_a_broken_policy_rejoin_history(
    house: House, operator: Operator, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(POLICY, broken)
    text = (broken / "1.yaml").read_text()
    # under a name of its own: other terms under a known name and number are refused at the start
    (broken / "1.yaml").write_text(
        text.replace("effective_from: 2026", "effective_from: 2926").replace("policy: quick", "policy: broken")
    )
    refused = {case: {**download(lead_id_of(user_id=case)), **fields} for case, fields in CASES.items()}
    controls = {case: lead_id_of(user_id=f"{case}, control") for case in CASES}

    async with scorer(house.room, tmp_path, broken):
        await house.publish(*(record(told) for told in refused.values()))
        await until(lambda: house.counted("dead_letters:rules_failed", len(CASES)), "the rules to fail")
    appended = {each.key.decode(): append_time(each.timestamp) for each in await house.written("engagements")}

    async with scorer(house.room, tmp_path, POLICY):
        for case, told in refused.items():
            first, last = others(told["subject"])
            control = in_history(told, appended[told["subject"]]) | {"subject": controls[case]}
            beside = [{**each, "subject": controls[case]} for each in (first, last)]
            await house.publish(*(record(each) for each in (first, last, control, *beside)))
        await until(lambda: house.counted("facts", 5 * len(CASES)), "everything but the dead letters")
        for times in (1, 2):
            assert await operator.fates("--apply") == {("rules_failed", "replayed"): len(CASES)}
            await until(lambda: house.counted("records", (6 + times) * len(CASES)), "the replay")  # noqa: B023
            totals = await house.totals()
            assert (totals["facts"], totals["duplicates"]) == (6 * len(CASES), (times - 1) * len(CASES))
        assert totals["dead_letters:id_conflict"] == 0

        # the sender's own retry, in the words it first used, is a duplicate too
        await house.publish(*(record(told) for told in refused.values()))
        await until(lambda: house.counted("duplicates", 2 * len(CASES)), "the retries to be known")
    states = {row[0]: judged(row[1]) for row in await house.query("SELECT lead_id, state::text FROM lead")}
    for case, told in refused.items():
        assert states[told["subject"]] == states[controls[case]], case


class Narrow(Engagement):
    kind: Literal["page_viewed"]


class OldEngagement(EngagementRecorded):
    """The schema before downloads were known."""

    data: Narrow


@pytest.fixture
def scorers() -> tuple[Any, Any]:
    """The scorer with the schema that refuses downloads, and with the schema of today."""
    mended, broken = (the_scorer(Settings(policies=POLICY)) for _ in range(2))
    assert isinstance(broken, Scorer)
    broken.inputs = {"engagements": Decoder(OldEngagement)}
    return broken, mended


async def test_replay_killed_in_the_middle_is_completed_by_the_next(
    house: House, operator: Operator, scorers: tuple[Any, Any]
) -> None:
    broken, mended = scorers
    told = [download(lead_id_of(user_id=f"many {n}")) | CASES["in time"] for n in range(MANY + 1)]
    control = in_history(told.pop(), datetime.now(UTC))
    async with house.running(broken):
        await house.publish(*(record(each) for each in told))
        await until(lambda: house.counted("dead_letters:invalid_event", MANY), "all to be refused", 60)
    async with reader(house.kafka) as source:

        async def replayed() -> int:
            return sum(end for _, end in (await source.bounds(["engagements"])).values()) - MANY

        process = await operator.start("replay", "--apply")
        await until(replayed, "the first records")
        process.kill()
        await process.communicate()
        killed_after = await replayed()
    assert 0 < killed_after < MANY, "the kill was to come in the middle"

    assert await operator.fates("--apply") == {("invalid_event", "replayed"): MANY}
    async with house.running(mended):
        await house.publish(record(control))
        await until(lambda: house.counted("records", 2 * MANY + killed_after + 1), "everything to be read", 60)
    totals = await house.totals()
    assert (totals["facts"], totals["duplicates"]) == (MANY + 1, killed_after)
    assert len(await house.query("SELECT DISTINCT state::text FROM lead")) == 1
