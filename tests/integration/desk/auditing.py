"""Data for the auditor's tests: a relay's finished traffic, and copies of it to tamper with."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

import desk.auditing
from chassis.process.settings import Database, Kafka
from desk.audit import Report
from schemas.identity import id_of_content, lead_id_of, partition_of
from schemas.topics import TOPICS
from tests.builders import an_engagement
from tests.e2e import people
from tests.infrastructure import Infrastructure, Room, connected, room
from tests.relay import Relay
from tests.until import until

LEADS = 12
EMAILS = tuple(f"person-7-{number}@example.com" for number in range(LEADS))
CALLED = EMAILS[:3]
"""Those who are followed up in time, of which nobody hears before the breach is out."""

ERASED = (EMAILS[5], "flooded@example.com")
FLOOD = 550
"""Engagements of one lead, more than are kept of a day."""
WHOLE = {lead_id_of(email=email) for email in (*EMAILS[:4], *EMAILS[6:])}
"""Leads of whom nothing was dropped."""

Records = dict[str, list[Any]]
Edit = Callable[[Any], Sequence[Any]]
"""What a record becomes in a copy: itself, another one, several, none."""


@dataclass(frozen=True)
class Rest:
    """A system that has done its work and is stopped: where, and every record of it by topic."""

    servers: Infrastructure
    room: Room
    records: Records


async def audited(where: Room, **more: Any) -> Report:
    """What the auditor finds there."""
    kafka = Kafka(bootstrap_servers=where.bootstrap_servers, prefix=where.prefix)
    return await desk.auditing.audited(kafka, Database(url=SecretStr(where.url)), **more)


def found(report: Report, broken: set[str]) -> None:
    """Exactly these are broken, each with an example that names no person."""
    verdicts = [each for each in report.invariants if each.verdict == "broken"]
    assert {each.name for each in verdicts} == broken, verdicts
    assert all(each.examples and each.violations >= len(each.examples) for each in verdicts)
    assert "@example.com" not in repr(report)


async def busy(running: Relay) -> None:
    """Leads who qualify, a crowd, duplicates, an id with other content, poison, late follow-ups; until all is quiet."""
    items = people.crowd(200, LEADS, seed=7) + [item for email in reversed(EMAILS) for item in people.qualified(email)]
    other = {**people.identified(EMAILS[0], name="Other"), "messageId": items[-3]["messageId"]}
    for batch in (items, people.shuffled(items, 1)[:60], [other]):
        assert (await running.batch(batch)).status_code == 200
    for start in range(0, FLOOD, 50):
        some = [people.tracked(email, "Brochure Held") for email in (EMAILS[4], ERASED[1]) for _ in range(50)]
        assert (await running.batch(some)).status_code == 200, start
    await poison(running.room)
    await retried(running.room)
    await in_binary_mode(running.room)

    async def breached() -> bool:
        return len(await running.events("sla-breaches", "breached")) >= LEADS

    await until(breached, "every first follow-up to be missed", 60)
    await follow_up(running)
    await forget(running)

    async def retracted() -> bool:
        told = await running.events("sla-breaches", "retracted")
        owed = await running.query("scorer", "SELECT 1 FROM outbox UNION ALL SELECT 1 FROM router.outbox")
        return len(told) >= len(CALLED) and not owed

    await until(retracted, "the breaches to be taken back", 60)


async def poison(where: Room) -> None:
    """Three records that nobody can read, on each topic that outsiders write to."""
    part = partition_of(lead_id_of(email=EMAILS[0]).encode(), 4)
    async with AIOKafkaProducer(bootstrap_servers=where.bootstrap_servers) as producer:
        for topic in ("engagements", "sales-activities"):
            for value in (b"{", b'{"specversion": "1.0"}', None):
                await producer.send_and_wait(where.prefix + topic, value, key=b"k", partition=part)


async def retried(where: Room) -> None:
    """An event with neither id nor time, and its retry in the next minute: the same event under another id."""
    lead, first = lead_id_of(email="retry@example.com"), datetime.now(UTC) - timedelta(hours=1)
    async with AIOKafkaProducer(bootstrap_servers=where.bootstrap_servers) as producer:
        for time in (first, first + timedelta(minutes=1)):
            event = an_engagement(id="derived", subject=lead, time=time).model_copy(update={"finaltime": True})
            value = event.model_copy(update={"id": id_of_content(event)}).encode()
            await producer.send_and_wait(where.prefix + "engagements", value, key=lead.encode())


async def in_binary_mode(where: Room) -> None:
    """Two events with their attributes in headers, the second one with data that is not JSON."""
    event = an_engagement(id="binary", subject=lead_id_of(email="binary@example.com"), time=datetime.now(UTC))
    attributes = event.model_dump(mode="json", exclude={"data", "finaltime", "timetrusted"}, exclude_none=True)
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    headers.append(("content-type", b"application/json"))
    async with AIOKafkaProducer(bootstrap_servers=where.bootstrap_servers) as producer:
        for data in (event.data.model_dump_json(exclude_none=True, indent=1).encode(), b"{"):
            await producer.send_and_wait(
                where.prefix + "engagements", data, key=event.subject.encode(), headers=headers
            )


async def forget(running: Relay) -> None:
    """Two leads are erased, one of them flooded, and heard of again; one is suppressed."""
    for verb, email in (("erase", ERASED[0]), ("erase", ERASED[1]), ("suppress", EMAILS[6])):
        code, printed = await running.baton(verb, email, "--yes")
        assert code == 0, printed
    for email in ERASED:

        async def erased(email: str = email) -> bool:
            await running.batch([people.tracked(email, "Email Opened")])
            code, printed = await running.baton("explain", email, "--json")
            return code == 0 and bool(json.loads(printed)["dropped"].get("erased"))

        await until(erased, "the lead to be erased", 30)


async def follow_up(running: Relay) -> None:
    """Calls half a second after the handoff, told late and twice."""
    wanted = {lead_id_of(email=email) for email in CALLED}
    for event in await running.events("lead-handoffs", "handed_off"):
        if event["subject"] in wanted:
            at = datetime.fromisoformat(event["data"]["handed_off_at"]) + timedelta(seconds=0.5)
            told = {"type": "sales.contacted", "subject": event["subject"], "id": f"call-{event['subject']}"}
            activity = {**told, "time": at.isoformat(), "data": {}}
            for _ in range(2):
                assert (await running.sales(activity)).status_code == 200


async def records_of(running: Relay) -> Records:
    """Every record of every topic."""
    return {topic: await running.records(topic) for topic in TOPICS}


async def change(where: Room, *statements: str) -> int:
    """Changes the room's database; returns how many rows that were."""
    async with connected(where.url) as connection:
        return sum([int((await connection.execute(each)).split()[-1]) for each in statements])


@contextlib.asynccontextmanager
async def other_database(rest: Rest) -> AsyncIterator[Room]:
    """The same topics with a copy of the database, gone after the block."""
    name = f"{rest.room.database}_copy"
    async with connected(rest.servers.admin_url) as admin:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {rest.room.database}")
        try:
            yield replace(rest.room, database=name)
        finally:
            await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextlib.asynccontextmanager
async def other_topics(rest: Rest, topic: str, edit: Edit) -> AsyncIterator[Room]:
    """A copy of everything, in which each record of `topic` is what `edit` makes of it."""
    async with room(rest.servers, rest.room.database) as where:
        async with AIOKafkaProducer(bootstrap_servers=where.bootstrap_servers) as producer:
            for name, records in rest.records.items():
                for record in (each for one in records for each in (edit(one) if name == topic else [one])):
                    await producer.send(
                        where.prefix + name,
                        record.value,
                        record.key,
                        record.partition,
                        record.timestamp,
                        list(record.headers),
                    )
        yield where
