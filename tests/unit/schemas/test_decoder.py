"""The strict decoder: an event, or a reason."""

import json
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from schemas.engagements import EngagementRecorded
from schemas.envelope import Decoder, Refused, UnknownEvent
from schemas.topics import TOPICS
from tests.builders import LEAD, NOON, an_engagement, an_opt_in

DECODER = Decoder(*TOPICS["engagements"].events)
SCORES = Decoder(*TOPICS["lead-scores"].events)
KEY = LEAD.encode()


def a_record(data: dict[str, Any] | None = None, **envelope: Any) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(an_engagement().encode())
    return {**whole, **envelope, "data": {**whole["data"], **(data or {})}}


def refusal(value: bytes | None, key: bytes | None = KEY, decoder: Decoder = DECODER) -> Refused:
    with pytest.raises(Refused) as caught:
        decoder.fact(key, value, NOON)
    return caught.value


def refusal_of(record: dict[str, Any], decoder: Decoder = DECODER) -> Refused:
    return refusal(json.dumps(record).encode(), decoder=decoder)


def test_an_event_comes_back_as_it_was_sent() -> None:
    sent = an_engagement("webinar_attended", properties={"minutes": 41, "live": True, "room": None, "share": 0.5})
    fact = DECODER.fact(KEY, sent.encode(), NOON)
    assert (fact.event, fact.lead_id, fact.value) == (sent, LEAD, sent.encode())
    assert (fact.key, fact.order) == (("tests", sent.id), (NOON, "tests", sent.id))
    assert fact.time.tzinfo is UTC


def test_a_clamped_fact_says_so_and_a_stored_one_keeps_the_time_it_was_given() -> None:
    value = an_engagement(time=NOON + timedelta(hours=1)).encode()
    fact = DECODER.fact(KEY, value, NOON)
    assert (fact.time, fact.clamped) == (NOON, True)
    again = DECODER.stored(value, fact.time, fact.fingerprint, fact.received)
    assert (again.time, again.fingerprint) == (fact.time, fact.fingerprint)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"plain words",
        b"\x00\x01avro",
        b'{"id": "\xff\xfe"}',
        b"[" * 100_000,
        b'{"data":' * 5_000,
        b"\xef\xbb\xbf{}",
        b'{"id": "\\ud800"}',
    ],
    ids=["none", "empty", "cut", "text", "binary", "not-utf8", "deep-list", "deep-object", "bom", "lone-surrogate"],
)
def test_what_is_not_json_is_refused_as_such(value: bytes | None) -> None:
    assert refusal(value).reason == "not_json"


@pytest.mark.parametrize("value", [b"null", b"[]", b"1", b'"x"', b"{}", b"1e400", b"NaN"])
def test_json_that_is_no_event_is_an_invalid_event(value: bytes) -> None:
    assert refusal(value).reason == "invalid_event"


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"id": "x" * 256}, "id"),
        ({"id": "line\nbreak"}, "id"),
        ({"id": 7}, "id"),
        ({"source": "\x00"}, "source"),
        ({"subject": "ada"}, "subject"),
        ({"subject": LEAD.upper()}, "subject"),
        ({"time": "2026-03-02T12:00:00"}, "time"),
        ({"time": 1772442000}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"time": "12026-03-02T12:00:00Z"}, "time"),
        ({"finaltime": "yes"}, "finaltime"),
        ({"data": {"kind": "Page Viewed"}}, "data.kind"),
        ({"data": {"kind": "a" * 65}}, "data.kind"),
        ({"data": {"machine": 1}}, "data.machine"),
        ({"data": {"identifiers": {"email": "ada"}}}, "data.identifiers.email"),
        ({"data": {"identifiers": {"user_id": "null"}}}, "data.identifiers.user_id"),
        ({"data": {"content": "x" * 1025}}, "data.content"),
        ({"data": {"properties": {"a": {"nested": 1}}}}, "data.properties"),
        ({"data": {"properties": {"a": float("nan")}}}, "data.properties"),
        ({"data": {"properties": {"a": float("inf")}}}, "data.properties"),
    ],
)
def test_an_invalid_event_is_refused_by_the_place_of_its_fault(wrong: dict[str, Any], place: str) -> None:
    data = wrong.pop("data", None)
    verdict = refusal_of(a_record(data, **wrong))
    assert verdict.reason == "invalid_event"
    assert place in verdict.detail.split(": ")[0]


