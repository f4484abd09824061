"""Each service is killed in mid-stream while events come twice and shuffled: nothing differs from a quiet run."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.identity import lead_id_of
from tests.e2e import people
from tests.e2e.conftest import QUICK
from tests.e2e.test_any_order import send
from tests.infrastructure import Infrastructure, room
from tests.relay import SERVICES, Relay, relay

LEADS = 40


def traffic() -> tuple[list[people.Item], list[str]]:
    """Events of 40 people, and the half of them who are followed up."""
    items = people.crowd(1_500, LEADS, seed=2)
    emails = [f"person-2-{number}@example.com" for number in range(LEADS)]
    return items, emails[::2]


async def follow_up(running: Relay, emails: list[str], done: set[str]) -> None:
    """One second after each handoff of these people, by the follow-up's own time, whenever that is heard of."""
    wanted = {lead_id_of(email=email): email for email in emails}
    for event in await running.events("lead-handoffs", "handed_off"):
        lead = event["subject"]
        if lead in wanted and lead not in done:
            at = datetime.fromisoformat(event["data"]["handed_off_at"]) + timedelta(seconds=1)
            activity = {
                "type": "sales.contacted",
                "subject": lead,
                "id": f"call-{lead}",
                "time": at.isoformat(),
                "data": {},
            }
            if (await running.sales(activity)).status_code == 200:
                done.add(lead)


async def verdicts(running: Relay) -> dict[tuple[str, str], str]:
    """What became of each lead's follow-up clock, from the events: breaches less those taken back."""
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for event in await running.events("sla-clocks") + await running.events("sla-breaches"):
        key = (event["subject"], event["data"]["clock"])
        found[key] = max(found.get(key, (0, "")), (event["data"]["version"], event["type"]))
    return {key: kind for key, (_, kind) in found.items() if key[1] in ("CK-M1", "CK-S1", "CK-S2")}


async def run(servers: Infrastructure, folder: Path, *, disturbed: bool) -> tuple[Any, ...]:
    """The whole traffic through one relay, its services killed one after another or not."""
    items, called = traffic()
    async with room(servers) as where, relay(where, folder, QUICK) as running:
        sending = [
            asyncio.create_task(send(running, people.shuffled(items, seed), 1))
            for seed in ((3, 4) if disturbed else (5,))
        ]
        if disturbed:
            for service in SERVICES:
                await asyncio.sleep(0.7)
                await running.kill(service)
                await running.start(service)
        await asyncio.gather(*sending)
        done: set[str] = set()

        async def all_settled() -> bool:
            await follow_up(running, called, done)
            [row] = await running.query("scorer", "SELECT count(*) FROM fact WHERE type NOT LIKE '%linked%'")
            found = await verdicts(running)
            handoffs = {key[0] for key in found if key[1] == "CK-M1"}
            ended = [key for key, kind in found.items() if key[1] != "CK-M1" and ("met" in kind or "breached" in kind)]
            return row["count"] == len(items) and bool(handoffs) and len(ended) == len(handoffs)

        await running.until(all_settled, 120, "every follow-up clock to end")
        await asyncio.sleep(3)
        scores = await running.query("scorer", "SELECT lead_id, state->>'tally' AS tally FROM lead ORDER BY lead_id")
        handoffs = await running.events("lead-handoffs", "handed_off")
        keys = {(e["subject"], e["data"]["episode"], e["data"]["handoff_id"]) for e in handoffs}
        return [tuple(row) for row in scores], sorted(keys), await verdicts(running)


@pytest.mark.timeout(500)
async def test_killing_each_service_in_mid_stream_changes_nothing(servers: Infrastructure, tmp_path: Path) -> None:
    for name in ("quiet", "shaken"):
        (tmp_path / name).mkdir()
    quiet = await run(servers, tmp_path / "quiet", disturbed=False)
    shaken = await run(servers, tmp_path / "shaken", disturbed=True)
    assert shaken[0] == quiet[0]
    assert shaken[1] == quiet[1]
    assert shaken[2] == quiet[2]
    assert set(quiet[2].values()) >= {"baton.clock.met.v1", "baton.sla.breached.v1"}
