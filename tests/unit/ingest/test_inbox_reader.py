"""What the inbox makes of one record, whatever it is."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.kafka.consumer import Received
from chassis.kafka.group import Arrived
from chassis.kafka.records import UNREADABLE
from ingest.formats import Formats
from ingest.http.calls import MOST_WHOLE
from ingest.inbox.file import Inbox
from ingest.inbox.loop import LONGEST_PAUSE, pause
from ingest.inbox.reader import Outcome, Reader
from ingest.settings import Limits
from tests.builders import NOON

FORMATS = Formats(Path(__file__).parents[3] / "deploy" / "mappings")
HOUR = timedelta(hours=1)


def reader(format_: str = "segment", **more: Any) -> Reader:
    inbox = Inbox.model_validate({"topic": "calls", "format": format_, "source": "calls", "class": "public", **more})
    return Reader(inbox, FORMATS.find(format_), Limits())


def arrived(value: object, at: datetime = NOON, *, appended: bool = True, offset: int = 7, said: Any = ()) -> Arrived:
    content = value if isinstance(value, bytes | None) else json.dumps(value).encode()
    return Arrived(Received("calls", 2, offset, int(at.timestamp() * 1000), b"k", content, said), appended)


def page(**more: Any) -> dict[str, Any]:
    return {"type": "page", "userId": "u-1", "name": "Pricing", **more}


def taken(record: Arrived, now: datetime = NOON + HOUR, **more: Any) -> Outcome:
    return reader(**more).take(record, now)


def refused(record: Arrived, **more: Any) -> dict[str, Any]:
    """The one record that is set aside."""
    result = taken(record, **more)
    [aside] = result.aside
    assert not result.read.events
    value: dict[str, Any] = json.loads(aside.value or b"")
    assert dict(result.reasons) == {value["reason"]: 1}
    assert value["address"] == "calls/2/7"
    return value


def test_the_receipt_is_the_append_time_and_skew_is_corrected_by_it() -> None:
    """Though the inbox was down for an hour: without the append time it would count as skew."""
    item = page(timestamp=(NOON - 2 * HOUR).isoformat(), sentAt=(NOON - HOUR).isoformat())
    [event] = taken(arrived(item)).read.events
    assert event.time == NOON - HOUR
    [untimed] = taken(arrived(page())).read.events
    assert untimed.time == NOON


def test_a_producers_time_stamp_is_no_receipt_and_its_wait_is_no_skew() -> None:
    item = page(timestamp=(NOON - 2 * HOUR).isoformat(), sentAt=(NOON - HOUR).isoformat())
    [event] = taken(arrived(item, NOON - 90 * 24 * HOUR, appended=False)).read.events
    assert event.time == NOON - 2 * HOUR
    [untimed] = taken(arrived(page(), NOON - HOUR, appended=False)).read.events
    assert untimed.time == NOON + HOUR


def test_an_append_time_that_is_ahead_is_now() -> None:
    [event] = taken(arrived(page(), NOON + 24 * 365 * HOUR)).read.events
    assert event.time == NOON + HOUR


def test_an_event_without_an_id_has_that_of_its_place() -> None:
    def ids(*more: Any, **of: Any) -> list[str]:
        return [event.id for event in taken(arrived(*more, **of)).read.events]

    assert ids(page()) == ids(page()) != ids(page(), offset=8)
    assert ids(page()) != ids(page(), NOON + HOUR)  # the same offset of a topic that was made anew
    assert len(set(ids([page(), page()]))) == 2
    assert ids(page(messageId="m")) == ["m"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "unreadable"),
        (b"\0", "unreadable"),
        (b"\0\0\0\0\1\2Avro", "unreadable"),
        (b"\xff" * 2_000_000, "too_large"),
        (b"[" * 50_000, "unreadable"),
        ({"batch": [page()] * 501}, "too_large"),
        (b"7", "bad_item"),
        (b"{}", "unknown_type"),
        (None, "bad_item"),
    ],
)
def test_what_cannot_be_read_is_set_aside_with_its_address(value: object, reason: str) -> None:
    said = refused(arrived(value))
    assert said["reason"] == reason
    assert said.get("whole", False) is (reason in ("unreadable", "too_large"))


def test_a_record_of_an_unreadable_batch_says_so() -> None:
    said = refused(arrived(None, said=((UNREADABLE, b"Bomb"),)))
    assert (said["reason"], "Bomb" in said["detail"]) == ("unreadable", True)


def test_a_record_too_large_to_keep_is_cut() -> None:
    said = refused(arrived(b"\xff" * (MOST_WHOLE + 1)))
    assert said["cut"] == MOST_WHOLE + 1


def test_one_bad_item_of_a_record_costs_no_other() -> None:
    result = taken(arrived({"batch": [page(messageId="a"), page(timestamp="x"), page(messageId="b")]}))
    assert [event.id for event in result.read.events] == ["a", "b"]
    assert dict(result.reasons) == {"bad_time": 1}


def test_a_registrys_header_is_skipped() -> None:
    [event] = taken(arrived(b"\0\0\0\0\7" + json.dumps(page(messageId="m")).encode())).read.events
    assert event.id == "m"


def test_a_public_inbox_cannot_say_what_only_servers_may() -> None:
    event: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "s", "time": datetime.now(UTC).isoformat()}
    merged = {**event, "type": "baton.lead.merged.v1", "subject": "ada@example.com", "data": {"lead": "b@example.com"}}
    assert refused(arrived(merged), format_="cloudevents")["reason"] == "not_allowed"
    [taken_] = reader("cloudevents", **{"class": "server"}).take(arrived(merged), NOON).read.events
    assert (taken_.type, taken_.sentby) == ("baton.lead.merged.v1", "server")
    won = {**merged, "type": "baton.deal.won.v1", "data": {}}
    assert refused(arrived(won), format_="cloudevents")["reason"] == "not_allowed"


def test_the_pause_between_attempts_is_bounded_however_long_the_broker_is_away() -> None:
    assert [pause(failures) for failures in (1, 2, 6, 100_000)] == [0.2, 0.4, LONGEST_PAUSE, LONGEST_PAUSE]
