"""20,000 events, sent twice, in two orders: the same scores to the byte, and the same handoffs."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tests.e2e import people
from tests.e2e.conftest import CLASSIC
from tests.infrastructure import Infrastructure, room
from tests.relay import Relay, relay
from tests.until import until

EVENTS = 20_000
LEADS = 500


async def send(running: Relay, items: Sequence[people.Item], at_once: int = 4) -> None:
    """All items over HTTP in batches of 100, each retried until it is taken."""
    gate = asyncio.Semaphore(at_once)

    async def one(batch: Sequence[people.Item]) -> None:
        async with gate:
            await until(lambda: _taken(running, batch), "a batch to be taken", 60)

    await asyncio.gather(*(one(items[at : at + 100]) for at in range(0, len(items), 100)))


async def _taken(running: Relay, batch: Sequence[people.Item]) -> bool:
    try:
        return (await running.batch(batch)).status_code == 200
    except httpx.HTTPError:  # ingest was killed: a tracker sends again
        return False


async def settled(running: Relay, facts: int) -> None:
    """Waits until the scorer has so many facts and everybody has read everything."""

    async def done() -> bool:
        [row] = await running.query("scorer", "SELECT count(*) FROM fact WHERE type NOT LIKE '%linked%'")
        lags = [
            await running.metric(s, f"baton_{s.replace('-', '_')}_lag_records")
            for s in ("scorer", "router", "sla-monitor")
        ]
        left = [(await running.query(s, "SELECT count(*) FROM outbox"))[0]["count"] for s in ("scorer", "router")]
        return row["count"] == facts and not any(lags) and not any(left)

    await until(done, f"{facts} facts", 150)


async def outcome(running: Relay) -> tuple[bytes, list[tuple[str, int, str]]]:
    """Every lead's tally, to the byte, and every (lead, episode, handoff)."""
    rows = await running.query("scorer", "SELECT lead_id, state->>'tally' AS tally FROM lead ORDER BY lead_id")
    handoffs = await running.events("lead-handoffs", "handed_off")
    keys = [(e["subject"], e["data"]["episode"], e["data"]["handoff_id"]) for e in handoffs]
    assert len(keys) == len(set(keys)), "a handoff was published twice without any fault"
    return "\n".join(f"{row['lead_id']} {row['tally']}" for row in rows).encode(), sorted(keys)


@pytest.mark.timeout(400)
async def test_scores_and_handoffs_do_not_depend_on_order_or_repetition(
    servers: Infrastructure, tmp_path: Path
) -> None:
    items = people.crowd(EVENTS, LEADS, seed=1)
    outcomes = []
    for turn in (1, 2):
        folder = tmp_path / str(turn)
        folder.mkdir()
        async with room(servers) as where, relay(where, folder, CLASSIC) as running:
            for again in (0, 1):
                await send(running, people.shuffled(items, seed=10 * turn + again))
            await settled(running, EVENTS)
            outcomes.append(await outcome(running))
            assert await running.metric("scorer", "baton_scorer_duplicates_total") >= EVENTS
    assert outcomes[0][0] == outcomes[1][0]
    assert outcomes[0][1] == outcomes[1][1]
    assert len(outcomes[0][1]) > LEADS / 10
