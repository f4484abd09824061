"""`baton policy backtest` on a real database: page after page, of one moment, and what it says when it fails."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from chassis.partition.journal import Batch, LeadRow, Progress, journals
from chassis.postgres.database import engine_of
from chassis.process.settings import Database
from chassis.service import At
from desk.policy import sheet
from desk.policy.backtest import Backtest
from desk.reading import ever, every_fact, one_moment
from schemas.envelope import Envelope, Fact
from schemas.identity import lead_id_of
from tests.builders import a_description, a_fact, a_policy, an_engagement, at
from tests.infrastructure import Room
from tests.relay import ROOT
from tests.unit.scorer.driver import a_scorer

LIVE = ROOT / "deploy/policies/classic-50/1.yaml"
STRICT = ROOT / "deploy/policies/strict-70/1.yaml"
LEADS = sorted(lead_id_of(email=f"person-{number}@example.com") for number in range(4))
MANY = 4_500
"""Facts of one lead, more than two pages."""


class Bench:
    """A migrated schema of the scorer, filled as its worker fills it, and the command on it."""

    def __init__(self, where: Room) -> None:
        self.where = where
        self.database = Database(url=SecretStr(where.database_url("scorer")))

    async def fill(self, *events: Envelope) -> list[Fact]:
        """The facts, and each lead's state decided from them."""
        scorer, facts = a_scorer(), [a_fact(event) for event in events]
        states: dict[str, Any] = {}
        for lead in {fact.lead_id for fact in facts}:
            own = [fact for fact in facts if fact.lead_id == lead]
            states[lead] = scorer.recall(scorer.new(lead), own[:-1], own[-1:], At(at(), at())).state
        rows = [LeadRow(lead, 1, None, scorer.dump(state)) for lead, state in states.items()]
        async with journals(engine_of(self.database, "scorer"))(0) as journal:
            claim = await journal.claim()
            totals = claim.progress.totals + Counter(facts=len(facts))
            await journal.commit(claim.epoch, Batch(Progress(totals=totals), facts, rows), 0)
        return facts

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """A console script, its output and errors together."""
        environment = {
            **os.environ,
            "BATON_DATABASE__URL": self.where.database_url("scorer"),
            "BATON_POLICIES": str(LIVE.parent),
        }
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *arguments),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # who runs tests may ignore it
        )

    async def backtest(self, policy: Path, *arguments: str) -> tuple[int | None, str]:
        """Exit code and what is printed."""
        process = await self.start("desk", "policy", "backtest", str(policy), *arguments)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, output.decode()

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.where.url, server_settings={"search_path": "scorer"})
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def stuck(self) -> AsyncIterator[tuple[asyncio.subprocess.Process, int, asyncpg.Connection]]:
        """The command while it waits for the facts, its session's process id, and a session that may end it."""
        async with self.admin() as connection, connection.transaction():
            await connection.execute("LOCK TABLE fact IN ACCESS EXCLUSIVE MODE")
            process = await self.start("desk", "policy", "backtest", str(STRICT))
            yield process, await self._waiting(connection), connection

    @staticmethod
    async def _waiting(connection: asyncpg.Connection) -> int:
        """The session that waits for the facts, once there is one."""
        async with asyncio.timeout(30):
            while True:
                waits = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'fact'::regclass"
                if (pid := await connection.fetchval(waits)) is not None:
                    return int(pid)
                await asyncio.sleep(0.05)


@pytest.fixture
async def bench(own_room: Room) -> Bench:
    made = Bench(own_room)
    output, _ = await (process := await made.start("scorer", "migrate")).communicate()
    assert process.returncode == 0, output.decode()
    return made


def an_audience() -> list[Envelope]:
    """A lead of many facts between others of few."""
    few = [
        event
        for lead in LEADS
        for event in (
            a_description(subject=lead, company_size=100, industry="technology", time=at(-60)),
            an_engagement("webinar_attended", subject=lead, time=at(10)),
        )
    ]
    many = [
        an_engagement(
            "page_viewed", "pricing", subject=LEADS[1], id=f"visit-{number * 7919 % MANY:04}", time=at(number)
        )
        for number in range(MANY)
    ]
    return [*many, *few]


