"""The bad-input matrix: every case is answered as its row says, nothing that a client sends ends in a 5xx."""

import asyncio
import gc
import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from schemas.envelope import Decoder, Refused
from schemas.topics import TOPICS
from tests.contract.conftest import SERVER, Broker, Door, Opens, RealKafka

NOW = datetime.now(UTC)
BOMB = gzip.compress(b'{"batch":["' + b" " * 4_000_000 + b'"]}', 9)
WHOLE = gzip.compress(b'{"userId":"ada@example.com"}')


def deep(levels: int) -> bytes:
    """A track call with `levels` of objects in one another, the call itself the first."""
    return b'{"userId":"u1","event":"X","properties":' + b'{"a":' * (levels - 1) + b"1" + b"}" * (levels - 1) + b"}"


BODIES = {
    "empty": (b"", 400, "bad_json"),
    "null": (b"null", 400, "bad_body"),
    "array at the top": (b"[]", 400, "bad_body"),
    "text at the top": (b'"x"', 400, "bad_body"),
    "not JSON": (b"user=1", 400, "bad_json"),
    "cut off": (b'{"userId":"u1","event":"X', 400, "bad_json"),
    "100,000 levels": (b"[" * 100_000, 400, "too_deep"),
    "33 levels, not quite JSON": (deep(33).replace(b"1}", b"NaN}"), 400, "too_deep"),
    "UTF-16": ('{"userId":"u1","event":"X"}'.encode("utf-16"), 400, "bad_json"),
    "33 levels": (deep(33), 400, "too_deep"),
    "33 KiB event": (json.dumps({"userId": "u1", "event": "X" * 33_000}).encode(), 413, "too_large"),
}


