"""What becomes of an item that ingest refused: the events that today's ingest makes of it, or the reason why none."""

import asyncio
import json
from collections import Counter
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord

import ingest.rules
from chassis.kafka.dead_letter import unsent
from chassis.kafka.publisher import Record
from desk.letters.commands import _kinds
from desk.letters.letter import DeadLetters
from desk.letters.overview import lines_of, whole
from desk.letters.rejected import Rejected, RejectedItems
from desk.letters.replay import Replay
from ingest.formats import ENGAGEMENTS, Formats, Origin, read
from ingest.http import calls
from ingest.settings import Limits
from schemas.envelope import Decoder, Refused
from schemas.topics import TOPICS
from tests.builders import EMAIL, NOON

LIMITS = Limits()
MOST = LIMITS.event
FORMATS = Formats(Path(__file__).parents[3] / "deploy" / "mappings")
ITEM: dict[str, Any] = {"userId": EMAIL, "event": "Webinar Attended", "messageId": "m-1"}


def fetched(record: Record) -> Any:
    """The record as fetched from `events-rejected`."""
    value, headers = record.value, tuple((name, text or b"") for name, text in record.headers)
    return ConsumerRecord(record.topic, 0, 3, 1, 1, record.key, value, None, 0, len(value or b""), headers)


def rejected(item: Any, call: str | None = "track", batch: dict[str, Any] | None = None, **more: Any) -> Rejected:
    """The item as ingest itself sets it aside."""
    found = calls.Sorted("segment/web", "public", NOON)
    about = {"reason": "bad_time", "detail": "why", **calls.about(found, call, batch or {}), **more}
    return Rejected.of(fetched(calls.rejected(json.dumps(item).encode(), about)), LIMITS, FORMATS)


def why_not(entry: Rejected) -> str:
    with pytest.raises(Refused) as refused:
        entry.replayed()
    assert refused.value.reason in RejectedItems.fates
    return refused.value.reason


def test_an_item_that_is_good_today_becomes_the_event_that_ingest_would_have_published() -> None:
    [event], _ = calls.taken(ITEM, calls.Call("segment/web", "public", NOON, "track", None), LIMITS)
    first, second = rejected(ITEM).replayed(), rejected(ITEM).replayed()
    assert [asdict(record) for record in first] == [asdict(record) for record in second]
    assert [(each.topic, each.key, each.value) for each in first] == [
        ("engagements", event.subject.encode(), event.encode())
    ]
    assert first[0].headers[-1] == ("x-dlq-replay-of", b"events-rejected/0/3")
    read = Decoder(*TOPICS["engagements"].events).fact(first[0].key, first[0].value, NOON + timedelta(days=300))
    assert read.time == NOON


def test_the_batch_it_came_in_and_the_route_are_known_again() -> None:
    sent = NOON - timedelta(hours=1)
    item = {**ITEM, "type": "track", "timestamp": (sent - timedelta(minutes=5)).isoformat()}
    [record] = rejected(item, None, {"sentAt": sent.isoformat()}).replayed()
    assert json.loads(record.value or b"")["time"] == (NOON - timedelta(minutes=5)).isoformat().replace("+00:00", "Z")
    assert why_not(rejected(ITEM, None)) == "unknown_type"


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({**ITEM, "userId": None}, "no_identifier"),
        ({**ITEM, "timestamp": "yesterday"}, "bad_time"),
        ({**ITEM, "properties": {"a": "b" * 40_000}}, "too_large"),
        ({**ITEM, "properties": {"a": "\0"}}, "nul_character"),
        ([], "bad_item"),
    ],
)
def test_what_is_still_wrong_stays_refused_with_its_reason(item: Any, reason: str) -> None:
    assert why_not(rejected(item)) == reason


def test_a_cut_item_a_set_aside_output_and_a_foreign_record_cannot_be_replayed() -> None:
    large = Rejected.of(
        fetched(calls.rejected(b"x" * (calls.MOST_WHOLE + 1), rejected(ITEM).about() | SAID)), LIMITS, FORMATS
    )
    assert (why_not(large), large.about()["cut"]) == ("cut", calls.MOST_WHOLE + 1)
    assert (
        why_not(Rejected.of(fetched(unsent(Record("lead-scores", b"k", b"{}"), "scorer", 1, 7)), LIMITS, FORMATS))
        == "unsent"
    )
    for value in (b"", b"{}", b"[" * 100_000, b'{"reason": 1}'):
        assert why_not(Rejected.of(fetched(Record("events-rejected", None, value)), LIMITS, FORMATS)) == "foreign"


SAID = {"reason": "too_large", "detail": "why", "source": "segment/web", "received_at": NOON.isoformat()}


@pytest.mark.parametrize("number", ["1" + "0" * 30, "9" * 300])
def test_an_integer_past_64_bits_is_read_as_ingest_reads_it(number: str) -> None:
    item = json.dumps({**ITEM, "properties": {"n": 0}}).replace(": 0}", f": {number}}}").encode()
    entry = Rejected.of(fetched(calls.rejected(item, SAID | {"call": "track"})), LIMITS, FORMATS)
    assert [record.topic for record in entry.replayed()] == ["engagements"]


