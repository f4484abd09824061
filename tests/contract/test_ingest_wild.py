"""What senders do in the wild, over HTTP: one odd value never costs the other items of its batch."""

import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from ingest.rules import MENDED
from schemas.envelope import Decoder
from schemas.identity import lead_id_of
from schemas.topics import TOPICS
from tests.contract.conftest import SERVER, Broker, Door, Opens

CALL = b'{"batch":[{"type":"page","userId":"u1","messageId":"m1"}]}'
BOM = b"\xef\xbb\xbf"
ODD = {
    "lone surrogate": (rb'{"a":"x\ud83d"}', {"a": "x\ufffd"}, {"half_character": 1}),
    "lone surrogate in a name": (rb'{"\uDE00":1}', {"\ufffd": 1}, {"half_character": 1}),
    "a text cut within a character": (b'{"a":"x\xf0\x9f"}', {"a": "x\ufffd"}, {"half_character": 1}),
    "another character set": (b'{"a":"caf\xe9"}', {"a": "caf\ufffd"}, {"half_character": 1}),
    "NaN": (b'{"a":NaN,"b":1}', {"b": 1}, {"not_finite": 1}),
    "Infinity": (b'{"a":-Infinity,"b":Infinity,"c":2}', {"c": 2}, {"not_finite": 2}),
    "1e400": (b'{"a":1e400}', {}, {"not_finite": 1}),
    "1e100000": (b'{"a":1e100000}', {}, {"not_finite": 1}),
    "5,000 digits": (b'{"a":' + b"9" * 5000 + b"}", {}, {"not_finite": 1}),
    "2^64 beside": (b'{"a":NaN,"b":18446744073709551616}', {"b": 2.0**64}, {"not_finite": 1}),
    "a line break in a text": (b'{"a":"x\ny"}', {"a": "x\ny"}, {}),
}


@pytest.mark.parametrize("case", ODD)
async def test_one_odd_value_concerns_its_item_only(door: Door, case: str) -> None:
    properties, kept, mended = ODD[case]
    odd = b'{"type":"track","userId":"u1","messageId":"odd","event":"X","properties":' + properties + b"}"
    good = b'{"type":"page","userId":"u2","messageId":"good"}'
    answer = await door.post("/v1/batch", b'{"batch":[' + good + b"," + odd + b"]}")
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    decoder = Decoder(*TOPICS["engagements"].events)
    events = {}
    for key, event in await door.published():
        decoder.fact((key or "").encode(), json.dumps(event).encode(), datetime.now(UTC))
        events[event["id"]] = event["data"]["properties"]
    assert events == {"good": {}, "odd": kept}
    assert {what: door.count("values_mended_total", what=what) for what in ("half_character", "not_finite")} == {
        **{"half_character": 0, "not_finite": 0},
        **mended,
    }


async def test_what_is_not_taken_as_sent_is_counted_and_the_event_says_so(door: Door) -> None:
    naive = datetime.now(UTC).isoformat()[:19]
    page = {"type": "page", "userId": "u1", "timestamp": naive, "messageId": "m1"}
    sizes = [{"type": "identify", "userId": "u1", "traits": {"employees": size}} for size in ("many", "51-200", -1)]
    lost = {"type": "page", "timestamp": naive}
    assert (await door.post("/v1/batch", {"batch": [page, *sizes, lost]})).status_code == 200
    events = [event for _, event in await door.published()]
    assert [event.get("zoneassumed") for event in events if event["id"] == "m1"] == [True]
    described = [event["data"] for event in events if event["type"] == "baton.lead.described.v1"]
    assert [each.get("company_size_range") for each in described] == [None, {"least": 51, "most": 200}, None]
    assert door.count("values_mended_total", what="company_size") == 2
    assert door.count("values_mended_total", what="no_zone") == 1  # of a refused item nothing is taken
    assert all(
        door.registry.get_sample_value("baton_ingest_values_mended_total", {"what": what}) is not None
        for what in MENDED
    )


async def test_a_batch_without_zones_is_replayed_as_it_was_judged(door: Door) -> None:
    sent = datetime.now(UTC).isoformat()[:19]
    for stamp in (sent, f"{sent}Z"):
        await door.post("/v1/batch", {"batch": [7], "sentAt": stamp})
    assert [value["sent_at"] for _, value in await door.published("events-rejected")] == [sent, f"{sent}+00:00"]


async def test_two_identifiers_that_lost_a_character_are_not_one_person(door: Door) -> None:
    calls = [rb'{"type":"page","userId":"u\ud83d","anonymousId":"a1"}', rb'{"type":"page","userId":"u\ud83e"}']
    address = rb'{"type":"page","context":{"traits":{"email":"\ud83d@example.com"}},"anonymousId":"a2"}'
    answer = await door.post("/v1/batch", b'{"batch":[' + b",".join([*calls, address]) + b"]}")
    assert answer.status_code == 200
    assert {key for key, _ in await door.published()} == {lead_id_of(anonymous_id=name) for name in ("a1", "a2")}
    assert door.count("identifiers_dropped_total", identifier="user_id", why="lost_characters") == 1
    assert door.count("identifiers_dropped_total", identifier="email", why="no_address") == 1
    [(_, value)] = await door.published("events-rejected")
    assert value["reason"] == "no_identifier"


