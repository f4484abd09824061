"""PostHog's and Snowplow's events, read: who they are about, what they say, what is refused."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.adapters import posthog, snowplow
from ingest.rules import Item, events_of
from schemas.engagements import EngagementRecorded, LeadDescribed, LeadLinked
from schemas.envelope import Refused
from schemas.identity import Name, lead_id_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
IDENTIFY = "iglu:com.acme/identify/jsonschema/1-0-0"


def links(item: Item) -> set[tuple[str, str]]:
    """Alias and lead of each link that the item gives."""
    return {
        (event.data.alias, event.data.lead) for event in events_of(item, "tests", NOON) if isinstance(event, LeadLinked)
    }


def linked(to: str, *others: tuple[Name, str]) -> set[tuple[str, str]]:
    """The same, of those named."""
    return {(lead_id_of(**{name: value}), to) for name, value in others}


def capture(event: str, distinct_id: object = "u1", **more: object) -> Item:
    return posthog.read({"event": event, "distinct_id": distinct_id, "properties": more})


def embedded(schema: str, data: dict[str, Any]) -> str:
    return json.dumps({"schema": "iglu:x/unstruct_event/jsonschema/1-0-0", "data": {"schema": schema, "data": data}})


def test_a_distinct_id_is_anonymous_until_something_says_whose_it_is() -> None:
    assert dict(capture("$pageview").leads) == {"anonymous_id": lead_id_of(anonymous_id="u1")}
    assert dict(capture("$set", **{"$is_identified": False, "$set": {"a": 1}}).leads).keys() == {"anonymous_id"}
    assert dict(capture("x", "ada@example.com").leads) == {"email": lead_id_of(email="ada@example.com")}
    by_browser = capture("x", **{"$user_id": "u1", "$device_id": "d1", "$is_identified": True})
    assert links(by_browser) == linked(lead_id_of(user_id="u1"), ("anonymous_id", "d1"), ("anonymous_id", "u1"))


def test_an_identify_links_the_user_and_all_anonymous_ids_to_the_address() -> None:
    known = capture("$identify", **{"$anon_distinct_id": "a1", "$set": {"email": "ada@example.com", "title": "CTO"}})
    ada = lead_id_of(email="ada@example.com")
    assert links(known) == linked(ada, ("user_id", "u1"), ("anonymous_id", "a1"), ("anonymous_id", "u1"))
    described = events_of(known, "tests", NOON)[0]
    assert isinstance(described, LeadDescribed)
    assert described.data.title == "CTO"


def test_an_alias_links_both_names_to_the_user() -> None:
    item = capture("$create_alias", "old", alias="u1")
    assert links(item) == linked(lead_id_of(user_id="u1"), ("anonymous_id", "old"), ("anonymous_id", "u1"))


def test_an_address_among_the_properties_is_nobodys() -> None:
    assert dict(capture("invited", email="bob@example.com").leads).keys() == {"anonymous_id"}
    own = capture("invited", email="bob@example.com", **{"$set": {"email": "ada@example.com"}})
    assert own.leads[0] == ("email", lead_id_of(email="ada@example.com"))


def test_a_group_without_a_person_is_nobody() -> None:
    with pytest.raises(Refused, match="no_identifier"):
        events_of(capture("$groupidentify", "$company_acme", **{"$group_type": "company"}), "tests", NOON)


def test_a_project_is_no_company() -> None:
    [event] = events_of(capture("$groupidentify", **{"$group_type": "project", "$group_key": "p"}), "tests", NOON)
    assert isinstance(event, EngagementRecorded)
    assert event.data.kind == "groupidentify"


@pytest.mark.parametrize("plain", [True, False])
def test_a_self_describing_identify_describes_the_lead(plain: bool) -> None:
    text = embedded(IDENTIFY, {"email": "ada@example.com", "company": {"name": "Engines", "employees": 120}})
    encoded = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    item = snowplow.read({"e": "ue", "uid": "u1", **({"ue_pr": text} if plain else {"ue_px": encoded})})
    event = events_of(item, "tests", NOON)[0]
    assert isinstance(event, LeadDescribed)
    assert (event.data.company, event.data.company_size, event.data.identifiers.email) == (
        "Engines",
        120,
        "ada@example.com",
    )


def test_times_are_milliseconds_and_a_true_time_goes_before_the_devices() -> None:
    at = {"dtm": "1795608000000", "stm": "1795608001000"}
    item = snowplow.read({"e": "pv", "duid": "d1", "url": "https://a.example/pricing?utm_campaign=spring", **at})
    assert (item.time, item.sent_at) == (
        datetime(2026, 11, 25, 12, tzinfo=UTC),
        datetime(2026, 11, 25, 12, 0, 1, tzinfo=UTC),
    )
    assert (item.data["content"], item.data["campaign"]) == ("pricing", "spring")
    assert snowplow.read({"e": "pv", "duid": "d1", **at, "ttm": "1795608000001"}).time != item.time


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (7, "bad_item"),
        ({"e": "xx"}, "unknown_type"),
        ({"e": {"a": 1}}, "unknown_type"),
        ({}, "unknown_type"),
        ({"e": "ue"}, "bad_item"),
        ({"e": "ue", "ue_pr": "{"}, "bad_item"),
        ({"e": "ue", "ue_pr": "[" * 5000}, "bad_item"),
        ({"e": "ue", "ue_px": "é"}, "bad_item"),
        ({"e": "ue", "ue_px": "a"}, "bad_item"),
        ({"e": "ue", "ue_pr": "[]"}, "bad_item"),
        ({"e": "ue", "ue_pr": embedded("com.acme/x", {})}, "bad_item"),
        ({"e": "ue", "ue_pr": embedded(IDENTIFY, {"name": "a\0b"})}, "nul_character"),
        ({"e": "pv", "co": '{"data": {}}'}, None),
        ({"e": "pv", "co": '{"data": {"a": 1}}'}, "bad_item"),
        ({"e": "pv", "dtm": "yesterday"}, "bad_time"),
        ({"e": "pv", "dtm": "9" * 5000}, "bad_time"),
        ({"e": "pv", "dtm": -1}, "bad_time"),
        ({"e": "pv", "url": "http://[::1"}, None),
    ],
)
def test_what_cannot_be_read_of_snowplow_is_refused(item: Any, reason: str | None) -> None:
    known = {"uid": "u1", **item} if isinstance(item, dict) else item
    if reason is None:
        assert snowplow.read(known).event is EngagementRecorded
        return
    with pytest.raises(Refused) as refused:
        snowplow.read(known)
    assert refused.value.reason == reason


@pytest.mark.parametrize("item", [7, {"event": "x", "properties": 7}, {"event": "$set", "$set": "x"}, {"event": 7}])
def test_what_cannot_be_read_of_posthog_is_refused(item: Any) -> None:
    with pytest.raises(Refused, match="bad_item"):
        posthog.read({"distinct_id": "u1", **item} if isinstance(item, dict) else item)
