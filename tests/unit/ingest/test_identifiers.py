"""Whom an item is about: a bad identifier is left out and counted, a good one kept."""

from typing import Any

import pytest

from ingest.adapters.segment import read
from ingest.rules import events_of
from schemas.engagements import LeadLinked, Link
from schemas.envelope import Envelope, Refused
from schemas.identity import derived_id, lead_id_of
from tests.builders import EMAIL, LEAD, NOON, at

NAMES = ("email", "user_id", "anonymous_id")


def told(item: dict[str, Any]) -> tuple[Envelope, ...]:
    return events_of(read({"type": "page", **item}), "segment/tests", NOON)


def refusal(item: dict[str, Any]) -> Refused:
    with pytest.raises(Refused) as refused:
        told(item)
    return refused.value


def links(item: dict[str, Any]) -> list[Link]:
    """What the item's links say; nothing else may come of it."""
    events = told(item)
    found = [event.data for event in events if isinstance(event, LeadLinked)]
    assert len(found) == len(events)
    return found


def link(**ids: str) -> Link:
    """The link from the first identifier to the second."""
    (alias_by, alias), (lead_by, lead) = ids.items()
    names: Any = {"alias_by": alias_by, "lead_by": lead_by}
    return Link(alias=lead_id_of(**{alias_by: alias}), lead=lead_id_of(**{lead_by: lead}), **names)


def about(**known: str) -> str:
    return lead_id_of(**known)


TWO, ADDRESS = "bob@rival.example,ada@example.com", "ada@example.com"
CASES: dict[str, tuple[dict[str, Any], str, list[tuple[str, str]]]] = {
    "blank user id": ({"userId": "", "anonymousId": "a1"}, about(anonymous_id="a1"), []),
    "blank anonymous id": ({"userId": "u1", "anonymousId": " "}, about(user_id="u1"), []),
    "blank address": ({"userId": "u1", "context": {"traits": {"email": ""}}}, about(user_id="u1"), []),
    "zeros": ({"userId": "000000", "anonymousId": "a1"}, about(anonymous_id="a1"), [("user_id", "nobody")]),
    "zeros as a number": ({"userId": 0.0, "anonymousId": "a1"}, about(anonymous_id="a1"), [("user_id", "nobody")]),
    "junk device": ({"userId": "u1", "anonymousId": "[object Object]"}, about(user_id="u1"), [(NAMES[2], "nobody")]),
    "whole float": ({"userId": 12345.0}, about(user_id="12345"), []),
    "exponent": ({"userId": 1e3}, about(user_id="1000"), []),
    "largest exact": ({"userId": 2**53 - 1}, about(user_id="9007199254740991"), []),
    "too large": ({"userId": 2**53, "anonymousId": "a1"}, about(anonymous_id="a1"), [("user_id", "lost_digits")]),
    "huge": ({"userId": -1.2e22, "anonymousId": "a1"}, about(anonymous_id="a1"), [("user_id", "lost_digits")]),
    "fraction": ({"userId": 1.5, "anonymousId": "a1"}, about(anonymous_id="a1"), [("user_id", "lost_digits")]),
    "text of a number": ({"userId": "12345.0"}, about(user_id="12345.0"), []),
    "truth": ({"userId": True, "anonymousId": "a1"}, about(anonymous_id="a1"), [("user_id", "no_text")]),
    "object": (
        {"userId": {"a": 1}, "anonymousId": [1]} | {"properties": {"email": EMAIL}},
        LEAD,
        [("user_id", "no_text"), ("anonymous_id", "no_text")],
    ),
    "control": ({"userId": "a\u0007", "anonymousId": "a1"}, about(anonymous_id="a1"), [("user_id", "unprintable")]),
    "long": ({"userId": "a" * 256, "anonymousId": "a1"}, about(anonymous_id="a1"), [("user_id", "unprintable")]),
    "two addresses": ({"userId": "u1", "traits": {"email": TWO}}, about(user_id="u1"), [("email", "no_address")]),
    "an address is no text": ({"userId": "u1", "traits": {"email": 7}}, about(user_id="u1"), [("email", "no_address")]),
    "brackets": ({"userId": "<ada@example.com>"}, about(email=ADDRESS), []),
    "mailto": ({"traits": {"email": "mailto:ada@example.com"}}, about(email=ADDRESS), []),
    "dot": ({"context": {"traits": {"email": "ada@example.com."}}}, about(email=ADDRESS), []),
    "name": ({"properties": {"email": "Ada <ada@example.com>"}}, about(email=ADDRESS), []),
    "next place": (
        {"traits": {"email": "n/a"}, "context": {"traits": {"email": EMAIL}}},
        LEAD,
        [("email", "no_address")],
    ),
    "user id is the address": ({"userId": ADDRESS, "traits": {"email": "n/a"}}, LEAD, [("email", "no_address")]),
    "idn": ({"userId": "ada@b\u00fccher.example"}, about(email="ada@xn--bcher-kva.example"), []),
    "at signs in an id": ({"userId": "a@@b.com"}, about(user_id="a@@b.com"), []),
}