def expected(facts: Sequence[Fact], candidate: Path) -> dict[str, Any]:
    """The report in memory, all facts at once."""
    test = Backtest(a_policy("classic-50"), a_policy(candidate.parent.name), at(10_000))
    test.read(sorted(facts, key=lambda fact: fact.lead_id))
    told: dict[str, Any] = json.loads(sheet.as_json(test.report()))
    return told


async def test_facts_over_many_pages_come_to_what_they_come_to_in_memory(bench: Bench) -> None:
    facts = await bench.fill(*an_audience())
    code, printed = await bench.backtest(STRICT, "--json")
    assert (code, json.loads(printed)) == (0, expected(facts, STRICT))
    assert json.loads(printed)["facts"] == MANY + 8

    window = ("--from", "2026-03-02T12:05:00Z", "--to", "2026-03-02 16:05+02:00")
    code, printed = await bench.backtest(STRICT, "--json", *window)
    told, within = json.loads(printed), [fact for fact in facts if at(5) <= fact.time < at(125)]
    assert (code, told.pop("since"), told.pop("until")) == (0, "2026-03-02T12:05:00Z", "2026-03-02T14:05:00Z")
    assert told == {name: value for name, value in expected(within, STRICT).items() if name not in ("since", "until")}
    assert told["facts"] == 120 + 4


async def test_the_live_policy_is_held_against_stored_states(bench: Bench) -> None:
    await bench.fill(*an_audience())
    code, printed = await bench.backtest(LIVE, "--json")
    assert (code, json.loads(printed)["differing"]) == (0, {"count": 0, "leads": []})
    code, printed = await bench.backtest(LIVE, "--json", "--from", "2026-01-01")
    assert (code, json.loads(printed)["differing"]) == (0, None)
    async with bench.admin() as connection:
        await connection.execute("UPDATE lead SET state = '{}' WHERE lead_id = $1", LEADS[0])
        await connection.execute("DELETE FROM fact WHERE lead_id = $1 AND id <> 'description'", LEADS[1])
        await connection.execute("DELETE FROM fact WHERE lead_id = $1", LEADS[3])
    for how in ("--json", "--html"):
        code, printed = await bench.backtest(LIVE, how)
        assert code == 1
        assert [lead in printed for lead in LEADS] == [True, True, False, True]
        assert "they need to be looked into" in printed


async def test_all_is_of_one_moment_and_nothing_can_be_written(bench: Bench) -> None:
    facts = await bench.fill(*an_audience())
    decoder = a_scorer().inputs["engagements"]
    async with one_moment(bench.database, "scorer") as (connection, _):
        seen: list[Fact] = []
        async for _, some in every_fact(connection, decoder, None, None):
            if not seen:
                await bench.fill(an_engagement(subject=LEADS[3], id="late"))
            seen += some
        assert await ever(connection) == len(seen) == len(facts)
        assert {(fact.lead_id, *fact.key, fact.fingerprint) for fact in seen} == {
            (fact.lead_id, *fact.key, fact.fingerprint) for fact in facts
        }
        with pytest.raises(DBAPIError, match="read-only transaction"):
            await connection.execute(text("DELETE FROM fact"))


async def test_without_facts_or_tables_it_is_said_so(bench: Bench) -> None:
    code, printed = await bench.backtest(STRICT)
    assert code == 0
    assert "There are no leads yet." in printed
    async with bench.admin() as connection:
        await connection.execute("DROP SCHEMA scorer CASCADE")
    code, printed = await bench.backtest(STRICT)
    assert (code, printed) == (1, "The service's tables are not there yet: run its `migrate` first.\n")


async def test_ctrl_c_ends_it_quietly(bench: Bench) -> None:
    async with bench.stuck() as (process, _, _):
        process.send_signal(signal.SIGINT)
        output, _ = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, output) == (130, b"")


async def test_a_connection_that_breaks_is_told_in_a_sentence(bench: Bench) -> None:
    async with bench.stuck() as (process, pid, connection):
        await connection.execute("SELECT pg_terminate_backend($1)", pid)
        output, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert output.decode().startswith("The database cannot be read now: ")
    assert output.count(b"\n") == 1
