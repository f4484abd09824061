"""What the calls of the Segment family become."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapters.segment import read
from ingest.rules import REASONS, events_of
from schemas.engagements import EngagementRecorded, LeadDescribed, LeadLinked, LeadOptedIn, Link
from schemas.envelope import Decoder, Envelope, Fact, Refused, fingerprint
from schemas.identity import derived_id, lead_id_of, neighbours
from schemas.sizes import MAX_RECORD
from schemas.topics import TOPICS
from tests.builders import EMAIL, LEAD, NOON, at


def told(item: dict[str, Any], call: str | None = None, **batch: Any) -> tuple[Envelope, ...]:
    """The events that the item amounts to when it comes at NOON."""
    return events_of(read({"userId": EMAIL, **item}, call, batch), "segment/tests", NOON)


def engagement(call: str, **item: Any) -> Any:
    """The data of the one engagement that the call amounts to."""
    [event] = told(item, call)
    assert isinstance(event, EngagementRecorded)
    return event.data


def description(**traits: Any) -> dict[str, Any]:
    """What the traits say, beside the identifiers."""
    [event] = told({"traits": traits}, "identify")
    assert isinstance(event, LeadDescribed)
    return event.data.model_dump(exclude={"identifiers"}, exclude_none=True)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Content Downloaded", "content_downloaded"),
        ("contentDownloaded", "content_downloaded"),
        ("content_downloaded", "content_downloaded"),
        ("  Webinar  Attended! ", "webinar_attended"),
        ("Trade Show Visited", "trade_show_visited"),
        ("Email Link Clicked", "email_clicked"),
        ("Café Visité", "cafe_visite"),
        ("3 Pages Read", "event_3_pages_read"),
        ("X" * 200, "x" * 64),
    ],
)
def test_a_track_calls_name_becomes_the_kind(name: str, kind: str) -> None:
    assert engagement("track", event=name).kind == kind


@pytest.mark.parametrize("name", ["Email Confirmed", "Opt In Confirmed", "opt_in_confirmed"])
def test_the_confirming_click_is_an_opt_in(name: str) -> None:
    [event] = told({"event": name, "properties": {"text_version": "2026-01"}}, "track")
    assert isinstance(event, LeadOptedIn)
    assert (event.data.text_version, event.data.identifiers.email) == ("2026-01", EMAIL)


@pytest.mark.parametrize(
    ("item", "content"),
    [
        ({"name": "Case Study"}, "case_study"),
        ({"properties": {"name": "Pricing"}}, "pricing"),
        ({"properties": {"path": "/resources/case-study/"}}, "case_study"),
        ({"properties": {"url": "https://example.com/pricing?plan=a#top"}}, "pricing"),
        ({"properties": {"path": "/"}}, None),
        ({"name": "Home", "properties": {"content": "pricing", "path": "/x"}}, "pricing"),
        ({"name": "价格"}, "价格"),
        ({}, None),
    ],
)
def test_a_pages_content_is_what_policies_would_call_it(item: dict[str, Any], content: str | None) -> None:
    page = engagement("page", **item)
    assert (page.kind, page.content) == ("page_viewed", content)


def test_a_track_calls_path_is_not_its_content() -> None:
    assert engagement("track", event="Form Submitted", properties={"path": "/pricing"}).content is None
    assert engagement("track", event="Form Submitted", properties={"content": "Pricing"}).content == "pricing"


def test_campaign_and_channel_come_from_the_context_or_the_properties() -> None:
    campaign = {"campaign": {"name": "Spring", "medium": "email"}}
    both = engagement("page", context=campaign, properties={"campaign": "Autumn", "channel": "social"})
    assert (both.campaign, both.channel) == ("Spring", "social")
    assert engagement("page", context=campaign).channel == "email"
    tagged = engagement("page", properties={"utm_campaign": "Autumn", "utm_medium": "cpc"})
    assert (tagged.campaign, tagged.channel) == ("Autumn", "cpc")


def test_plain_properties_are_kept_sorted_and_cut_and_the_others_counted() -> None:
    properties: dict[str, Any] = {f"p{number:02}": number for number in range(60)}
    properties |= {"a": "x" * 2000, "nested": {"b": 1}, "list": [1], "none": None, "email": EMAIL, "n" * 256: 1}
    found = read({"userId": EMAIL, "event": "X", "properties": properties}, "track")
    [event] = events_of(found, "segment/tests", NOON)
    assert isinstance(event, EngagementRecorded)
    assert list(event.data.properties) == ["a", *(f"p{number:02}" for number in range(49))]
    assert event.data.properties["a"] == "x" * 1024
    assert found.dropped == 11 + 3


def test_traits_describe_the_lead() -> None:
    assert description(
        firstName="Ada",
        lastName="Lovelace",
        phone=4420,
        title="CTO",
        company={"name": "Engines", "employee_count": "120", "industry": "technology"},
        address={"country": "GB"},
    ) == {
        "name": "Ada Lovelace",
        "phone": "4420",
        "title": "CTO",
        "company": "Engines",
        "company_size": 120,
        "industry": "technology",
        "country": "GB",
    }
    assert description(name="A", firstName="B", company="C", industry="i", country="FR") == {
        "name": "A",
        "company": "C",
        "industry": "i",
        "country": "FR",
    }
    assert description(phone=" ", title=None) == {}


@pytest.mark.parametrize("trait", ["company_size", "companySize", "employees"])
def test_each_spelling_of_the_size_is_read(trait: str) -> None:
    assert description(**{trait: 500}, company={"size": 7}) == {"company_size": 500}
    assert description(**{trait: 0}, company={"size": 7}) == {"company_size": 0}


@pytest.mark.parametrize("place", ["traits", "context", "properties", "userId"])
def test_an_email_address_anywhere_is_the_lead(place: str) -> None:
    items: dict[str, dict[str, Any]] = {
        "traits": {"userId": None, "traits": {"email": " ADA@example.com"}},
        "context": {"userId": None, "context": {"traits": {"email": EMAIL}}},
        "properties": {"userId": None, "properties": {"email": EMAIL}},
        "userId": {"userId": "Ada@Example.com", "traits": {"email": EMAIL}},
    }
    [event] = told(items[place], "page")
    assert event.subject == LEAD


def test_every_weaker_identifier_is_linked_to_the_strongest() -> None:
    event, *links = told({"userId": 42, "anonymousId": "a1", "traits": {"email": EMAIL}, "messageId": "m1"}, "identify")
    again = told(
        {"userId": "42", "anonymousId": "a1", "traits": {"email": EMAIL}, "timestamp": at(-9).isoformat()}, "page"
    )
    assert event.subject == LEAD
    user, device = lead_id_of(user_id="42"), lead_id_of(anonymous_id="a1")
    assert [(link.subject, link.data) for link in links if isinstance(link, LeadLinked)] == [
        (user, Link(alias=user, lead=LEAD, alias_by="user_id", lead_by="email")),
        (device, Link(alias=device, lead=LEAD, alias_by="anonymous_id", lead_by="email")),
    ]
    assert [link.id for link in links] == [
        derived_id("link", alias, LEAD, links[0].time.date()) for alias in (user, device)
    ]
    assert [(link.id, fingerprint(link)) for link in links] == [(link.id, fingerprint(link)) for link in again[1:]]
    assert all(link.occurredat is None and link.finaltime for link in links)


def test_the_time_is_the_clients_corrected_by_its_skew_and_then_final() -> None:
    slow = {"timestamp": at(-70).isoformat(), "sentAt": at(-60).isoformat()}
    [event] = told(slow, "page")
    assert (event.time, event.occurredat, event.finaltime) == (at(-10), at(-70), True)
    [by_batch] = told({"originalTimestamp": at(-70).isoformat()}, "page", sentAt=at(-60).isoformat())
    assert (by_batch.time, by_batch.occurredat) == (at(-10), at(-70))
    [early] = told({"timestamp": at(5).isoformat()}, "page")
    assert (early.time, early.occurredat) == (NOON, at(5))


@pytest.mark.parametrize(
    ("timestamp", "sent_at"),
    [
        ("2569-03-02T11:00:00Z", "2569-03-02T13:00:00Z"),
        ("0008-03-02T11:00:00Z", "0008-03-02T13:00:00Z"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T02:00:00+14:00"),
        ("9999-12-31T21:59:59-14:00", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_a_clock_of_another_age_tells_how_long_ago_and_the_rest_is_by_receipt(timestamp: str, sent_at: str) -> None:
    [event] = told({"timestamp": timestamp, "sentAt": sent_at, "messageId": "m1"}, "page")
    assert (event.time, event.occurredat, event.finaltime) == (at(-120), None, True)


@pytest.mark.parametrize(
    ("timestamp", "sent_at", "reason"),
    [
        ("2569-03-02T11:00:00Z", None, "time_out_of_range"),
        ("2569-03-02T11:00:00Z", "2569-03-02T10:00:00Z", "time_out_of_range"),
        ("0008-03-02T11:00:00Z", "2026-03-02T12:00:00Z", "time_out_of_range"),
        ("2026-03-02T11:00:00Z", "2569-03-02T12:00:00Z", "time_out_of_range"),
        ("2026-03-02T11:00:00Z", "0008-03-02T12:00:00Z", ""),
        (None, "2569-03-02T12:00:00Z", ""),
    ],
)
def test_one_stamp_of_another_age_is_no_evidence(timestamp: str | None, sent_at: str | None, reason: str) -> None:
    item = {"userId": EMAIL, "type": "page", "timestamp": timestamp, "sentAt": sent_at}
    assert judged(item)[1] == reason


def test_without_a_time_it_happened_on_receipt_whatever_the_clients_clock_says() -> None:
    [event] = told({"sentAt": at(60).isoformat()}, "page")
    assert (event.time, event.occurredat) == (NOON, None)


def test_a_missing_id_comes_from_the_content_alone() -> None:
    item = {"userId": EMAIL, "event": "X", "timestamp": at(-9).isoformat(), "properties": {"a": 1, "b": 2}}
    shuffled = {**dict(reversed(item.items())), "properties": {"b": 2, "a": 1}, "sentAt": at(1).isoformat()}
    [first] = events_of(read(item, "track"), "segment/tests", NOON)
    [second] = events_of(read(shuffled, "track"), "segment/tests", at(3))
    [other] = events_of(read({**item, "properties": {"a": 2}}, "track"), "segment/tests", NOON)
    [later] = events_of(read({**item, "timestamp": at(-8).isoformat()}, "track"), "segment/tests", NOON)
    assert first.id == second.id
    assert len({first.id, other.id, later.id}) == 3


def test_without_a_time_too_the_minute_of_receipt_decides_and_its_neighbours_are_known() -> None:
    item = {"userId": EMAIL, "event": "X", "properties": {"a": 1}}

    def fact(minutes: float) -> Fact:
        [event] = events_of(read(item, "track"), "segment/tests", at(minutes))
        return DECODER.fact(event.subject.encode(), event.encode(), at(minutes))

    first, next_, third = fact(0.9), fact(1.1), fact(2.1)
    assert fact(0.1).key == first.key
    assert len({first.event.id, next_.event.id, third.event.id, fact(60 * 24 * 7).event.id}) == 4
    assert first.event.id in neighbours(next_)
    assert next_.event.id in neighbours(first)
    assert third.event.id not in neighbours(first)
    assert len({first.fingerprint, next_.fingerprint, third.fingerprint}) == 1


def test_who_tells_an_id_or_a_time_has_no_neighbours() -> None:
    for more in ({"messageId": "m1"}, {"timestamp": at(-9).isoformat()}):
        for event in events_of(read({"userId": EMAIL, "anonymousId": "a", **more}, "page"), "segment/tests", NOON):
            assert neighbours(DECODER.fact(event.subject.encode(), event.encode(), NOON)) == ()


DECODER = Decoder(*TOPICS["engagements"].events)
scalar = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
anything = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
times = st.just("2026-03-02T12:00:00+01:00") | st.datetimes().map(lambda moment: moment.isoformat() + "Z") | anything
table = st.dictionaries(
    st.sampled_from(["email", "name", "company", "path", "content", "employees"]) | st.text(), anything
)
items = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "page", "identify", "alias", "merge"]) | anything},
    optional={
        "userId": st.just(EMAIL) | anything,
        "anonymousId": st.just("a1") | anything,
        "previousId": st.just("a1") | anything,
        "mergeProperties": st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["email", "user_id", "anonymousId"]) | anything, "value": anything}
            ),
            max_size=3,
        )
        | anything,
        "event": st.just("Content Downloaded") | anything,
        "messageId": anything,
        "timestamp": times,
        "sentAt": times,
        "traits": table | anything,
        "context": st.fixed_dictionaries({"traits": table, "campaign": table}) | anything,
        "properties": table | anything,
    },
)


def judged(item: object) -> tuple[tuple[Envelope, ...], str]:
    """The events of an item, or the reason why there are none."""
    try:
        return events_of(read(item), "segment/tests", NOON), ""
    except Refused as refused:
        return (), refused.reason


@given(items | anything)
def test_whatever_comes_is_refused_for_a_known_reason_or_readable_by_every_consumer(item: object) -> None:
    events, reason = judged(item)
    only_links = isinstance(item, dict) and item.get("type") in ("alias", "merge")
    assert not reason or (reason in REASONS and not events)
    assert reason or events or only_links
    for event in events:
        assert isinstance(event, LeadLinked) or event is events[0]
        value = event.encode()
        assert len(value) < MAX_RECORD
        fact = DECODER.fact(event.subject.encode(), value, datetime.now(UTC))
        assert fact.fingerprint == fingerprint(event)
        assert NOON - timedelta(days=90) <= fact.time <= NOON
