"""CloudEvents in binary mode become what they are in structured mode."""

import json
from typing import Any

import pytest

from schemas.binary import of_record
from schemas.envelope import Decoder, Refused
from schemas.sizes import MAX_RECORD
from schemas.topics import TOPICS
from tests.builders import LEAD, NOON, an_engagement

DECODER = Decoder(*TOPICS["engagements"].events)
EVENT = an_engagement("webinar_attended", properties={"room": "Zürich"})
DATA = b'{"kind":"webinar_attended", "properties":{"room":"Z\xc3\xbcrich"}}\n'
STRUCTURED = {**json.loads(EVENT.encode()), "data": json.loads(DATA)}
JSON = ("content-type", b"application/json; charset=utf-8")
Headers = list[tuple[str, bytes | None]]


def headers(**attributes: bytes) -> Headers:
    said = {
        "specversion": b"1.0",
        "id": EVENT.id.encode(),
        "source": b"tests",
        "type": EVENT.type.encode(),
        "subject": LEAD.encode(),
        "time": NOON.isoformat().encode(),
        **attributes,
    }
    return [(f"ce_{name}", value) for name, value in said.items()]


def read(said: Headers, value: bytes | None = DATA) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(of_record(said, value) or b"")
    return found


def test_it_is_the_same_fact_as_in_structured_mode_and_the_data_keeps_its_bytes() -> None:
    value = of_record([JSON, *headers(myextension="ü".encode())], DATA)
    fact = DECODER.fact(LEAD.encode(), value, NOON)
    structured = DECODER.fact(LEAD.encode(), json.dumps(STRUCTURED).encode(), NOON)
    assert (fact.event, fact.fingerprint) == (structured.event, structured.fingerprint)
    assert fact.value == value
    assert DATA in (value or b"")
    assert read([JSON, *headers(myextension="ü".encode())])["myextension"] == "ü"


def test_the_order_of_headers_makes_no_difference() -> None:
    assert of_record([JSON, *headers()], DATA) == of_record([*reversed(headers()), JSON], DATA)


@pytest.mark.parametrize(
    "said",
    [
        [],
        [("content-type", b"application/cloudevents+json")],
        [("content-type", b"Application/CloudEvents+json; charset=utf-8"), *headers()],
        [("trace", b"1"), ("ce_id", b"1"), ("a", None), ("b", b""), ("c", b"")],
    ],
)
def test_a_record_in_another_mode_stays_as_it_is(said: Headers) -> None:
    assert of_record(said, DATA) is DATA


def test_flags_are_truth_values_and_other_attributes_texts() -> None:
    said = read([JSON, *headers(timetrusted=b"true", finaltime=b"yes", priority=b"1")])
    assert (said["timetrusted"], said["finaltime"], said["priority"]) == (True, "yes", "1")


@pytest.mark.parametrize(
    ("media", "value", "member"),
    [
        ("application/json", b"[1e15]", {"data": [1e15]}),
        ("application/vnd.x+json; a=b", b"1", {"data": 1}),
        ("", b'{"a": 1}', {"data": {"a": 1}}),
        ("", b"{", {"data_base64": "ew=="}),
        ("text/plain", b"12", {"data_base64": "MTI="}),
        ("application/json", None, {}),
        ("application/json", b"", {}),
    ],
)
def test_data_is_json_where_it_is_said_to_be(media: str, value: bytes | None, member: dict[str, Any]) -> None:
    said = read([*headers(), *([("content-type", media.encode())] if media else [])], value)
    assert {name: said[name] for name in said if name.startswith("data") and name != "datacontenttype"} == member
    assert said.get("datacontenttype", "") == media


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ([JSON, *headers()], b'{}, "via": "x"'),
        ([JSON, *headers()], b"{"),
        ([JSON, *headers()], b"\xff"),
        ([JSON, *headers(), ("ce_id", b"other")], DATA),
        ([JSON, *headers(source=b"\xff")], DATA),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(said: Headers, value: bytes) -> None:
    with pytest.raises(Refused) as refused:
        of_record(said, value)
    assert refused.value.reason == "invalid_event"


def test_an_attribute_cannot_stand_for_the_data() -> None:
    said = read([JSON, *headers(data=b"x", datacontenttype=b"y", data_base64=b"eA==", Big=b"z")])
    assert said["data"]["kind"] == "webinar_attended"
    assert {"Big", "data_base64"} & said.keys() == set()
    assert said["datacontenttype"] == "application/json; charset=utf-8"


def test_a_record_without_an_attribute_is_refused_by_the_decoder() -> None:
    value = of_record([JSON, *(each for each in headers() if each[0] != "ce_id")], DATA)
    with pytest.raises(Refused) as refused:
        DECODER.fact(LEAD.encode(), value, NOON)
    assert refused.value.reason == "invalid_event"


def test_a_record_too_large_is_not_parsed() -> None:
    large = b" " * (MAX_RECORD + 1)
    assert of_record([JSON, *headers()], large) is large
