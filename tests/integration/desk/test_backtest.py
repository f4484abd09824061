"""`baton policy backtest` on a real database: page after page, of one moment, and what it says when it fails."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
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
from desk.reading import ever, every_fact, one_instant
from schemas.engagements import LeadLinked, LeadUnmerged, Link, Merge
from schemas.envelope import Envelope, Fact
from schemas.identity import lead_id_of
from tests.builders import a_description, a_fact, a_policy, an_engagement, at
from tests.infrastructure import connected
from tests.relay import POLICIES, Relay
from tests.unit.scorer.driver import a_scorer
from tests.until import until

LIVE, STRICT = (POLICIES / name / "1.yaml" for name in ("classic-50", "strict-70"))
LEADS = sorted(lead_id_of(email=f"person-{number}@example.com") for number in range(4))
MANY = 4_500
"""Facts of one lead, more than two pages."""


class Bench:
    """A migrated schema of the scorer, filled as its worker fills it, and the command on it."""

    def __init__(self, terminal: Relay) -> None:
        self.terminal = terminal
        self.url = terminal.room.url
        self.database = Database(url=SecretStr(terminal.room.database_url("scorer")))

    async def fill(self, *events: Envelope) -> list[Fact]:
        """The facts, and each lead's state decided from them."""
        scorer, facts = a_scorer(), [a_fact(event) for event in events]
        states: dict[str, Any] = {}
        for lead in {fact.lead_id for fact in facts}:
            own = [fact for fact in facts if fact.lead_id == lead]
            states[lead] = scorer.recall(scorer.new(lead), [], own, At(at(), at())).state
        rows = [LeadRow(lead, 1, None, scorer.dump(state)) for lead, state in states.items()]
        async with journals(engine_of(self.database, "scorer"))(0) as journal:
            claim = await journal.claim()
            totals = claim.progress.totals + Counter(facts=len(facts))
            await journal.commit(claim.epoch, Batch(Progress(totals=totals), facts, rows), 0)
        return facts

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """`baton policy`, running."""
        return await self.terminal.typing("desk", "policy", *arguments)

    async def backtest(self, policy: Path, *arguments: str) -> tuple[int, str]:
        """Exit code and what is printed."""
        return await self.terminal.baton("policy", "backtest", str(policy), *arguments)

    @asynccontextmanager
    async def stuck(self) -> AsyncIterator[tuple[asyncio.subprocess.Process, int, asyncpg.Connection]]:
        """The command while it waits for the facts, its session's process id, and a session that may end it."""
        async with connected(self.url, "scorer") as connection, connection.transaction():
            await connection.execute("LOCK TABLE fact IN ACCESS EXCLUSIVE MODE")
            process = await self.start("backtest", str(STRICT))
            yield process, await self._waiting(connection), connection

    @staticmethod
    async def _waiting(connection: asyncpg.Connection) -> int:
        """The session that waits for the facts, once there is one."""
        waits = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'fact'::regclass"
        return int(await until(lambda: connection.fetchval(waits), "the command to wait for the facts"))


@pytest.fixture
async def bench(terminal: Relay) -> Bench:
    await terminal.migrate()
    return Bench(terminal)


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
    assert (code, json.loads(printed)["differing"]) == (0, {"count": 0, "emails": {}, "leads": []})
    code, printed = await bench.backtest(LIVE, "--json", "--from", "2026-01-01")
    assert (code, json.loads(printed)["differing"]) == (0, None)
    async with connected(bench.url, "scorer") as connection:
        await connection.execute("UPDATE lead SET state = '{}' WHERE lead_id = $1", LEADS[0])
        await connection.execute("DELETE FROM fact WHERE lead_id = $1 AND id <> 'description'", LEADS[1])
        await connection.execute("DELETE FROM fact WHERE lead_id = $1", LEADS[3])
    for how in ("--json", "--html"):
        code, printed = await bench.backtest(LIVE, how)
        assert code == 1
        assert [lead in printed for lead in LEADS] == [True, True, False, True]
        assert "do not follow from the facts" in printed


async def test_who_is_an_alias_today_is_nobody_in_any_time_asked_for(bench: Bench) -> None:
    """The link is outside the time, and so is the unmerge of what came by another address."""
    device, person, old = lead_id_of(anonymous_id="a-1"), LEADS[0], LEADS[1]
    said = Link(alias=device, lead=person, alias_by="anonymous_id", lead_by="email")
    link = LeadLinked(id="link", source="tracker", subject=device, time=at(0), data=said)
    apart = LeadUnmerged(id="m", source="crm", subject=person, via=old, time=at(1), data=Merge(alias=old, lead=person))
    visit = an_engagement("webinar_attended", subject=device, id="visit", time=at(10))
    copy = visit.model_copy(update={"subject": person, "via": device})
    masked = an_engagement("content_downloaded", "pricing", subject=person, via=old, id="masked", time=at(10))
    await bench.fill(link, visit, apart, copy, masked)
    for window in (("--from", "2026-03-02T12:05Z"), ("--from", "2026-03-02T12:05Z", "--to", "2026-03-02T13:00Z"), ()):
        code, printed = await bench.backtest(STRICT, "--json", *window)
        told = json.loads(printed)
        paid = {line["rule"] for line in told["rules"] if (line["before"] or {"leads": 0})["leads"]}
        assert (code, told["leads"], paid) == (0, 1, {"webinar"}), window


async def test_all_is_of_one_moment_and_nothing_can_be_written(bench: Bench) -> None:
    facts = await bench.fill(*an_audience())
    decoder = a_scorer().inputs["engagements"]
    async with one_instant(bench.database, "scorer") as (connection, _):
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
    async with connected(bench.url, "scorer") as connection:
        await connection.execute("DROP SCHEMA scorer CASCADE")
    code, printed = await bench.backtest(STRICT)
    assert (code, printed) == (1, "The service's tables are not there yet: run its `migrate` first.\n")


async def test_ctrl_c_ends_it_quietly(bench: Bench) -> None:
    async with bench.stuck() as (process, _, _):
        process.send_signal(signal.SIGINT)
        output = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, output) == (130, (b"", b""))


async def test_a_connection_that_breaks_is_told_in_a_sentence(bench: Bench) -> None:
    async with bench.stuck() as (process, pid, connection):
        await connection.execute("SELECT pg_terminate_backend($1)", pid)
        output = b"".join(await asyncio.wait_for(process.communicate(), 20))
    assert process.returncode == 1
    assert output.decode().startswith("The database cannot be read now: ")
    assert output.count(b"\n") == 1