@pytest.mark.parametrize(("item", "lead", "junk"), CASES.values(), ids=CASES)
def test_a_bad_identifier_is_left_out_and_the_event_kept(
    item: dict[str, Any], lead: str, junk: list[tuple[str, str]]
) -> None:
    [event] = told(item)
    assert event.subject == lead
    assert list(read({"type": "page", **item}).junk) == junk
    assert event.data.identifiers.lead_ids() == dict.fromkeys(event.data.identifiers.lead_ids(), lead)


@pytest.mark.parametrize(
    "item",
    [
        {"userId": "null", "anonymousId": "00000000-0000-0000-0000-000000000000"},
        {"userId": 12.5, "traits": {"email": "a@@b.com"}},
        {"traits": {"email": "a@b..com"}},
    ],
)
def test_with_none_left_it_is_refused_and_says_what_was_left_out_but_not_its_value(item: dict[str, Any]) -> None:
    refused = refusal(item)
    assert refused.reason == "no_identifier"
    assert "left out: " in refused.detail
    for name, why in read({"type": "page", **item}).junk:
        assert name in refused.detail
        assert why
    assert not any(value in refused.detail for value in ("0000-0000", "12.5", "a@@", "a@b"))


def test_with_none_given_nothing_was_left_out() -> None:
    assert refusal({"userId": " ", "anonymousId": None}).detail == "none of email, userId, anonymousId is given"


DEVICE = "0b8a0c3e-3a14-4d26-9a3b-6d9ad0f3c1aa"
ALIASES: dict[str, tuple[dict[str, Any], list[Link]]] = {
    "device": ({"previousId": DEVICE, "userId": "u1"}, [link(anonymous_id=DEVICE, user_id="u1")]),
    "two texts, maybe of two users": (
        {"previousId": "u-old", "userId": "u-new"},
        [link(anonymous_id="u-old", user_id="u-new")],
    ),
    "device of the call": (
        {"previousId": DEVICE, "anonymousId": DEVICE, "userId": "u1"},
        [link(anonymous_id=DEVICE, user_id="u1")],
    ),
    "either, to an address": (
        {"previousId": "x1", "userId": ADDRESS},
        [link(user_id="x1", email=ADDRESS), link(anonymous_id="x1", email=ADDRESS)],
    ),
    "number, to an address": ({"previousId": 7, "userId": ADDRESS}, [link(user_id="7", email=ADDRESS)]),
    "from an address": ({"previousId": "Ada <ada@example.com>", "userId": "u1"}, [link(user_id="u1", email=ADDRESS)]),
    "the address of the traits": (
        {"previousId": DEVICE, "anonymousId": DEVICE, "userId": "u1", "context": {"traits": {"email": ADDRESS}}},
        [link(user_id="u1", email=ADDRESS), link(anonymous_id=DEVICE, email=ADDRESS)],
    ),
    "no previous id, as a browser sends": (
        {"userId": "u1", "anonymousId": DEVICE},
        [link(anonymous_id=DEVICE, user_id="u1")],
    ),
    "the same": ({"previousId": "u1", "userId": "u1"}, []),
    "the same address": ({"previousId": "mailto:ada@example.com", "userId": ADDRESS}, []),
    "the same, from a device": (
        {"previousId": "u1", "userId": "u1", "anonymousId": DEVICE},
        [link(anonymous_id=DEVICE, user_id="u1")],
    ),
}


