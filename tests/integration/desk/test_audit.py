"""The auditor on real services: nothing is broken in what they did, at rest and at work; and its command."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from schemas.identity import lead_id_of
from tests.e2e import people
from tests.e2e.conftest import QUICK
from tests.infrastructure import Infrastructure, room
from tests.integration.desk.auditing import FLOOD, LEADS, Rest, audited, follow_up
from tests.relay import Relay, relay

Command = Callable[..., Awaitable[tuple[int, str, str]]]


async def test_what_real_services_did_holds_and_is_counted(rest: Rest) -> None:
    report = await audited(rest.room)
    assert report.broken == ()
    verdicts = {each.name: each.verdict for each in report.invariants}
    assert [name for name, verdict in verdicts.items() if verdict == "not checkable"] == ["I1", "I4", "I12"]
    assert list(verdicts) == [f"I{number}" for number in range(1, 13)]
    aside = {"id_conflict": 1, "not_json": 2, "invalid_event": 2}
    assert report.figures["dead letters"].items() >= {f"scorer: {why}": count for why, count in aside.items()}.items()
    assert report.figures["scorer records"]["duplicates"] >= 60
    assert report.figures["scorer records"]["unkept"] >= 2 * FLOOD - 500
    assert report.figures["breaches"]["published"] >= LEADS
    assert "in flight" not in report.figures


async def test_acknowledged_events_are_looked_for(rest: Rest) -> None:
    events = [json.loads(r.value) for r in rest.records["lead-scores"]]
    there = [("lead-scores", event["subject"], event["source"], event["id"]) for event in events]
    assert {each.name: each.verdict for each in (await audited(rest.room, acknowledged=there)).invariants}[
        "I1"
    ] == "held"
    lost = [*there, ("engagements", lead_id_of(email="nobody@example.com"), "s", "never-sent")]
    report = await audited(rest.room, acknowledged=lost)
    assert report.broken == ("I1",)
    assert lead_id_of(email="nobody@example.com") in report.invariants[0].examples[0]


@pytest.mark.timeout(300)
async def test_a_system_at_work_gives_no_false_alarm(servers: Infrastructure, tmp_path: Path) -> None:
    async with room(servers) as where, relay(where, tmp_path, QUICK) as running:
        items = people.crowd(2_000, 60, seed=3)

        async def work() -> None:
            for start in range(0, len(items), 25):
                batch = items[start : start + 25]
                await running.batch([*batch, *batch[:5]])
                if start % 500 == 0:
                    await follow_up(running)
                await asyncio.sleep(0.02)

        async def trouble() -> None:
            for service in ("scorer", "router", "sla-monitor"):
                await asyncio.sleep(0.5)
                await running.kill(service)
                await running.start(service)

        busy = [asyncio.create_task(work()), asyncio.create_task(trouble())]
        audits = flying = 0
        while audits < 5 or not all(task.done() for task in busy):
            report = await audited(where)
            assert report.broken == (), [each for each in report.invariants if each.verdict == "broken"]
            audits += 1
            flying += "in flight" in report.figures
        await asyncio.gather(*busy)
        assert flying > 0


@pytest.fixture
async def command(rest: Rest, tmp_path: Path) -> AsyncIterator[Command]:
    """Types `baton audit`."""
    terminal = Relay(rest.room, tmp_path, QUICK, [])
    yield partial(terminal.typed, "desk", "audit")
    await terminal.stop()


async def test_the_command_prints_every_invariant_and_no_address(command: Command) -> None:
    code, printed, _ = await command()
    assert (code, printed.splitlines()[-1]) == (0, "Nothing is broken.")
    assert [line.split()[0] for line in printed.splitlines()[:12]] == [f"I{number}" for number in range(1, 13)]
    assert "@example.com" not in printed
    code, printed, _ = await command("--json")
    assert (code, json.loads(printed)["broken"]) == (0, [])


async def test_the_command_says_what_it_cannot_read(command: Command, rest: Rest, servers: Infrastructure) -> None:
    silent = "127.0.0.1:1"
    wrong = {
        "Kafka does not answer": {"BATON_KAFKA__BOOTSTRAP_SERVERS": silent},
        "there is no topic": {"BATON_KAFKA__PREFIX": "nobodys-"},
        "The database cannot be read": {"BATON_DATABASE__URL": f"postgresql://postgres@{silent}/baton"},
        "not the database of a migrated system": {"BATON_DATABASE__URL": servers.admin_url},
        "may not read all schemas": {"BATON_DATABASE__URL": rest.room.database_url("router")},
    }
    for sentence, environment in wrong.items():
        code, printed, said = await command(**environment)
        assert (code, printed) == (2, ""), said
        assert sentence in said
        assert "Traceback" not in said
    assert (await command("--nonsense"))[0] == 2
