"""The auditor finds what is not as it should be: one thing changed by hand breaks its invariants, and no others."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from chassis.audit import Report
from tests.infrastructure import Room
from tests.integration.chassis import foreign
from tests.integration.chassis.auditing import Edit, Rest, audited, change, other_database, other_topics

DAY = 86_400
LEAD = "(SELECT min(lead_id) FROM {} WHERE {})"
SCORED = LEAD.format("scorer.lead", "(state #>> '{published,version}')::int > 1")
UNSCORED = LEAD.format("scorer.lead", "(state #>> '{published,version}')::int = 0")
FLOODED = LEAD.format("scorer.lead", "state #>> '{unkept,flood}' IS NOT NULL")
ERASED = LEAD.format("scorer.lead", "state ->> 'erased' IS NOT NULL")
HANDED_OFF = LEAD.format("router.lead", "state ->> 'episode' IS NOT NULL")
BREACHED = LEAD.format("sla_monitor.lead", 'state::jsonb @> \'{"clocks": [{"standing": "breached"}]}\'')
CLOCK = """(SELECT (n - 1)::text FROM json_array_elements(state -> 'clocks') WITH ORDINALITY AS c(clock, n)
    WHERE clock ->> 'standing' = 'breached' LIMIT 1)"""
PUT_CLOCK = """UPDATE sla_monitor.lead
    SET state = jsonb_set(state::jsonb, ARRAY['clocks', {}, '{}'], to_jsonb({})) WHERE lead_id = {}"""
PUT = "UPDATE {} SET state = jsonb_set(state::jsonb, '{}', to_jsonb({})) WHERE lead_id = {}"
COUNT = "UPDATE scorer.partition SET totals = totals::jsonb || jsonb_build_object({}) WHERE part = 0"
UP = "'{0}', (totals ->> '{0}')::int + 1"
FACTS = "lead_id, source, id, part, type, time, fingerprint, data"
A_FACT = """WHERE ctid = (SELECT min(fact.ctid) FROM scorer.fact JOIN scorer.lead USING (lead_id)
    WHERE state ->> 'unkept' = '{}' AND state ->> 'erased' IS NULL)"""

DATABASE: dict[str, tuple[str, set[str]]] = {
    "a fact is lost": (f"DELETE FROM scorer.fact {A_FACT}", {"I3"}),
    "a fact is invented": (
        f"INSERT INTO router.fact SELECT {FACTS.replace(' id', ' id || chr(33)')} FROM router.fact LIMIT 1",
        {"I3"},
    ),
    "a fact says other things": (f"UPDATE scorer.fact SET data = '{{}}' {A_FACT}", {"I3"}),
    "a fact is in another partition": (f"UPDATE scorer.fact SET part = (part + 1) % 4 {A_FACT}", {"I3"}),
    "a lead's row is lost": (
        f"DELETE FROM scorer.lead WHERE lead_id = {UNSCORED}",
        {"I3"},
    ),
    "a dropped event is not counted by its lead": (
        PUT.format("scorer.lead", "{unkept,flood}", "(state #>> '{unkept,flood}')::int - 1", FLOODED),
        {"I2", "I3"},
    ),
    "a dropped event is counted as a fact": (
        COUNT.format(UP.format("facts") + ", 'dropped:flood', (totals ->> 'dropped:flood')::int - 1").removesuffix("0")
        + f"(SELECT part FROM scorer.lead WHERE lead_id = {FLOODED})",
        {"I2"},
    ),
    "a fact of a flooded lead is lost": (
        f"DELETE FROM scorer.fact WHERE ctid = (SELECT min(ctid) FROM scorer.fact WHERE lead_id = {FLOODED})",
        {"I2", "I3"},
    ),
    "an erased lead says that less was deleted": (
        PUT.format("scorer.lead", "{erased,facts}", "(state #>> '{erased,facts}')::int - 1", ERASED),
        {"I2", "I3"},
    ),
    "the fact that erased a lead is lost": (
        f"DELETE FROM scorer.fact WHERE lead_id = {ERASED}",
        {"I2", "I3"},
    ),
    "a record is counted that was none": (COUNT.format(UP.format("records")), {"I2"}),
    "a duplicate is counted as a fact": (
        COUNT.format(UP.format("facts") + ", 'duplicates', (totals ->> 'duplicates')::int - 1"),
        {"I2"},
    ),
    "a dead letter is not counted": (
        "UPDATE sla_monitor.partition SET totals = totals::jsonb - 'dead_letters:not_json'"
        " WHERE totals ->> 'dead_letters:not_json' IS NOT NULL",
        {"I2"},
    ),
    "an outbox row is deleted before it was published": (
        "UPDATE router.partition SET out_seq = out_seq + 1, totals = totals::jsonb"
        " || jsonb_build_object('published', (totals ->> 'published')::int + 1) WHERE part = 0",
        {"I5"},
    ),
    "an offset is past the end": (
        "UPDATE scorer.partition SET offsets = jsonb_build_object('engagements', 1000000) WHERE part = 0",
        {"I10"},
    ),
    "a score's version is lowered": (
        PUT.format("scorer.lead", "{published,version}", "(state #>> '{published,version}')::int - 1", SCORED),
        {"I6"},
    ),
    "a score was never published": (
        PUT.format("scorer.lead", "{published,version}", "(state #>> '{published,version}')::int + 1", SCORED),
        {"I5"},
    ),
    "a handoff was never published": (
        PUT.format("router.lead", "{episode,qualification,episode}", "2", HANDED_OFF),
        {"I5"},
    ),
    "the state has another handoff": (
        PUT.format("router.lead", "{episode,qualification,handoff_id}", "'other'::text", HANDED_OFF),
        {"I7"},
    ),
    "a second handoff waits in the outbox": (
        "INSERT INTO router.outbox (part, seq, topic, partition, key, value, headers)"
        " SELECT part, 1000000, 'lead-handoffs', part, convert_to(lead_id, 'UTF8'), convert_to("
        " jsonb_set(jsonb_set(convert_from(data, 'UTF8')::jsonb, '{id}', '\"2\"'), '{data,handoff_id}', '\"2\"')::text,"
        " 'UTF8'), '[]' FROM sla_monitor.fact WHERE type = 'baton.lead.handed_off.v1' LIMIT 1",
        {"I7"},
    ),
    "a breach stands in public only": (
        PUT_CLOCK.format(CLOCK, "standing", "'met'::text", BREACHED),
        {"I8"},
    ),
    "a clock's version is lowered": (
        PUT_CLOCK.format(CLOCK, "version", f"(state #>> ARRAY['clocks', {CLOCK}, 'version'])::int - 1", BREACHED),
        {"I8"},
    ),
}


@pytest.mark.parametrize("tampering", DATABASE)
async def test_what_is_changed_in_the_database_is_found(rest: Rest, tampering: str) -> None:
    statement, broken = DATABASE[tampering]
    async with other_database(rest) as where:
        assert await change(where, statement) == 1
        found(await audited(where), broken)


def found(report: Report, broken: set[str]) -> None:
    """Exactly these are broken, each with an example that names no person."""
    verdicts = [each for each in report.invariants if each.verdict == "broken"]
    assert {each.name for each in verdicts} == broken, verdicts
    assert all(each.examples and each.violations >= len(each.examples) for each in verdicts)
    assert "@example.com" not in repr(report)


def once(wanted: Callable[[Any], bool], becomes: Edit) -> Edit:
    """Edits the first record that is wanted."""
    done: list[Any] = []

    def edit(record: Any) -> Any:
        if done or not wanted(record):
            return [record]
        done.append(record)
        return becomes(record)

    return edit


def of_kind(kind: str) -> Callable[[Any], bool]:
    return lambda record: kind in json.loads(record.value)["type"]


def altered(record: Any, **fields: Any) -> Any:
    """The record with some fields of its event's data changed; `id` is the event's."""
    event = json.loads(record.value)
    event["id"] = fields.pop("id", event["id"])
    event["data"] |= fields
    return replace(record, value=json.dumps(event).encode())


def reason(word: bytes) -> Callable[[Any], bool]:
    return lambda record: dict(record.headers)["x-dlq-reason"] == word


TOPICS: dict[str, tuple[str, Edit, set[str]]] = {
    "an output is lost": ("sla-clocks", once(of_kind("started"), lambda _: ()), {"I5"}),
    "a dead letter is lost": ("engagements-dlq", once(reason(b"not_json"), lambda _: ()), {"I2", "I5", "I10"}),
    "a conflict is not set aside": ("engagements-dlq", once(reason(b"id_conflict"), lambda _: ()), {"I2", "I5", "I10"}),
    "a dead letter holds other bytes": (
        "engagements-dlq",
        once(reason(b"not_json"), lambda r: [replace(r, value=b"other")]),
        {"I10"},
    ),
    "a dead letter is of no record": (
        "sales-activities-dlq",
        once(reason(b"not_json"), lambda r: [r, replace(r, headers=[*r.headers, ("x-dlq-offset", b"999999")])]),
        {"I5", "I10"},
    ),
    "a handoff under two ids": (
        "lead-handoffs",
        once(of_kind("handed_off"), lambda r: [r, altered(r, id="other", handoff_id="other")]),
        {"I5", "I7"},
    ),
    "a handoff told twice, and otherwise": (
        "lead-handoffs",
        once(of_kind("handed_off"), lambda r: [r, altered(r, origin={"first": "elsewhere"})]),
        {"I7"},
    ),
    "a score told twice, and otherwise": (
        "lead-scores",
        lambda r: [r] if r.offset else [r, altered(r, score=99)],
        {"I6"},
    ),
    "a breach told twice, and otherwise": (
        "sla-breaches",
        once(of_kind("breached"), lambda r: [r, altered(r, elapsed=0)]),
        {"I8"},
    ),
    "a breach before its due": (
        "sla-breaches",
        once(of_kind("breached"), lambda r: [altered(r, due="2099-01-01T00:00:00Z")]),
        {"I9"},
    ),
}
SHIFTED = {"lead-handoffs", "lead-scores"}
"""Topics that a service reads too: what is put into the middle of one moves the offsets of what is behind it."""


@pytest.mark.parametrize("tampering", TOPICS)
async def test_what_is_changed_on_a_topic_is_found(rest: Rest, tampering: str) -> None:
    topic, edit, broken = TOPICS[tampering]
    behind: list[Any] = []

    def at_the_end(record: Any) -> Any:
        kept, *more = edit(record)
        behind.extend(more)
        last = rest.records[topic][-1] is record
        return [kept, *(behind if last else ())]

    async with other_topics(rest, topic, at_the_end if topic in SHIFTED else edit) as where:
        found(await audited(where), broken)


async def test_an_input_that_says_other_things_than_its_fact(rest: Rest) -> None:
    item = once(lambda record: b'"data"' in (record.value or b""), lambda r: [altered(r, name="other")])
    async with other_topics(rest, "engagements", item) as where:
        report = await audited(where)
    assert "I3" in report.broken


async def test_a_duplicate_that_says_other_things(rest: Rest) -> None:
    seen: set[tuple[str, str]] = set()

    def repeats(record: Any) -> bool:
        told = record.value or b""
        if b'"occurredat"' not in told or b'"Other"' in told:  # a link has no such field, Other is a conflict already
            return False
        event = json.loads(record.value)
        key = (event["subject"], event["id"])
        known = key in seen
        seen.add(key)
        return known

    def later(record: Any) -> Any:
        event = json.loads(record.value)
        return [replace(record, value=json.dumps({**event, "occurredat": "2026-01-01T00:00:00Z"}).encode())]

    async with other_topics(rest, "engagements", once(repeats, later)) as where:
        found(await audited(where), {"I10"})


async def test_repeats_and_foreign_records_are_counted_and_break_nothing(rest: Rest) -> None:
    edit = once(of_kind("started"), lambda r: [r, r, replace(r, value=b'{"of": "somebody else"}')])
    async with other_topics(rest, "sla-clocks", edit) as where:
        report = await audited(where)
    assert report.broken == ()
    assert report.figures["repeats"] == {"sla-clocks": 1}
    assert report.figures["records of other producers"] == {"sla-clocks": 1}


async def test_what_retention_took_is_not_called_lost(rest: Rest) -> None:
    async with other_topics(rest, "engagements", lambda r: [r]) as where:
        for topic in ("engagements", "lead-scores", "engagements-dlq"):
            await take_beginning(where, topic, Counter(record.partition for record in rest.records[topic]))
        report = await audited(where)
    assert report.broken == ()
    assert any("engagements/" in each.text for each in report.invariants)


async def take_beginning(where: Room, topic: str, counts: Mapping[int, int]) -> None:
    """The first half of each partition is gone."""
    name = where.prefix + topic
    halves = {TopicPartition(name, part): RecordsToDelete(before_offset=count // 2) for part, count in counts.items()}
    async with admin_of(where) as admin:
        await admin.delete_records(halves)


async def tell(where: Room, topic: str, config: dict[str, str]) -> None:
    """The topic's configuration, beside which nothing that was told before stays."""
    async with admin_of(where) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, where.prefix + topic, config)])


@contextlib.asynccontextmanager
async def admin_of(where: Room) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=where.bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def test_records_nobody_has_read_yet_are_in_flight_however_they_were_written(rest: Rest) -> None:
    async with other_topics(rest, "engagements", lambda r: [r]) as where:
        async with AIOKafkaProducer(bootstrap_servers=where.bootstrap_servers) as producer:
            unreadable = foreign.batch([foreign.Raw(b"k", b"v", [(b"\xff", b"x")], 1)])
            await foreign.send(producer, where.prefix + "engagements", 0, unreadable)
            old = int((time.time() - 4 * DAY) * 1000)
            await tell(where, "lead-scores", {"message.timestamp.type": "CreateTime"})
            await producer.send_and_wait(where.prefix + "lead-scores", b"{", partition=0, timestamp_ms=old)
        await tell(where, "lead-scores", {"retention.ms": str(7 * DAY * 1000)})
        report = await audited(where)
    assert report.figures["in flight"] == {"scorer: engagements": 1, "router: lead-scores": 1}
    found(report, {"I11"})
