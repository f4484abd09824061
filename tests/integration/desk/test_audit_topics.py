"""The auditor finds changes on a topic, and does not report expired or unread records as lost."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from tests.infrastructure import Room
from tests.integration.chassis import foreign
from tests.integration.desk.auditing import WHOLE, Edit, Rest, audited, found, other_topics
from tests.topics import admin, configure

DAY = 86_400


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
        once(of_kind("scored"), lambda r: [r, altered(r, score=99)]),
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


def engagement_of(record: Any) -> dict[str, Any] | None:
    """What the record says of a lead of whom all is kept; None for other records, and for what is a conflict already.

    A link to another name has no time of its own, and is left out too.
    """
    told = record.value or b""
    if b'"occurredat"' not in told or b'"Other"' in told:
        return None
    event: dict[str, Any] = json.loads(told)
    return event if event["subject"] in WHOLE else None


async def test_an_input_that_says_other_things_than_its_fact(rest: Rest) -> None:
    item = once(lambda record: engagement_of(record) is not None, lambda r: [altered(r, name="other")])
    async with other_topics(rest, "engagements", item) as where:
        report = await audited(where)
    assert "I3" in report.broken


async def test_a_duplicate_that_says_other_things(rest: Rest) -> None:
    seen: set[tuple[str, str]] = set()

    def repeats(record: Any) -> bool:
        event = engagement_of(record)
        if event is None:
            return False
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
    async with admin(where.bootstrap_servers) as client:
        await client.delete_records(halves)


async def test_records_nobody_has_read_yet_are_in_flight_however_they_were_written(rest: Rest) -> None:
    async with other_topics(rest, "engagements", lambda r: [r]) as where:
        async with AIOKafkaProducer(bootstrap_servers=where.bootstrap_servers) as producer:
            unreadable = foreign.batch([foreign.Raw(b"k", b"v", [(b"\xff", b"x")], 1)])
            await foreign.send(producer, where.prefix + "engagements", 0, unreadable)
            old = int((time.time() - 4 * DAY) * 1000)
            await configure(
                where.bootstrap_servers, f"{where.prefix}lead-scores", {"message.timestamp.type": "CreateTime"}
            )
            await producer.send_and_wait(where.prefix + "lead-scores", b"{", partition=0, timestamp_ms=old)
        week = {"retention.ms": str(7 * DAY * 1000)}
        await configure(where.bootstrap_servers, f"{where.prefix}lead-scores", week)
        report = await audited(where)
    assert report.figures["in flight"] == {"scorer: engagements": 1, "router: lead-scores": 1}
    found(report, {"I11"})
