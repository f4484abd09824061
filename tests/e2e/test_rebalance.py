"""Two instances of each service, and partitions that change hands while an alias of 5,000 facts moves: one lead."""

import json
import signal
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from baton_local.topics import PARTITIONS
from chassis.process.failpoints import VARIABLE
from schemas.identity import lead_id_of, partition_of
from tests.e2e.conftest import QUICK
from tests.infrastructure import Infrastructure, room
from tests.relay import JUDGES, Relay
from tests.until import until

FACTS, DAYS = 5_000, 60
"""Of the large alias: fewer than 500 a day, so that none is dropped."""
SMALL = 40
INSTANCES = ("ingest", *(f"{service}{number}" for service in JUDGES for number in ("", "/2")))
TOTAL = "SELECT coalesce(sum((totals->>'{}')::int), 0) FROM partition"
LAG = "baton_scorer_lag_records"
STALL = 4
"""Seconds: long enough for another scorer to ask for partitions, shorter than the group's session."""
ANONYMOUS, USER = {"anonymousId"}, {"userId"}


def call(person: str, number: int, by: set[str], **more: Any) -> dict[str, Any]:
    """A call of a person's tracker, which knows it by these names."""
    names = {"anonymousId": f"device-{person}", "userId": f"user-{person}"}
    done = datetime.now(UTC) - timedelta(days=max(0, number) * DAYS // (FACTS + 1), minutes=1)
    about = {"messageId": f"{person}-{number}", "timestamp": done.isoformat()}
    said = {"type": "track", "event": "Webinar Registered", "properties": {}}
    return about | said | {name: value for name, value in names.items() if name in by} | more


def identify(person: str, by: set[str], *, address: bool) -> dict[str, Any]:
    """A login: 30 points for the company, if it says whose address it is."""
    traits = {"email": f"{person}@example.com", "company_size": 120} if address else {}
    return call(person, -1 - address, by, type="identify", traits=traits)


def history(person: str, facts: int) -> list[dict[str, Any]]:
    """What the person's device does before any login: 35 points."""
    worth = [
        call(person, 0, ANONYMOUS, event="Webinar Attended"),
        call(person, 1, ANONYMOUS, event="Content Downloaded", properties={"content": "pricing"}),
    ]
    return [*worth, *(call(person, number, ANONYMOUS) for number in range(2, facts))]


async def send(running: Relay, items: list[dict[str, Any]]) -> None:
    """Over HTTP, taken at once."""
    for first in range(0, len(items), 200):
        answer = await running.batch(items[first : first + 200])
        assert answer.status_code == 200, answer.text


@pytest.fixture
async def doubled(servers: Infrastructure, tmp_path: Path) -> AsyncIterator[Relay]:
    """Two of each service; whichever scorer moves the third slice of a lead stands still before it commits it."""
    async with room(servers) as where:
        running = Relay(where, tmp_path, QUICK, INSTANCES)
        for instance in running.of("scorer"):
            instance.env[VARIABLE] = f"moving=stall:{STALL}@3"
        try:
            await running.migrate()
            await running.start()
            yield running
        finally:
            await running.stop()


@pytest.mark.timeout(180)
async def test_partitions_change_hands_in_the_middle_of_a_large_move(doubled: Relay) -> None:
    everybody = ["big", *(f"p{number}" for number in range(SMALL))]
    histories = [item for person in everybody for item in history(person, FACTS if person == "big" else 5)]
    await send(doubled, histories)
    await until(partial(counted, doubled, "facts", len(histories)), "the histories to be kept", 60)
    await send(doubled, [item for person in everybody[:1] for item in logins(person)])
    mover = await until(partial(stalled, doubled), "a scorer to stand still", 30)
    await send(doubled, [item for person in everybody[1:] for item in logins(person)])
    await doubled.launch("scorer/3")
    await doubled.kill("router/2")
    await doubled.kill(mover, signal.SIGTERM)
    [moved] = await doubled.query("scorer", TOTAL.format("moved"))
    assert 0 < moved[0] < FACTS, "in the middle"
    await doubled.kill("sla-monitor", signal.SIGTERM)
    await doubled.start("router/2", "sla-monitor", "scorer/3")
    await until(partial(handed_off, doubled, len(everybody)), "the handoffs", 60)
    await until(partial(unmoved, doubled), "the moves", 60)
    await one_lead_each(doubled, everybody, histories)


def logins(person: str) -> list[dict[str, Any]]:
    """The device is a user's, the user has an address: in either order, and at last by the user id alone."""
    names, address = identify(person, ANONYMOUS | USER, address=False), identify(person, USER, address=True)
    order = [names, address] if person == "big" or int(person[1:]) % 2 else [address, names]
    return [*order, call(person, FACTS, USER)]


async def counted(running: Relay, total: str, number: int) -> bool:
    """Whether the scorers have counted so many."""
    return int((await running.query("scorer", TOTAL.format(total)))[0][0]) >= number


async def stalled(running: Relay) -> str | None:
    """Which scorer has reached the failpoint."""
    return next((one.name for one in running.of("scorer") if one.log.exists() and one.said('"failpoint"')), None)


async def handed_off(running: Relay, people: int) -> bool:
    return len({e["subject"] for e in await running.events("lead-handoffs", "handed_off")}) >= people


async def unmoved(running: Relay) -> bool:
    """Whether no alias has facts left to move, and everything is read."""
    moving = await running.query("scorer", "SELECT 1 FROM lead WHERE (state->'names'->'after')::text LIKE '[%'")
    return not moving and not any([await running.metric(one.name, LAG) for one in running.of("scorer") if one.running])


async def one_lead_each(running: Relay, everybody: list[str], histories: list[dict[str, Any]]) -> None:
    """Each person's facts are one lead's, 65 points, handed off once; the other names are nobody."""
    rows = await running.query("scorer", "SELECT lead_id, id FROM fact WHERE type NOT LIKE '%linked%'")
    files: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        files[row["lead_id"]].add(row["id"])
    sent = [*histories, *(item for person in everybody for item in logins(person))]
    handoffs = await running.events("lead-handoffs", "handed_off")
    scores = {e["subject"]: e["data"] for e in await running.events("lead-scores", "scored")}
    leads = [lead_id_of(email=f"{person}@example.com") for person in everybody]
    for person, lead in zip(everybody, leads, strict=True):
        assert files[lead] == {item["messageId"] for item in sent if item["messageId"].startswith(f"{person}-")}
        assert scores[lead]["score"] == 65
    assert Counter({e["data"]["handoff_id"]: e["subject"] for e in handoffs}.values()) == Counter(leads)
    others = [id_ for one in everybody for id_ in (device(one), lead_id_of(user_id=f"user-{one}"))]
    states = await running.query("scorer", "SELECT state FROM lead WHERE lead_id = ANY($1)", others)
    assert [json.loads(row["state"])["tally"]["basis"]["kept"] for row in states] == [{}] * len(others)
    parts = [partition_of(device(one).encode(), PARTITIONS) for one in everybody]
    assert parts != [partition_of(lead.encode(), PARTITIONS) for lead in leads], "links go across partitions"


def device(person: str) -> str:
    """The lead that the person's device is."""
    return lead_id_of(anonymous_id=f"device-{person}")