def test_a_number_too_big_to_be_one_is_refused() -> None:
    value = json.dumps(a_record({"properties": {"a": 0}})).replace('"a": 0', '"a": 1e400')
    assert refusal(value.encode()).reason == "invalid_event"


def test_a_whole_number_beyond_64_bits_is_a_float() -> None:
    value = json.dumps(a_record({"properties": {"a": 10**30, "b": 2**63 - 1}})).encode()
    fact = DECODER.fact(KEY, value, NOON)
    assert fact.event.data.properties == {"a": 1e30, "b": 2**63 - 1}
    assert DECODER.event(fact.event.encode()) == fact.event


@pytest.mark.parametrize("digits", [400, 4_000, 10_000])
def test_a_number_of_many_digits_is_refused(digits: int) -> None:
    value = json.dumps(a_record({"properties": {"a": 0}})).replace('"a": 0', f'"a": 1{"0" * digits}').encode()
    assert refusal(value).reason in ("not_json", "invalid_event")


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity"])
def test_a_number_that_json_cannot_hold_is_refused_where_nobody_reads_it_too(number: str) -> None:
    value = json.dumps(a_record({"later": 0})).replace('"later": 0', f'"later": {number}').encode()
    assert refusal(value).reason == "invalid_event"
    assert refusal(value.replace(b"recorded", b"unheard")).reason == "invalid_event"


@pytest.mark.parametrize("place", ["content", "later"])
def test_a_nul_is_refused_where_nobody_reads_it_too(place: str) -> None:
    assert refusal_of(a_record({place: "a\0b"})).reason == "invalid_event"
    assert refusal_of(a_record({place: {"\0": 1}} if place == "later" else {place: "\\\0"})).reason == "invalid_event"
    kept = DECODER.fact(KEY, json.dumps(a_record({place: "\\u0000"})).encode(), NOON)
    assert kept.event.subject == LEAD


def test_an_event_of_a_mebibyte_is_too_large_however_it_came() -> None:
    assert refusal_of(a_record({"later": "x" * 1024 * 1024})).reason == "too_large"


@pytest.mark.parametrize(
    "type",
    ["baton.x\0.v1", "baton.x\n", "baton. x", "baton.\u00e9", "baton." + "x" * 123],
    ids=["nul", "line", "blank", "letter", "long"],
)
def test_a_type_is_short_and_of_printable_ascii(type: str) -> None:  # noqa: A002
    assert refusal_of(a_record(type=type)).reason == "invalid_event"


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("attribute", ["time", "sentat", "occurredat"])
@pytest.mark.parametrize(
    "time",
    ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00+00:01", "2200-01-01T00:00:01Z",
     "9999-12-31T23:59:59-23:59"],
)  # fmt: skip
def test_a_time_before_1970_or_after_2200_is_refused_however_final(time: str, attribute: str, final: bool) -> None:
    record = {**a_record(finaltime=final), attribute: time}
    assert refusal_of(record).reason == "invalid_event"
    assert refusal_of({**record, "type": "baton.lead.sung.v1"}).reason == "invalid_event"


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        waiting = [field.annotation]
        while waiting:
            each = waiting.pop()
            waiting += get_args(each)
            if isinstance(each, type) and issubclass(each, BaseModel):
                yield from _models(each)


def test_a_time_within_data_is_bounded_too_in_every_event() -> None:
    """By the JSON schema, where a time is a string: every one has the type that the envelope's times have."""
    for topic in TOPICS.values():
        for event in topic.events:
            for model in _models(event):
                for name, field in model.model_fields.items():
                    said = repr(field)
                    assert "AwareDatetime" not in said or "2200" in said, f"{model.__name__}.{name}"
                    assert "datetime.date'" not in said or "2200" in said, f"{model.__name__}.{name}"


def test_a_fact_that_a_stricter_version_refuses_stays_and_is_of_unknown_type() -> None:
    value = json.dumps(a_record({"kind": "Not A Kind", "odd": "\0"}, time="0001-01-01T00:00:00Z")).encode()
    fact = DECODER.stored(value, NOON, b"print", NOON)
    assert type(fact.event) is UnknownEvent
    assert (fact.order, fact.lead_id, fact.fingerprint, fact.value) == ((NOON, *fact.key), LEAD, b"print", value)


