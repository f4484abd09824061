"""What makes a repeat a duplicate and not a conflict."""

import json
from datetime import timedelta
from typing import Any

import pytest

from schemas.engagements import LeadDescribed
from schemas.envelope import Decoder, UnknownEvent, fingerprint
from schemas.topics import TOPICS
from tests.builders import LEAD, NOON, an_engagement

DECODER = Decoder(*TOPICS["engagements"].events)
OLDER = Decoder(LeadDescribed)
"""Knows no engagements."""
RECORD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "tracker",
    "type": "baton.engagement.recorded.v1",
    "subject": LEAD,
    "time": "2026-03-02T12:00:00Z",
    "data": {"kind": "page_viewed", "content": "pricing", "properties": {"a": 1, "b": None}},
}


def print_of(data: dict[str, Any] | None = None, **envelope: Any) -> bytes:
    record = RECORD | envelope | {"data": RECORD["data"] | (data or {})}
    return print_of_text(json.dumps(record))


def print_of_text(record: str) -> bytes:
    """The same by whichever version."""
    fact, older = (
        decoder.fact(json.loads(record)["subject"].encode(), record.encode(), NOON) for decoder in (DECODER, OLDER)
    )
    assert type(older.event) is UnknownEvent
    assert fact.fingerprint == older.fingerprint
    return fact.fingerprint


def test_a_retry_may_say_anew_when_it_was_sent() -> None:
    assert print_of(sentat="2026-03-02T12:00:01Z") == print_of(sentat="2026-03-02T12:09:00Z") == print_of()


def test_a_retry_may_spell_the_same_differently() -> None:
    assert print_of(time="2026-03-02T13:00:00.000+01:00") == print_of()
    assert print_of({"properties": {"b": None, "a": 1}}) == print_of()
    assert print_of({"properties": {"a": 1.0}}) == print_of({"properties": {"a": 1}}) == print_of()
    assert print_of({"properties": {"a": 1e16}}) == print_of({"properties": {"a": 10**16}})
    assert print_of({"campaign": None, "later": {"any": None, "thing": [1.0]}}) == print_of({"later": {"thing": [1]}})
    assert print_of_text(json.dumps(RECORD, indent=4)) == print_of()
    assert print_of_text(json.dumps(RECORD).replace("pricing", "\\u0070ricing")) == print_of()


def test_a_field_of_a_later_minor_version_is_content_and_an_attribute_is_none() -> None:
    """Whoever knows the field must find the fingerprint that a version without it has kept."""
    assert print_of({"later": "thing"}) != print_of()
    assert print_of(traceparent="00-1-2-3") == print_of()


def test_an_event_has_the_fingerprint_of_the_record_that_it_encodes_to() -> None:
    event = an_engagement(properties={"n": 1.0, "none": None, "text": "\u2028\\u0000"})
    assert fingerprint(event) == DECODER.fact(LEAD.encode(), event.encode(), NOON).fingerprint


@pytest.mark.parametrize(
    ("data", "envelope"),
    [
        ({"content": "case_study"}, {}),
        ({"machine": True}, {}),
        ({"properties": {"a": 2, "b": None}}, {}),
        ({"properties": {"a": "1"}}, {}),
        ({"properties": {"a": True}}, {}),
        ({"machine": False}, {}),
        ({"later": [None]}, {}),
        ({}, {"time": "2026-03-02T12:00:00.000001Z"}),
        ({}, {"subject": "00000000-0000-5000-8000-000000000000"}),
    ],
)
def test_whoever_says_something_else_under_the_same_id_is_told_apart(
    data: dict[str, Any], envelope: dict[str, Any]
) -> None:
    assert print_of(data, **envelope) != print_of()


def test_an_opt_in_is_not_an_engagement_with_the_same_data() -> None:
    both = {"kind": "page_viewed", "identifiers": {}}
    assert print_of(both, type="baton.lead.opted_in.v1") != print_of(both)


def test_two_attempts_through_ingest_differ_in_judged_time_only() -> None:
    first, second = (
        an_engagement(time=NOON + timedelta(seconds=late)).model_copy(update={"finaltime": True, "occurredat": NOON})
        for late in (1, 9)
    )
    assert fingerprint(first) == fingerprint(second) == fingerprint(an_engagement(time=NOON))


def test_a_final_time_without_the_senders_own_is_left_out_for_it_changes_with_each_attempt() -> None:
    first, second = (
        an_engagement(time=NOON + timedelta(seconds=late)).model_copy(update={"finaltime": True}) for late in (1, 9)
    )
    assert fingerprint(first) == fingerprint(second) != fingerprint(an_engagement(time=NOON))


def test_fields_that_are_written_even_when_absent_are_these_and_no_later_ones() -> None:
    """A later optional field must default to None: any other would be written, and a retry would be a conflict."""
    written: dict[str, set[str]] = {}
    for topic in ("engagements", "sales-activities"):
        for event in TOPICS[topic].events:
            model = event.model_fields["data"].annotation
            assert model is not None
            fields = model.model_fields.items()
            given = {
                n for n, f in fields if not f.is_required() and f.get_default(call_default_factory=True) is not None
            }
            written[model.__name__] = given
    assert {name: fields for name, fields in written.items() if fields} == {
        "Engagement": {"machine", "identifiers", "properties"},
        "Description": {"identifiers"},
        "OptIn": {"identifiers"},
        "Contact": {"channel", "human", "outbound"},
        "Validation": {"budget", "timeline", "authority", "fit"},
    }


def test_the_fingerprint_of_a_kept_fact_never_changes() -> None:
    """Facts are kept with it; another one for the same event would make each retry a conflict."""
    assert print_of().hex() == "83b3f95acad23b10dafd36a615e2d960"
