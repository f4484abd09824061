"""What becomes of a dead letter: the record that a replay publishes, or the reason why there is none."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kafka.consumer import Received
from chassis.kafka.dead_letter import dead_letter
from desk.letters.entry import Address
from desk.letters.letter import DeadLetters, Letter
from desk.letters.overview import lines_of
from schemas.envelope import Decoder, Refused
from schemas.topics import TOPICS
from tests.builders import LEAD, NOON

DECODER = Decoder(*TOPICS["engagements"].events)
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "tracker",
    "type": "baton.engagement.recorded.v1",
    "subject": LEAD,
    "time": "2026-03-02T11:00:00.000001+01:00",
    "data": {"kind": "page_viewed", "properties": {"a": 0.1, "b": None, "name": "Zoë"}},
}
LATER = NOON + timedelta(days=300)


def fetched(topic: str, key: bytes | None, value: bytes | None, headers: Any = ()) -> Received:
    """A record as fetched, appended at NOON."""
    return Received(topic, 1, 7, int(NOON.timestamp() * 1000), key, value, tuple(headers))


def a_letter(
    value: bytes | None = None, reason: str = "invalid_event", key: bytes | None = LEAD.encode(), **fields: Any
) -> Letter:
    """The letter as the chassis itself writes it: the event refused that was appended at NOON."""
    value = json.dumps(EVENT | fields).encode() if value is None else value
    headers = [("trace", b"\xff"), ("none", None)]
    written = dead_letter(fetched("engagements", key, value, headers), Refused(reason, "why"), "scorer")
    return Letter.of(fetched(written.topic, written.key, written.value, written.headers))


def test_neither_headers_nor_content_of_a_stranger_add_a_line_or_control_the_terminal() -> None:
    hostile = "x\n\x1b[2J\u202e"
    written = dead_letter(
        fetched("engagements", hostile.encode(), hostile.encode(), [(hostile, hostile.encode())]),
        Refused("invalid_event", hostile),
        "scorer",
    )
    letter = Letter.of(fetched(written.topic, written.key, written.value, written.headers))
    assert all(line.isprintable() for line in lines_of(letter, DeadLetters.fates))


def test_an_event_in_binary_mode_is_replayed_in_structured_mode() -> None:
    said = {name: str(value) for name, value in EVENT.items() if name != "data"}
    headers = [*((f"ce_{name}", value.encode()) for name, value in said.items()), ("content-type", b"application/json")]
    value = json.dumps(EVENT["data"]).encode()
    written = dead_letter(
        fetched("engagements", LEAD.encode(), value, [("trace", b"1"), *headers]),
        Refused("rules_failed", "why"),
        "scorer",
    )
    letter = Letter.of(fetched(written.topic, written.key, written.value, written.headers))
    [record] = letter.replayed()
    fact = DECODER.fact(record.key, record.value, LATER)
    assert (fact.event.id, fact.event.finaltime, fact.time) == ("1", True, datetime.fromisoformat(EVENT["time"]))
    assert [name for name, _ in record.headers] == ["trace", "x-dlq-replay-of"]
    assert letter.value == value


def why_not(letter: Letter) -> str:
    with pytest.raises(Refused) as refused:
        letter.replayed()[0]
    return refused.value.reason


def test_event_goes_where_it_came_from_with_its_key_and_headers_and_nothing_of_the_letter() -> None:
    record = a_letter().replayed()[0]
    assert (record.topic, record.key, record.partition) == ("engagements", LEAD.encode(), None)
    assert list(record.headers) == [("trace", b"\xff"), ("none", None), ("x-dlq-replay-of", b"engagements-dlq/1/7")]


@pytest.mark.parametrize(
    ("fields", "time"),
    [
        ({}, NOON.replace(hour=10, microsecond=1)),
        ({"sentat": "2026-03-02T12:30:00Z", "time": "2026-03-02T12:00:00Z"}, NOON - timedelta(minutes=30)),
        ({"sentat": "2026-03-02T09:00:00Z", "timetrusted": True}, NOON.replace(hour=10, microsecond=1)),
        ({"time": "2026-03-02T20:00:00Z"}, NOON),
        ({"finaltime": True, "time": "2020-01-01T00:00:00Z"}, datetime(2020, 1, 1, tzinfo=UTC)),
    ],
)
def test_time_is_judged_once_against_the_day_the_event_first_came(fields: dict[str, Any], time: datetime) -> None:
    letter = a_letter(**fields)
    original = DECODER.fact(letter.key, letter.value, NOON)
    replayed = DECODER.fact(letter.key, letter.replayed()[0].value, LATER)
    assert replayed.time == original.time == time
    assert (replayed.key, replayed.fingerprint) == (original.key, original.fingerprint)
    assert not replayed.clamped


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
PROPERTY = st.none() | st.booleans() | st.integers() | TEXT
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
MINUTES = st.floats(-90_000, 1_000)


@given(st.dictionaries(TEXT, PROPERTY | NUMBER), MINUTES.map(lambda n: NOON + timedelta(minutes=n)))
def test_fingerprint_is_the_one_that_the_original_has(properties: dict[str, Any], time: datetime) -> None:
    letter = a_letter(time=time.isoformat(), data={"kind": "page_viewed", "properties": properties})
    original = DECODER.fact(letter.key, letter.value, NOON)
    first = letter.replayed()[0]
    again = a_letter(first.value or b"", "rules_failed").replayed()[0]
    assert again.value == first.value
    replayed = DECODER.fact(first.key, first.value, LATER)
    assert (replayed.time, replayed.fingerprint) == (original.time, original.fingerprint)


def test_an_event_with_its_time_final_keeps_its_bytes() -> None:
    value = json.dumps(EVENT | {"finaltime": True, "later": 1}, indent=3).encode()
    assert a_letter(value).replayed()[0].value == value


def test_fields_that_nobody_knows_yet_are_kept() -> None:
    value = json.loads(a_letter(later={"x": [1, 2.5]}).replayed()[0].value or b"")
    expected = {"time": "2026-03-02T10:00:00.000001+00:00", "occurredat": EVENT["time"], "finaltime": True}
    assert value == EVENT | {"later": {"x": [1, 2.5]}} | expected


@pytest.mark.parametrize(
    ("letter", "reason"),
    [
        (a_letter(b"{"), "not_json"),
        (a_letter(b"\xff\xfe"), "not_json"),
        (Letter.of(fetched("engagements-dlq", b"k", None)), "foreign"),
        (a_letter(b"[]"), "no_envelope"),
        (a_letter(b'{"type": "baton.engagement.recorded.v1", "data": {}}'), "no_envelope"),
        (a_letter(json.dumps({k: v for k, v in EVENT.items() if k != "specversion"}).encode()), "no_envelope"),
        (a_letter(data={"n": float("inf")}), "not_json"),
        (a_letter(key=b"somebody else"), "wrong_key"),
        (a_letter(key=None), "wrong_key"),
        (a_letter(reason="id_conflict"), "id_conflict"),
        (a_letter(time="2025-11-01T00:00:00Z"), "time_out_of_range"),
        (a_letter(time="2026-03-04T00:00:00Z"), "time_out_of_range"),
        (a_letter(b"x" * 3_000_000), "cut"),
    ],
)
def test_what_can_never_be_accepted_is_refused(letter: Letter, reason: str) -> None:
    assert why_not(letter) == reason


def test_record_without_a_value_is_no_json() -> None:
    written = dead_letter(fetched("engagements", b"k", None), Refused("not_json", "no value"), "scorer")
    assert why_not(Letter.of(fetched(written.topic, written.key, written.value, written.headers))) == "not_json"


@pytest.mark.parametrize("name", ["reason", "error", "topic", "partition", "offset", "append-time", "service"])
def test_letter_without_one_of_its_headers_is_foreign(name: str) -> None:
    written = dead_letter(fetched("engagements", b"k", b"{"), Refused("not_json", "why"), "scorer")
    headers = [(key, value) for key, value in written.headers if key != f"x-dlq-{name}"]
    letter = Letter.of(fetched(written.topic, written.key, written.value, headers))
    assert (letter.reason, why_not(letter)) == ("foreign", "foreign")
    assert f"x-dlq-{name}" in letter.flaw


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reason", b"\x1b[2J"),
        ("partition", b"-1"),
        ("offset", b"\xff"),
        ("append-time", b"2026-03-02T12:00:00"),
        ("topic", b"another"),
    ],
)
def test_letter_with_an_odd_header_is_foreign(name: str, value: bytes) -> None:
    written = dead_letter(fetched("engagements", b"k", b"{"), Refused("not_json", "why"), "scorer")
    headers = [*written.headers, (f"x-dlq-{name}", value)]
    assert Letter.of(fetched(written.topic, written.key, written.value, headers)).reason == "foreign"


def test_headers_that_the_sender_forged_count_for_nothing() -> None:
    record = fetched("engagements", LEAD.encode(), b"{", [("x-dlq-offset", b"99"), ("x-dlq-cut", b"all of it")])
    written = dead_letter(record, Refused("not_json", "why"), "scorer")
    letter = Letter.of(fetched(written.topic, written.key, written.value, written.headers))
    assert letter.origin == Address("engagements", 1, 7)
    assert why_not(letter) == "not_json"
    assert letter.headers == []


@pytest.mark.parametrize("text", ["", "a", "a/1", "/1/2", "a/b/2", "a/1/-2", "a/1/²"])
def test_address_is_a_topic_a_partition_and_an_offset(text: str) -> None:
    assert str(Address.parse("a-dlq/1/2")) == "a-dlq/1/2"
    with pytest.raises(ValueError):  # noqa: PT011 - whatever int() says is as good
        Address.parse(text)