@pytest.mark.parametrize(("item", "expected"), ALIASES.values(), ids=ALIASES)
def test_an_alias_call_links_the_weaker_to_the_stronger(item: dict[str, Any], expected: list[Link]) -> None:
    assert links({"type": "alias", **item}) == expected


def merged(*pairs: tuple[str, object], **more: Any) -> dict[str, Any]:
    return {"type": "merge", "mergeProperties": [{"type": kind, "value": value} for kind, value in pairs], **more}


MERGES: dict[str, tuple[dict[str, Any], list[Link]]] = {
    "user and address": (merged(("user_id", "u1"), ("email", ADDRESS)), [link(user_id="u1", email=ADDRESS)]),
    "other spellings": (merged(("anonymousId", "a1"), ("userID", 7)), [link(anonymous_id="a1", user_id="7")]),
    "the call's own": (merged(("email", ADDRESS), ("mobile", "+1"), userId="u1"), [link(user_id="u1", email=ADDRESS)]),
    "two devices of one user": (
        merged(("anonymous_id", "a1"), ("anonymous_id", "a2"), ("user_id", "u1")),
        [link(anonymous_id="a1", user_id="u1"), link(anonymous_id="a2", user_id="u1")],
    ),
    "one twice": (merged(("user_id", "u1"), ("user_id", "u1")), []),
    "address as a user id": (merged(("user_id", "ADA@example.com"), ("email", ADDRESS)), []),
}


@pytest.mark.parametrize(("item", "expected"), MERGES.values(), ids=MERGES)
def test_a_merge_call_links_the_weaker_to_the_stronger(item: dict[str, Any], expected: list[Link]) -> None:
    assert links(item) == expected


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"type": "alias", "previousId": 1, "userId": 2}, "same_strength"),
        ({"type": "alias", "previousId": "u-old", "userId": "u-new", "anonymousId": DEVICE}, "same_strength"),
        ({"type": "alias", "previousId": "bob@example.com", "userId": ADDRESS}, "same_strength"),
        (merged(("user_id", "u1"), ("user_id", "u2")), "same_strength"),
        (merged(("anonymous_id", "a1"), ("anonymous_id", "a2")), "same_strength"),
        ({"type": "alias", "userId": "u1"}, "no_identifier"),
        ({"type": "alias", "previousId": "null", "userId": "u1"}, "no_identifier"),
        (merged(("email", "n/a"), ("user_id", "u1")), "no_identifier"),
        (merged(("email", ADDRESS), ("mobile", "+1")), "no_identifier"),
        ({"type": "merge", "userId": "u1"}, "bad_item"),
        ({"type": "merge", "mergeProperties": ["x"], "userId": "u1"}, "bad_item"),
        ({"type": "alias", "previousId": "a1", "userId": "u1", "timestamp": "2026-01-01"}, "bad_time"),
        (
            {"type": "alias", "previousId": "a1", "userId": "u1", "timestamp": at(60 * 25).isoformat()},
            "time_out_of_range",
        ),
    ],
)
def test_a_link_without_a_strongest_identifier_is_refused(item: dict[str, Any], reason: str) -> None:
    assert refusal(item).reason == reason


def test_what_a_merge_call_left_out_is_counted() -> None:
    item = merged(("email", "n/a"), ("mobile", "+1"), ("user_id", "u1"), ("anonymous_id", "a1"))
    assert read(item).junk == (("email", "no_address"), ("other", "unknown_kind"))


def test_the_link_of_an_alias_is_the_link_of_an_event_at_the_calls_own_time() -> None:
    item = {"previousId": DEVICE, "userId": "u1", "timestamp": at(-70).isoformat(), "sentAt": at(-60).isoformat()}
    [alone] = told({"type": "alias", "messageId": "m1", **item})
    _, beside = told({"userId": "u1", "anonymousId": DEVICE, "timestamp": at(-10).isoformat()})
    assert alone == beside
    assert isinstance(alone, LeadLinked)
    assert alone.id == derived_id("link", alone.data.alias, alone.data.lead, alone.time.date())
    assert (alone.time, alone.occurredat, alone.sentat, alone.finaltime) == (at(-10), None, None, True)