@pytest.mark.parametrize("key", [None, b"", LEAD.upper().encode(), b"\xff"])
def test_a_record_under_another_key_is_not_a_guess(key: bytes | None) -> None:
    assert refusal(an_engagement().encode(), key).reason == "wrong_key"


def test_a_time_out_of_range_is_refused() -> None:
    assert refusal(an_engagement(time=NOON + timedelta(days=2)).encode()).reason == "time_out_of_range"


def test_fields_of_a_later_minor_version_are_ignored() -> None:
    record = a_record({"mood": "curious"}, traceparent="00-1-2-3")
    assert DECODER.event(json.dumps(record).encode()) == an_engagement()


@pytest.mark.parametrize("decoder", [DECODER, SCORES], ids=["of-many", "of-one"])
def test_a_type_that_a_newer_service_invented_is_kept(decoder: Decoder) -> None:
    record = a_record(type="baton.lead.sung.v1")
    fact = decoder.fact(KEY, json.dumps(record).encode(), NOON)
    assert type(fact.event) is UnknownEvent
    assert (fact.event.type, fact.value) == ("baton.lead.sung.v1", json.dumps(record).encode())


@pytest.mark.parametrize("decoder", [DECODER, SCORES], ids=["of-many", "of-one"])
def test_a_strangers_type_or_none_is_refused(decoder: Decoder) -> None:
    assert refusal_of(a_record(type="com.example.thing"), decoder).reason == "invalid_event"
    assert refusal_of(a_record(type=None), decoder).reason == "invalid_event"
    untyped = a_record()
    del untyped["type"]
    assert refusal_of(untyped, decoder).reason == "invalid_event"


@pytest.mark.parametrize("attribute", ["specversion", "type"])
def test_an_attribute_that_cloudevents_requires_is_not_made_up(attribute: str) -> None:
    record = a_record()
    del record[attribute]
    assert refusal_of(record, Decoder(EngagementRecorded)).reason == "invalid_event"


def test_a_known_type_that_is_broken_does_not_pass_as_an_unknown_one() -> None:
    broken = {**a_record(), "data": {}}
    assert refusal_of(broken).detail == "baton.engagement.recorded.v1.data.kind: Field required"


def test_a_type_of_a_megabyte_makes_no_detail_of_a_megabyte() -> None:
    verdict = refusal_of(a_record(type="x" * 1_000_000))
    assert len(str(verdict)) < 400


def test_an_event_of_another_topic_is_kept_there_as_unknown() -> None:
    assert type(SCORES.event(an_opt_in().encode())) is UnknownEvent


@settings(deadline=None)  # a busy machine is no defect
@given(st.binary(max_size=200))
def test_bytes_of_any_kind_give_an_event_or_a_reason(value: bytes) -> None:
    assert refusal(value).reason in ("not_json", "invalid_event")


@settings(deadline=None)  # a busy machine is no defect
@given(
    st.fixed_dictionaries(
        {"kind": st.from_regex(r"\A[a-z][a-z0-9_]{0,20}\Z")},
        optional={
            "content": st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
            "properties": st.dictionaries(
                st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
                st.none()
                | st.booleans()
                | st.integers()
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
                max_size=4,
            ),
        },
    )
)
def test_encoding_and_decoding_lose_nothing(data: dict[str, Any]) -> None:
    fact = DECODER.fact(KEY, json.dumps(a_record(data)).encode(), NOON)
    again = DECODER.fact(KEY, fact.event.encode(), NOON)
    assert type(fact.event) is EngagementRecorded
    assert (again.event, again.fingerprint) == (fact.event, fact.fingerprint)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "PERSONAL"},
        {"type": "baton.PERSONAL.v1", "id": 1},
        {"time": "PERSONAL"},
        {"subject": "PERSONAL"},
        {"specversion": "PERSONAL"},
        {"data": {"kind": "PERSONAL"}},
        {"data": {"kind": "x", "properties": {"PERSONAL": [1]}}},
        {"data": {"kind": "x", "identifiers": {"email": "PERSONAL"}}},
    ],
)
def test_what_is_said_of_a_refused_event_quotes_nothing_of_it(change: dict[str, Any]) -> None:
    event = json.loads(an_engagement(id="1").encode()) | change
    with pytest.raises(Refused) as refused:
        Decoder(*TOPICS["engagements"].events).event(json.dumps(event).encode())
    assert "PERSONAL" not in str(refused.value)
