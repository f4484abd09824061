"""Faults by outsiders: an import of old events, hostile records, an open transaction."""

import asyncio
import json
import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from baton_local.topics import PARTITIONS
from schemas.identity import partition_of
from tests.chaos.book import Book
from tests.chaos.broker import Producer
from tests.chaos.outsiders import BOMB_BYTES, MARK, TEMPLATES, good, hostile, stranger, writing
from tests.chaos.people import EMAIL, INDUSTRIES, SIZES
from tests.chaos.senders import Platform
from tests.chaos.traffic import Doing, Json
from tests.chaos.trial import Trial
from tests.topics import ends

IMPORT_EVENTS, IMPORT_LEADS = 12_000, 2_000
IMPORTED = 60
"""Seconds from the last event of an import until everything has been judged."""
HOSTILE_ROUNDS = 4
"""Each makes a dozen in a row: together more than the 20 failures of our own making that stop a partition."""
OUTSIDE = ("engagements", "sales-activities")
"""Topics that others write to. On Baton's own the limiter takes every record for Baton's, so one round has to do."""
OPEN_SECONDS = 25
"""Longer than every promise to call, shorter than a clock's patience with its feed (60 s)."""
HEADERS = [(MARK, b"1")]


class Archive(Platform):
    """An old CRM's events of 61 to 89 days ago, each lead's one after another."""

    source = "chaos-archive"

    def _doing(self) -> Doing:
        chance = self._chance
        person = f"{self._name}-{self._number % IMPORT_LEADS}@example.com"
        done = (datetime.now(UTC) - timedelta(days=chance.uniform(61, 89))).isoformat()
        kind, data = "newsletter_opened", Json()
        if chance.random() < 0.02:
            company = random.Random(person)  # always the same, as in Traffic: points may only grow with what is known
            kind, data = "", {**company.choice(SIZES), "industry": company.choice(INDUSTRIES)}
        return Doing(f"{self._name}-{self._number}", {EMAIL: person}, done, kind, data)


async def imports(trial: Trial) -> None:
    """An import from a CRM, as fast as the broker takes it: old events, of which the policy has to find that
    nothing is left."""
    archive = Archive(0, f"archive-{trial.chance.getrandbits(40)}", IMPORT_EVENTS / IMPORT_LEADS, Counter())
    producer = Producer(trial.stage.room.bootstrap_servers, "engagements", Book())
    try:
        while trial.happened["old events"] < IMPORT_EVENTS:
            messages = archive.due(500, time.monotonic())
            await producer.send(messages)
            for message in messages:
                archive.settle(message)
            trial.probe.acknowledged |= {key for message in messages if not message.poison for key in message.keys}
            trial.happened["old events"] += len(messages)
    finally:
        await producer.stop()
    trial.over()


async def writes_rubbish(trial: Trial) -> None:
    """Records that decode and can mean nothing, many in a row in one partition of every input topic, and one that
    is a thousand times larger than it looks."""
    servers = trial.stage.room.bootstrap_servers
    async with writing(servers) as producer:
        for topic in TEMPLATES:
            lead = stranger(trial.chance)
            for number in range(HOSTILE_ROUNDS if topic in OUTSIDE else 1):
                for value in hostile(topic, lead, f"hostile-{number}"):
                    await producer.send(topic, value, key=lead.encode(), headers=HEADERS)
                    trial.happened["hostile records"] += 1
        await producer.flush()
    async with writing(servers, compression_type="zstd") as producer:
        lead = stranger(trial.chance)
        await producer.send_and_wait("engagements", b" " * BOMB_BYTES, key=lead.encode(), headers=HEADERS)
        trial.happened["compressed bombs"] += 1
    trial.over()


async def leaves_open(trial: Trial) -> None:
    """A producer's transaction stays open on every partition of `sales-activities`, so that what sales tells
    meanwhile cannot be read; then it commits or aborts."""
    servers, topic, commits = trial.stage.room.bootstrap_servers, "sales-activities", trial.chance.random() < 0.5
    chosen = (stranger(trial.chance) for _ in range(100))
    leads = {partition_of(lead.encode(), PARTITIONS): lead for lead in chosen}
    trial.notes["commits"] = commits
    async with writing(servers, transactional_id=f"outsider-{trial.chance.getrandbits(40)}") as producer:
        await producer.begin_transaction()
        for part, lead in leads.items():
            await _tell(producer, part, lead, "inside")
        await asyncio.sleep(OPEN_SECONDS)
        last, stable = await ends(servers, topic), await ends(servers, topic, isolation="read_committed")
        trial.happened["records held back"] += sum(last.values()) - sum(stable.values()) - len(leads)
        await (producer.commit_transaction() if commits else producer.abort_transaction())
    async with writing(servers) as producer:  # or the transaction's end would be the last that a reader never reaches
        for part, lead in leads.items():
            await _tell(producer, part, lead, "after")
    trial.over()


async def _tell(producer: Any, part: int, lead: str, id_: str) -> None:
    value = json.dumps(good("sales-activities", lead, id_)).encode()
    await producer.send_and_wait("sales-activities", value, key=lead.encode(), partition=part, headers=HEADERS)
