"""Null, absent and blank are one thing, in every field of every route."""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest

from ingest.adapters.sales import Invalid, activities
from ingest.adapters.segment import read
from ingest.rules import events_of
from schemas.envelope import Decoder, Refused
from schemas.topics import TOPICS
from tests.builders import EMAIL, NOON, an_engagement, at

NOTHING = {"null": None, "empty": "", "blank": "  ", "blank of other kinds": "\t\u00a0\n"}
CALL: dict[str, Any] = {
    "messageId": "m1",
    "timestamp": at(-10).isoformat(),
    "originalTimestamp": at(-20).isoformat(),
    "sentAt": at(-5).isoformat(),
    "userId": "u1",
    "anonymousId": "a1",
    "context": {"campaign": {"name": "Spring", "medium": "email"}, "traits": {"email": "second@example.com"}},
}
PROPERTIES = {
    **{
        "content": "Pricing",
        "name": "A",
        "path": "/a/b",
        "url": "https://a.example/c",
        "campaign": "x",
        "channel": "y",
    },
    **{"utm_campaign": "u", "utm_medium": "v", "machine": True, "email": EMAIL, "plain": "p", "text_version": "1"},
}
SEGMENT: dict[str, dict[str, Any]] = {
    "track": {**CALL, "type": "track", "event": "Case Study Read", "properties": PROPERTIES},
    "track of an opt-in": {**CALL, "type": "track", "event": "Email Confirmed", "properties": PROPERTIES},
    "page": {**CALL, "type": "page", "name": "Pricing", "properties": PROPERTIES},
    "identify": {
        **CALL,
        "type": "identify",
        "traits": {
            **{"email": EMAIL, "name": "Ada", "firstName": "A", "lastName": "L", "phone": "1", "title": "CTO"},
            **{"industry": "technology", "country": "GB", "company_size": 5, "companySize": "6", "employees": 7},
            "company": {"name": "Engines", "industry": "i", "size": 8, "employees": 9, "employee_count": 10},
            "address": {"country": "FR"},
        },
    },
}
ACTIVITY: dict[str, Any] = {
    **{"specversion": "1.0", "id": "x1", "source": "crm/one", "subject": EMAIL, "time": at(-30).isoformat()},
    **{"sentat": at(5).isoformat(), "timetrusted": False, "traceparent": "00-1-2-3"},
}
SAID = {"by": "Grace", "episode": 1, "note": "hi"}
TOLD: dict[str, dict[str, Any]] = {
    "sales.accepted": {},
    "sales.contacted": {"channel": "call", "human": True, "outbound": True},
    "sales.qualified": {"budget": "yes", "timeline": "no", "authority": "yes", "fit": "unknown"},
    "sales.disqualified": {"reason": "no_budget"},
    "sales.recycled": {"reason": "no_timeline", "revisit_at": at(60 * 24 * 90).isoformat()},
    "opportunity.created": {"value": 10, "close_date": "2026-05-01"},
    "deal.won": {"revenue": 5},
    "deal.lost": {"reason": "competitor"},
    "feedback.submitted": {"outcome": "accepted", "quality": 3, "reason": "other"},
}
SALES = {name: {**ACTIVITY, "type": name, "data": {**SAID, **data}} for name, data in TOLD.items()}


def places(of: Mapping[str, Any], *above: str) -> Iterator[tuple[str, ...]]:
    """Every field, and those of the objects within."""
    for name, value in of.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from places(value, *above, name)


def changed(item: dict[str, Any], place: tuple[str, ...], *value: Any) -> dict[str, Any]:
    """The item with another value there, or without the field."""
    item = deepcopy(item)
    parent = item
    for name in place[:-1]:
        parent = parent[name]
    if value:
        parent[place[-1]] = value[0]
    else:
        del parent[place[-1]]
    return item


def by_segment(item: dict[str, Any]) -> Any:
    try:
        return events_of(read(item, None, {"sentAt": item.get("sentAt")}), "segment/tests", NOON)
    except Refused as refused:
        return refused.reason, refused.detail


def by_sales(item: dict[str, Any]) -> Any:
    try:
        return activities([item], True, "sales/tests", NOON)
    except Invalid as invalid:
        return invalid.errors


ROUTES: list[tuple[Callable[[dict[str, Any]], Any], dict[str, Any], tuple[str, ...]]] = [
    (route, item, place)
    for route, items in ((by_segment, SEGMENT), (by_sales, SALES))
    for item in items.values()
    for place in places(item)
]


@pytest.mark.parametrize("nothing", NOTHING)
def test_in_every_field_null_and_blank_are_as_if_it_were_not_there(nothing: str) -> None:
    for route, item, place in ROUTES:
        assert route(changed(item, place, NOTHING[nothing])) == route(changed(item, place)), (item["type"], place)


def test_the_whole_items_are_taken_so_that_every_field_is_read() -> None:
    for item in SEGMENT.values():
        assert not isinstance(by_segment(item)[0], str)
    assert all(len(by_sales(item)) == 1 and by_sales(item)[0].id == "x1" for item in SALES.values())


@pytest.mark.parametrize("place", [("traits",), ("context",), ("context", "campaign"), ("traits", "company")])
def test_an_empty_list_is_phps_empty_object_and_a_filled_one_is_refused(place: tuple[str, ...]) -> None:
    item = SEGMENT["identify"]
    assert by_segment(changed(item, place, [])) == by_segment(changed(item, place))
    if place != ("context", "campaign"):  # which an identify does not read
        assert by_segment(changed(item, place, [1]))[0] == "bad_item"


def test_an_empty_object_is_as_if_it_were_not_there() -> None:
    for item in SEGMENT.values():
        for place in places(item):
            if place[-1] not in ("type", "event"):  # no call is without them
                assert by_segment(changed(item, place, {})) == by_segment(changed(item, place)), (item["type"], place)


@pytest.mark.parametrize("blank", NOTHING.values(), ids=NOTHING)
def test_events_without_an_id_of_their_own_do_not_share_one(blank: str | None) -> None:
    item = {"userId": EMAIL, "messageId": blank, "timestamp": at(-9).isoformat(), "type": "track"}
    [one], [other] = by_segment({**item, "event": "A"}), by_segment({**item, "event": "Demo Requested"})
    assert len({one.id, other.id, "derived"}) == 3
    assert by_segment({**item, "event": "A"}) == (one,)
    activity = {"type": "sales.contacted", "subject": EMAIL, "id": blank, "time": blank, "source": blank}
    [first], [second] = by_sales(activity), by_sales({**activity, "type": "sales.accepted"})
    assert len({first.id, second.id, "derived"}) == 3
    assert first.source == "sales/tests"


@pytest.mark.parametrize("field", ["id", "source"])
def test_what_a_platform_publishes_without_either_is_a_dead_letter(field: str) -> None:
    event = json.loads(an_engagement().encode())
    decoder = Decoder(*TOPICS["engagements"].events)
    for nothing in NOTHING.values():
        with pytest.raises(Refused, match="invalid_event"):
            decoder.fact(event["subject"].encode(), json.dumps({**event, field: nothing}).encode(), NOON)


def test_a_platforms_blank_identifier_is_none() -> None:
    event = json.loads(an_engagement().encode())
    decoder = Decoder(*TOPICS["engagements"].events)
    for nothing in NOTHING.values():
        event["data"]["identifiers"] = {"email": EMAIL, "user_id": nothing, "anonymous_id": nothing}
        fact = decoder.fact(event["subject"].encode(), json.dumps(event).encode(), NOON)
        assert fact.event.data.identifiers.lead_ids() == {"email": event["subject"]}