REFUSED = [
    rb'{"type":"track","event":"X","properties":{"a":NaN}}',
    rb'{"type":"page" , "name":"\ud800"}',
    b'{"type":"page","name":"caf\xe9"}',
    b'{"type":"page","name":"a\nb"}',
    b'{"type":"page","name":"a\x00b","userId":"u1"}',
]


async def test_a_refused_item_that_is_not_json_is_kept_in_its_own_bytes(door: Door) -> None:
    body = b'{"batch":[' + b",".join([*REFUSED, b"7"]) + b"]}"
    assert (await door.post("/v1/batch", body)).status_code == 200
    *odd, plain = [value for _, value in await door.published("events-rejected")]
    assert [value["item_text"].encode(value["item_encoding"]) for value in odd] == REFUSED
    assert [value["reason"] for value in odd] == ["no_identifier"] * 4 + ["nul_character"]
    assert plain["item"] == 7


async def test_a_refused_single_call_is_kept_in_its_own_bytes_without_its_key(door: Door) -> None:
    call = b'{"event":"X","properties":{"a":NaN}, "writeKey":"pk_for_tests"}'
    assert (await door.post("/v1/track", call, key=None)).status_code == 200
    [(_, value)] = await door.published("events-rejected")
    assert value["item_text"] == '{"event":"X","properties":{"a":NaN}}'


async def test_an_odd_item_that_grows_past_its_topic_is_cut(broker: Broker, opened: Opens) -> None:
    item = b'"' + b"\x01" * 400_000 + b'"'
    async with opened(broker) as door:
        assert (await door.post("/v1/batch", b'{"batch":[' + item + b",8]}")).status_code == 200
        [large, small] = [value for _, value in await door.published("events-rejected")]
    assert (large["cut"], "item_text" in large, small["item"]) == (len(item), False, 8)


async def test_a_body_that_is_mended_has_a_limit_of_its_own(broker: Broker, opened: Opens) -> None:
    body = CALL.replace(b'"m1"', b'"m1","a":NaN')
    async with opened(broker, lenient=len(body)) as door:
        assert (await door.post("/v1/batch", body)).status_code == 200
        answer = await door.post("/v1/batch", body + b" ")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")


@pytest.mark.parametrize("encoding", ["", "gzip", "x-gzip", "identity"])
@pytest.mark.parametrize("bom", [b"", BOM], ids=["", "BOM"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
async def test_the_first_bytes_decide_whether_it_is_gzip(
    door: Door, encoding: str, bom: bytes, compressed: bool
) -> None:
    async def by_bytes() -> AsyncIterator[bytes]:
        for byte in gzip.compress(bom + CALL) if compressed else bom + CALL:
            yield bytes([byte])

    headers = {"Content-Encoding": encoding} if encoding else {}
    assert (await door.post("/v1/batch", content=by_bytes(), headers=headers)).status_code == 200
    assert [event["id"] for _, event in await door.published()] == ["m1"]
    assert door.count("in_flight_bytes") == 0


async def test_what_a_body_is_once_inflated_takes_room_too(broker: Broker, opened: Opens) -> None:
    async with opened(broker, in_flight_bytes=2_000) as door:
        answer = await door.post("/v1/batch", gzip.compress(CALL + b" " * 2_000))
        assert (answer.status_code, answer.json()["code"], door.count("in_flight_bytes")) == (503, "overloaded", 0)


async def test_a_refused_item_behind_a_byte_order_mark_is_found(door: Door) -> None:
    assert (await door.post("/v1/batch", BOM + b'{"batch":[7]}')).status_code == 200
    assert [value["item"] for _, value in await door.published("events-rejected")] == [7]


async def test_a_sales_activity_is_read_as_leniently(door: Door) -> None:
    note = rb'{"type":"sales.contacted","subject":"a@b.cd","data":{"episode":NaN,"note":"x\ud83d"}}'
    for body in (note, BOM + note, gzip.compress(note)):
        assert (await door.post("/v1/sales-activities", body, key=SERVER)).status_code == 200
    assert [event["data"]["note"] for _, event in await door.published("sales-activities")] == ["x\ufffd"] * 3
    assert door.count("values_mended_total", what="not_finite") == 3
    twice = b'{"type":"sales.contacted","type":"sales.accepted","subject":"a@b.cd","data":{"note":"\n"}}'
    answer = await door.post("/v1/sales-activities", twice, key=SERVER)
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated_name")