@pytest.mark.parametrize("case", BODIES)
async def test_a_body_that_cannot_be_read_is_refused(door: Door, case: str) -> None:
    body, status, code = BODIES[case]
    answer = await door.post("/v1/track", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["message"]
    assert isinstance(answer.json()["errors"], list)
    assert await door.published() == await door.published("events-rejected") == []


async def test_32_levels_are_not_too_deep(door: Door) -> None:
    assert (await door.post("/v1/track", deep(32))).status_code == 200
    assert len(await door.published()) == 1


@pytest.mark.parametrize(
    ("body", "encoding", "status", "code"),
    [
        pytest.param(BOMB, "gzip", 413, "too_large", id="bomb"),
        pytest.param(WHOLE[:-4], "gzip", 400, "bad_gzip", id="no end"),
        pytest.param(WHOLE + WHOLE, "gzip", 400, "bad_gzip", id="two members"),
        pytest.param(WHOLE + b"x", "gzip", 400, "bad_gzip", id="a byte more"),
        pytest.param(b"", "gzip", 400, "bad_json", id="empty"),
        pytest.param(zlib.compress(b"{}"), "gzip", 400, "bad_json", id="zlib"),
        pytest.param(b"\x1f\x8b{}", "", 400, "bad_gzip", id="gzip's first bytes alone"),
        pytest.param(WHOLE, "br", 415, "unsupported_encoding", id="brotli"),
        pytest.param(WHOLE, "gzip, gzip", 415, "unsupported_encoding", id="twice"),
    ],
)
async def test_a_body_that_cannot_be_inflated_is_refused(
    door: Door, body: bytes, encoding: str, status: int, code: str
) -> None:
    answer = await door.post("/v1/page", body, headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("batch", "status"), [([], 400), (None, 400), ({"a": 1}, 400), ([1] * 501, 413), ([1] * 500, 200)]
)
async def test_a_batch_has_1_to_500_calls(door: Door, batch: object, status: int) -> None:
    assert (await door.post("/v1/batch", {"batch": batch})).status_code == status


REFUSED = {
    "no object": ("x", "bad_item"),
    "no type": ({"userId": "u1"}, "unknown_type"),
    "type of another family": ({"type": ["track"], "userId": "u1"}, "unknown_type"),
    "nobody": ({"type": "page", "userId": None, "anonymousId": None}, "no_identifier"),
    "junk": ({"type": "page", "anonymousId": "[object Object]"}, "no_identifier"),
    "no address": ({"type": "identify", "traits": {"email": "ada"}}, "no_identifier"),
    "control character": ({"type": "page", "userId": "a\u0007b"}, "no_identifier"),
    "an object for an id": ({"type": "page", "userId": {"a": 1}}, "no_identifier"),
    "NUL in a value": ({"type": "page", "userId": "u1", "properties": {"a": ["\0"]}}, "nul_character"),
    "NUL in a name": ({"type": "page", "userId": "u1", "properties": {"a\0": 1}}, "nul_character"),
    "25 h ahead": ({"type": "page", "userId": "u1", "timestamp": str(NOW + timedelta(hours=25))}, "time_out_of_range"),
    "91 days": ({"type": "page", "userId": "u1", "timestamp": str(NOW - timedelta(days=91))}, "time_out_of_range"),
    "year 9999": ({"type": "page", "userId": "u1", "timestamp": "9999-12-31T23:59:59Z"}, "time_out_of_range"),
    "year 1": ({"type": "page", "userId": "u1", "timestamp": "0001-01-01T00:00:00+14:00"}, "time_out_of_range"),
    "year 9999 sent": (
        {"type": "page", "userId": "u1", "timestamp": str(NOW), "sentAt": "9999-12-31T23:59:59-14:00"},
        "time_out_of_range",
    ),
    "leap second": ({"type": "page", "userId": "u1", "timestamp": "2016-12-31T23:59:60Z"}, "bad_time"),
    "no time of day": ({"type": "page", "userId": "u1", "timestamp": "2026-03-02"}, "bad_time"),
    "date 0": ({"type": "page", "userId": "u1", "timestamp": 0}, "bad_time"),
    "too long": ({"type": "page", "userId": "u1", "properties": {"a": "b" * 33_000}}, "too_large"),
    "id of 256": ({"type": "page", "userId": "u1", "messageId": "a" * 256}, "bad_event"),
    "id with a line break": ({"type": "page", "userId": "u1", "messageId": "a\nb"}, "bad_event"),
    "id of 0": ({"type": "page", "userId": "u1", "messageId": 0}, "bad_item"),
    "a machine perhaps": ({"type": "page", "userId": "u1", "properties": {"machine": "maybe"}}, "bad_item"),
    "traits in a list": ({"type": "identify", "userId": "u1", "traits": ["a"]}, "bad_item"),
    "a name of 2,000": ({"type": "identify", "userId": "u1", "traits": {"name": "a" * 2000}}, "bad_event"),
    "no event name": ({"type": "track", "userId": "u1"}, "bad_item"),
    "a name of signs": ({"type": "track", "userId": "u1", "event": "!!!"}, "bad_item"),
}


async def test_an_item_that_is_no_event_is_set_aside_with_its_reason(door: Door) -> None:
    answer = await door.post("/v1/batch", {"batch": [item for item, _ in REFUSED.values()]})
    assert answer.status_code == 200
    assert await door.published() == []
    rejected = [value for _, value in await door.published("events-rejected")]
    assert dict(zip(REFUSED, [value["reason"] for value in rejected], strict=True)) == {
        case: reason for case, (_, reason) in REFUSED.items()
    }
    assert [value["item"] for value in rejected] == [item for item, _ in REFUSED.values()]


async def test_an_item_as_large_as_a_body_is_set_aside_whole(door: Door) -> None:
    item = {"type": "page", "userId": "u1", "properties": {"a": "b" * 1_000_000}}
    body = gzip.compress(json.dumps({"batch": [item]}).encode())
    answer = await door.post("/v1/batch", body, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 200
    [(_, value)] = await door.published("events-rejected")
    assert (value["reason"], value["item"]) == ("too_large", item)


AMPLIFIED = b"[" + b"1e15," * 200_000 + b"1e15]"
"""About 1 MB, which a parser would write anew as 3.8 MB; 1.5 KB as gzip."""


async def test_what_would_grow_when_written_anew_is_set_aside_in_its_own_bytes(door: Door) -> None:
    body = b'{"batch": [ {"a":1e15} ,' + AMPLIFIED + b', {"type":"page","userId":"u1"},\n"x"],"batch2":[]}'
    answer = await door.post("/v1/batch", gzip.compress(body), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 200
    rejected = [value for _, value in await door.published("events-rejected")]
    assert [value["reason"] for value in rejected] == ["unknown_type", "too_large", "bad_item"]
    assert [value["item"] for value in rejected] == [{"a": 1e15}, json.loads(AMPLIFIED), "x"]
    assert len(await door.published()) == 1


async def test_what_is_larger_than_its_topic_takes_is_cut_and_says_so(broker: Broker, opened: Opens) -> None:
    item = b'"' + "\u00e9".encode() * 2_000_000 + b'"'
    async with opened(broker, inflated=5_000_000) as door:
        answer = await door.post(
            "/v1/batch", gzip.compress(b'{"batch":[%b,7]}' % item), headers={"Content-Encoding": "gzip"}
        )
        assert answer.status_code == 200
        [large, small] = [value for _, value in await door.published("events-rejected")]
    assert (large["reason"], large["cut"], "item" in large) == ("too_large", len(item), False)
    assert item.startswith(large["beginning"][:8000].encode())
    assert (small["item"], "cut" in small) == (7, False)


async def test_twenty_senders_of_what_is_refused_cost_the_others_nothing(broker: Broker, opened: Opens) -> None:
    bomb, good = gzip.compress(b'{"batch":[' + AMPLIFIED + b"]}"), {"type": "page", "userId": "u1"}
    async with opened(broker, answer_deadline=timedelta(seconds=60)) as door:
        requests = [
            door.post("/v1/batch", bomb, headers={"Content-Encoding": "gzip"}) if n % 2 else door.post("/v1/page", good)
            for n in range(40)
        ]
        assert {answer.status_code for answer in await asyncio.gather(*requests)} == {200}
        if isinstance(broker, RealKafka):
            assert broker.publisher.rebuilds == 0
        assert (len(await door.published()), len(await door.published("events-rejected"))) == (20, 20)


KEPT = {
    "a clock a little fast": {"type": "page", "userId": "u1", "timestamp": str(NOW + timedelta(hours=1))},
    "a userId that is a number": {"type": "page", "userId": 42},
    "2^53 + 1": {"type": "track", "userId": "u1", "event": "X", "properties": {"n": 2**53 + 1}},
    "an unknown kind": {"type": "track", "userId": "u1", "event": "Never heard of"},
    "sentAt that is no time": {"type": "page", "userId": "u1", "timestamp": str(NOW), "sentAt": "yesterday"},
    "nested properties": {"type": "page", "userId": "u1", "properties": {"a": {"b": 1}, "c": [1], "d": None}},
    "a bad URL": {"type": "page", "userId": "u1", "properties": {"url": "http://[bad"}},
    "escaped backslash before u0000": {"type": "page", "userId": "u1", "properties": {"a": "\\u0000"}},
}


async def test_odd_items_are_kept_and_every_consumer_can_read_them(door: Door) -> None:
    answer = await door.post("/v1/batch", {"batch": list(KEPT.values())})
    assert answer.status_code == 200
    assert await door.published("events-rejected") == []
    decoder = Decoder(*TOPICS["engagements"].events)
    events = await door.published()
    assert len(events) == len(KEPT)
    for key, event in events:
        fact = decoder.fact((key or "").encode(), json.dumps(event).encode(), datetime.now(UTC))
        assert fact.time <= datetime.now(UTC)
    assert door.count("properties_dropped_total") == 2


SALES = {
    "empty": (b"", 400, []),
    "null": (b"null", 400, []),
    "repeated name": (b'{"type":"sales.contacted","type":"sales.accepted","subject":"ada@example.com"}', 400, []),
    "33 levels": (b"[" * 33 + b"]" * 33, 400, []),
    "no object": (b"[1]", 422, ["/0"]),
    "no type": (b'{"subject":"ada@example.com"}', 422, ["/type"]),
    "no subject": (b'{"type":"sales.contacted"}', 422, ["/subject"]),
    "subject nobody": (b'{"type":"sales.contacted","subject":"ada"}', 422, ["/subject"]),
    "no zone": (b'{"type":"sales.contacted","subject":"a@b.cd","time":"2026-03-02T12:00:00"}', 422, ["/time"]),
    "long ago": (b'{"type":"sales.contacted","subject":"a@b.cd","time":"2020-03-02T12:00:00Z"}', 422, ["/time"]),
    "Baton's source": (b'{"type":"sales.contacted","subject":"a@b.cd","source":"baton/router"}', 422, ["/source"]),
    "another version": (b'{"type":"sales.contacted","subject":"a@b.cd","specversion":"0.3"}', 422, ["/specversion"]),
    "data in base64": (b'{"type":"sales.contacted","subject":"a@b.cd","data_base64":"e30="}', 422, ["/data_base64"]),
    "misspelt": (b'{"type":"sales.contacted","subject":"a@b.cd","data":{"outbond":true}}', 422, ["/data/outbond"]),
    "no reason": (b'{"type":"sales.recycled","subject":"a@b.cd","data":{}}', 422, ["/data/reason"]),
    "other, no note": (b'{"type":"deal.lost","subject":"a@b.cd","data":{"reason":"other"}}', 422, ["/data"]),
    "NUL": (b'{"type":"sales.contacted","subject":"a@b.cd","data":{"note":"\\u0000"}}', 422, []),
    "501": (json.dumps([1] * 501).encode(), 413, []),
    "none": (b"[]", 200, []),
}


@pytest.mark.parametrize("case", SALES)
async def test_sales_activities_are_read_strictly(door: Door, case: str) -> None:
    body, status, paths = SALES[case]
    answer = await door.post("/v1/sales-activities", body, key=SERVER)
    assert answer.status_code == status
    assert [error["path"] for error in answer.json().get("errors", []) if error["path"]] == paths
    assert await door.published("sales-activities") == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/batch", 405, "method_not_allowed"),
        ("POST", "/v1/batch/v1/batch", 404, "no_such_route"),
        ("POST", "/v1/nowhere", 404, "no_such_route"),
        ("GET", "/docs", 404, "no_such_route"),
        ("GET", "/openapi.json", 404, "no_such_route"),
    ],
)
async def test_only_the_routes_answer(door: Door, method: str, path: str, status: int, code: str) -> None:
    answer = await door.http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_refused_item_is_out_of_memory_once_it_is_answered(door: Door) -> None:
    """Its body of 1 MB takes 15 MB once parsed, and a cycle of references would wait for a collection that is rare."""
    await door.post("/v1/batch", {"batch": [["warm"]]})
    gc.collect()
    gc.disable()
    try:
        answer = await door.post("/v1/batch", {"batch": [[1e15] * 10_000, {"type": "track", "userId": "null"}]})
        assert answer.status_code == 200
        assert [each for each in gc.get_objects() if isinstance(each, Refused)] == []
        assert [each for each in gc.get_objects() if isinstance(each, list) and len(each) == 10_000] == []
    finally:
        gc.enable()