def test_an_item_that_is_not_quite_json_is_read_as_ingest_reads_it() -> None:
    said = SAID | {"call": "track"}
    item = b'{"userId":"ada@example.com","event":"X","properties":{"a":NaN,"b":"\xff\\ud800\n"}}'
    entry = Rejected.of(fetched(calls.rejected(item, said, strict=False)), LIMITS, FORMATS)
    [record] = entry.replayed()
    assert json.loads(record.value or b"")["data"]["properties"] == {"b": "\ufffd\ufffd\n"}
    assert any("NaN" in line for line in lines_of(entry, RejectedItems.fates))


def test_an_item_too_large_once_is_replayed_after_the_limit_was_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_LIMITS__EVENT", str(2 * MOST))
    kind, _ = _kinds("rejected")
    large = calls.rejected(json.dumps({**ITEM, "properties": {"a": "b" * MOST}}).encode(), SAID | {"call": "track"})
    assert [record.topic for record in kind.of(fetched(large)).replayed()] == ["engagements"]


def test_one_item_that_fails_unexpectedly_does_not_stop_a_replay() -> None:
    unread = [replace(rejected(ITEM), value=value) for value in (b'{"item": NaN}', b"[]", b'{"item":' + b"[" * 9_999)]
    fates = Counter[tuple[str, str, str]]()

    async def replay() -> None:
        run = Replay(None, {"engagements"}, fates)
        for entry in (*unread, rejected(ITEM)):
            await run.take(entry)
        await run.flush()

    asyncio.run(replay())
    assert fates.total() == 4
    assert fates["events-rejected", "bad_time", "replayed"] == 1
    assert fates["events-rejected", "bad_time", "bad_item"] == 3
    for entry in unread:
        assert lines_of(entry, RejectedItems.fates)
        assert whole(entry)["replay"]["refused"] == "bad_item"


def test_a_cut_item_is_shown() -> None:
    large = Rejected.of(fetched(calls.rejected(b"x" * (calls.MOST_WHOLE + 1), SAID)), LIMITS, FORMATS)
    assert ["cut", str(calls.MOST_WHOLE + 1)] in [line.split() for line in lines_of(large, RejectedItems.fates)]


def test_every_reason_of_ingest_has_words_and_each_kind_knows_its_topics() -> None:
    assert ingest.rules.REASONS.keys() <= RejectedItems.fates.keys()
    there = ["engagements", "engagements-dlq", "events-rejected"]
    assert (DeadLetters().topics(there), RejectedItems(LIMITS, FORMATS).topics(there)) == ({there[1]}, {there[2]})


def test_a_record_set_aside_whole_is_split_again_and_each_item_has_its_own_id() -> None:
    origin = Origin("inbox/calls", "server", NOON, "segment", frozenset((ENGAGEMENTS,)), "place")
    about = {"reason": "unreadable", "detail": "why", **origin.as_json(), "address": "calls/0/3", "whole": True}
    batch = json.dumps({"batch": [{"type": "track", **ITEM, "messageId": None}] * 2}).encode()
    entry = Rejected.of(fetched(calls.rejected(b"\0\0\0\0\1" + batch, about, strict=False)), LIMITS, FORMATS)
    assert [json.loads(record.value or b"")["id"] for record in entry.replayed()] == ["place/0", "place/1"]
    assert entry.about()["origin"] == "calls/0/3"
    avro = Rejected.of(fetched(calls.rejected(b"\0\0\0\0\1\xff", about, strict=False)), LIMITS, FORMATS)
    assert why_not(avro) == "unreadable"


def test_what_a_webhook_refused_is_read_by_its_format_as_it_is_today() -> None:
    item = {"subscriptionType": "contact.creation", "portalId": 1, "objectId": 2, "eventId": 3, "subscriptionId": 4}
    origin = Origin("webhook/hub", "server", NOON, "hubspot", frozenset((ENGAGEMENTS,)), "w-1", queued=True)
    about = {"reason": "bad_time", "detail": "why", **origin.as_json()}
    when = int(NOON.timestamp() * 1000)
    entry = Rejected.of(
        fetched(calls.rejected(json.dumps({**item, "occurredAt": when}).encode(), about)), LIMITS, FORMATS
    )
    expected = read({**item, "occurredAt": when}, FORMATS.find("hubspot"), origin, LIMITS).events
    assert [record.value for record in entry.replayed()] == [event.encode() for event in expected]
    unknown = Rejected.of(fetched(calls.rejected(b"{}", {**about, "format": "../x"})), LIMITS, FORMATS)
    assert why_not(unknown) == "unreadable"
    silent = Rejected.of(fetched(calls.rejected(json.dumps(item).encode(), {**about, "sends": []})), LIMITS, FORMATS)
    assert why_not(silent) == "not_allowed"
