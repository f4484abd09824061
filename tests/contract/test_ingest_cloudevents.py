"""POST /v1/events: the three modes of CloudEvents over HTTP, their answers, and what is on the topic after them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.identity import lead_id_of
from tests.contract.conftest import PUBLIC, SERVER, SHOP, Broker, Door, Opens

ADA = lead_id_of(email="ada@example.com")
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
ATTRIBUTES = {"specversion": "1.0", "id": "e-1", "source": "/shop", "type": "com.example.demo.requested"}


def an_event(**more: object) -> dict[str, Any]:
    return {**ATTRIBUTES, "subject": "ada@example.com", **more}


async def sent(door: Door, body: object, media: str = STRUCTURED, key: str | None = PUBLIC, **headers: Any) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await door.post("/v1/events", body, key=key, headers={"Content-Type": media, **named})


@pytest.mark.parametrize("media", [STRUCTURED, f"{STRUCTURED}; charset=utf-8", "Application/CloudEvents+JSON"])
async def test_an_event_in_structured_mode_is_taken(door: Door, media: str) -> None:
    answer = await sent(door, an_event(data={"plan": "pro"}), media)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    [(key, event)] = await door.published()
    assert (key, event["subject"], event["sentby"]) == (ADA, ADA, "public")
    assert (event["id"], event["source"]) == ("e-1", f"cloudevents/{door.name}//shop")
    assert event["data"]["properties"] == {"plan": "pro"}
    assert (event["data"]["kind"], event["type"]) == ("demo_requested", "baton.engagement.recorded.v1")


async def test_in_binary_mode_attributes_are_percent_encoded_and_the_content_type_is_that_of_the_data(
    door: Door,
) -> None:
    named = {f"ce_{name}": value for name, value in ATTRIBUTES.items()}
    answer = await sent(
        door,
        b'{"plan": "pr\xc3\xb6"}',
        "application/json; charset=utf-8",
        **{**named, "ce_source": "/sh%C3%B6p%20%22x%22", "ce_subject": '"ada@example.com"', "ce_id": "%"},
    )
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    [(_, event)] = await door.published()
    assert (event["subject"], event["id"]) == (ADA, "%")
    assert event["source"].endswith('/shöp "x"')
    assert event["data"]["properties"] == {"plan": "prö"}


@pytest.mark.parametrize(("media", "body"), [("text/plain", b"hello"), ("", b""), ("application/xml", b"<a/>")])
async def test_data_that_is_not_json_is_no_property(door: Door, media: str, body: bytes) -> None:
    named = {f"ce_{name}": value for name, value in an_event().items()}
    answer = await sent(door, body, media, **named)
    assert answer.status_code == 202
    [(_, event)] = await door.published()
    assert event["data"]["properties"] == {}


async def test_a_batch_has_a_result_for_each_event_and_the_valid_ones_are_kept(door: Door) -> None:
    bad = [an_event(id="e-2", time="yesterday"), 7, an_event(id="e-3", subject="nobody")]
    answer = await sent(door, [an_event(), *bad, an_event(id="e-4")], BATCH)
    assert answer.status_code == 202
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (2, 3)
    assert [(error["path"], error["code"]) for error in answer.json()["errors"]] == [
        ("/1", "bad_time"),
        ("/2", "bad_item"),
        ("/3", "no_identifier"),
    ]
    assert [event["id"] for _, event in await door.published()] == ["e-1", "e-4"]
    assert [value["item"] for _, value in await door.published("events-rejected")] == bad
    assert door.count("rejected_total", reason="bad_time") == 1


async def test_an_empty_batch_is_valid_and_one_of_bad_events_is_refused(door: Door) -> None:
    answer = await sent(door, [], BATCH)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 0})
    answer = await sent(door, [{}, 7], BATCH)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_batch")
    assert [error["path"] for error in answer.json()["errors"]] == ["/0", "/1"]
    assert (await sent(door, [an_event()] * 501, BATCH)).status_code == 413


LARGE = an_event(data={"a": "b" * 300_000})
REFUSED: dict[str, tuple[object, str, int, str]] = {
    "not JSON": (b"{", STRUCTURED, 400, "bad_json"),
    "no object": ([an_event()], STRUCTURED, 400, "bad_body"),
    "no array": (an_event(), BATCH, 400, "bad_body"),
    "no id": ({**an_event(), "id": None}, STRUCTURED, 400, "bad_item"),
    "another version": (an_event(specversion="0.3"), STRUCTURED, 400, "bad_item"),
    "nobody": (an_event(subject="orders/7"), STRUCTURED, 422, "no_identifier"),
    "long ago": (an_event(time="2020-01-01T00:00:00Z"), STRUCTURED, 422, "time_out_of_range"),
    "NUL": (an_event(data={"a": "\0"}), STRUCTURED, 422, "nul_character"),
    "an erasure": (an_event(type="baton.lead.erased.v1", data={}), STRUCTURED, 403, "not_allowed"),
    "the class of another key": (
        an_event(type="baton.engagement.recorded.v1", sentby="server", data={"kind": "x"}),
        STRUCTURED,
        403,
        "not_allowed",
    ),
    "too large": (LARGE, STRUCTURED, 413, "too_large"),
    "plain JSON": (an_event(), "application/json", 415, "unsupported_type"),
    "Avro": (an_event(), "application/cloudevents+avro", 415, "unsupported_type"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_taken_is_answered_with_what_is_wrong(door: Door, case: str) -> None:
    body, media, status, code = REFUSED[case]
    answer = await sent(door, body, media)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert await door.published() == []
    if code in {"bad_item", "no_identifier", "not_allowed", "too_large"}:
        [(_, value)] = await door.published("events-rejected")
        assert (value["reason"], value["item"], value["sentby"]) == (code, body, "public")


@pytest.mark.parametrize(
    ("headers", "body", "path"),
    [
        ({"ce_source": "%FF"}, b"{}", "percent-encoded"),
        ({"ce_type": b"\xff"}, b"{}", "percent-encoded"),
        ({}, b'{}, "sentby": "server"', "not JSON"),
    ],
)
async def test_a_header_or_body_that_cannot_be_read_is_400(
    door: Door, headers: dict[str, Any], body: bytes, path: str
) -> None:
    named = {f"ce_{name}": value for name, value in an_event().items()} | headers
    answer = await sent(door, body, "application/json", **named)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_event")
    assert path in answer.json()["message"]
    assert await door.published() == []


async def test_the_wrong_key_and_the_wrong_page_are_refused(door: Door) -> None:
    assert (await sent(door, an_event(), key=None)).json()["code"] == "no_write_key"
    assert (await sent(door, an_event(), key="pk_unknown")).status_code == 401
    assert (await sent(door, an_event(), origin="https://other.example")).status_code == 403
    assert (await sent(door, an_event(), origin=SHOP)).status_code == 202
    answer = await door.post(
        f"/v1/events?writeKey={PUBLIC}", an_event(), key=None, headers={"Content-Type": STRUCTURED}
    )
    assert answer.status_code == 202


async def test_a_server_may_send_batons_own_events_as_to_the_topic(door: Door) -> None:
    time = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    about = {"source": f"crm/{door.name}", "time": time}
    data = {"kind": "webinar_attended", "identifiers": {"email": "ada@example.com", "user_id": "u-1"}}
    recorded = an_event(type="baton.engagement.recorded.v1", subject=ADA, data=data, **about)
    erased = an_event(id="e-2", type="baton.lead.erased.v1", subject={"userId": "u-1"}, data={}, **about)
    answer = await sent(door, [recorded, erased], BATCH, SERVER)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2})
    published = {event["type"]: event for _, event in await door.published()}
    first, second = (published[each["type"]] for each in (recorded, erased))
    assert {name: first[name] for name in ("id", "source", "subject")} == {
        name: recorded[name] for name in ("id", "source", "subject")
    }
    assert (first["data"]["kind"], first["occurredat"], first["sentby"]) == ("webinar_attended", _z(time), "server")
    assert second["subject"] == lead_id_of(user_id="u-1")
    assert "baton.lead.linked.v1" in published


def _z(time: str) -> str:
    return time.replace("+00:00", "Z")


async def test_a_repeated_name_is_refused_from_servers(door: Door) -> None:
    doubled = json.dumps(an_event()).replace('"e-1"', '"e-1", "id": "e-2"').encode()
    assert (await sent(door, doubled, key=SERVER)).json()["code"] == "repeated_name"
    assert (await sent(door, doubled)).status_code == 202


async def test_the_webhook_handshake_allows_delivery(door: Door) -> None:
    asks = {"WebHook-Request-Origin": "events.example.com", "WebHook-Request-Rate": "120"}
    answer = await door.http.options("/v1/events", headers=asks)
    assert answer.status_code == 200
    assert answer.headers["webhook-allowed-origin"] == "events.example.com"
    assert answer.headers["webhook-allowed-rate"] == "*"
    assert "POST" in answer.headers["allow"]


async def test_past_what_may_be_in_flight_it_asks_to_retry(broker: Broker, opened: Opens) -> None:
    async with opened(broker, in_flight_events=1) as door:
        answer = await sent(door, [an_event(), an_event(id="e-2")], BATCH)
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "overloaded", "2")
