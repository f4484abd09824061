"""A mapping: what is wrong with its file is said with file and line, what it makes of items, and what it refuses."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chassis.documents import BadDocument
from ingest.formats import ENGAGEMENTS, SALES, Formats, Origin, Read, read
from ingest.settings import Limits
from schemas.envelope import Refused
from schemas.identity import lead_id_of
from tests.builders import NOON

ADA = lead_id_of(email="ada@example.com")


def formats(tmp_path: Path, *lines: str) -> Formats:
    (tmp_path / "shop.yaml").write_text("\n".join(("about: a shop", *lines)))
    return Formats(tmp_path)


def told(known: Formats, content: object, *sends: str, id_: str | None = "id") -> Read:
    """What the mapping makes of the body, one read item after the other."""
    origin = Origin("webhook/shop", "server", NOON, "shop", frozenset(sends or (ENGAGEMENTS,)), id_)
    how, found = known.find("shop"), Read()
    for item in how.split(content):
        found.add(read(item, how, origin, Limits()))
    return found


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            ("calls:", "  - type: track", "    event: who said"),
            "shop.yaml:4: calls[0].event: Value error, not a JMESPath",
        ),
        (("calls:", "  - type: track", "    event: lower(name)"), "shop.yaml:4: calls[0].event: Value error, lower()"),
        (
            ("calls:", "  - type: track", "    traits:", "      size: 7"),
            "shop.yaml:5: calls[0].traits.size: Value error, a",
        ),
        (("calls:", "  - type: order"), "shop.yaml:3: calls[0].type: Input should be 'identify', 'track'"),
        (("calls:", "  - type: track", "    evnt: name"), "shop.yaml:4: calls[0].evnt: Extra inputs"),
        (("calls: [",), "shop.yaml:2: not YAML"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(tmp_path: Path, lines: tuple[str, ...], problem: str) -> None:
    with pytest.raises(BadDocument) as caught:
        formats(tmp_path, *lines).find("shop")
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(str(tmp_path / problem))


@pytest.mark.parametrize("name", ["nothing", "../shop", "", "a/b"])
def test_a_format_is_a_file_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "mappings"
    folder.mkdir()
    (tmp_path / "shop.yaml").write_text("about: a shop")
    (folder / "other.yaml").write_text("about: another")
    with pytest.raises(BadDocument, match="expected one of cloudevents, other, segment"):
        Formats(folder).find(name)


def test_an_item_may_give_several_calls_and_activities_each_with_an_id_of_its_own(tmp_path: Path) -> None:
    known = formats(
        tmp_path,
        "items: orders[]",
        "calls:",
        "  - {type: identify, userId: who, traits: {email: mail}, messageId: nr}",
        "  - {type: track, when: paid, userId: who, traits: {email: mail}, messageId: nr, event: \"'Order Paid'\"}",
        "activities:",
        "  - {type: deal.won, when: paid, id: nr, subject: {email: mail}, data: {revenue: total}}",
    )
    order = {"nr": 7, "who": "u-1", "mail": "ada@example.com", "paid": True, "total": 12.5}
    events = told(known, {"orders": [order, {**order, "nr": 8, "paid": False}]}, ENGAGEMENTS, SALES).events
    assert [(event.type, event.id) for event in events if event.subject == ADA] == [
        ("baton.lead.described.v1", "7"),
        ("baton.engagement.recorded.v1", "7/1"),
        ("baton.deal.won.v1", "7"),
        ("baton.lead.described.v1", "8"),
    ]
    assert {event.sentby for event in events} == {"server"}
    assert sum(event.type == "baton.lead.linked.v1" for event in events) == 1


def test_what_no_call_wants_is_nothing(tmp_path: Path) -> None:
    known = formats(tmp_path, "calls:", "  - {type: track, when: wanted, event: name}")
    assert told(known, [{"name": "x"}, {"wanted": []}, 7, None]).events == []


def test_an_item_without_an_id_has_the_one_of_its_place(tmp_path: Path) -> None:
    known = formats(tmp_path, "calls:", "  - {type: track, anonymousId: a, event: a, messageId: nothing}")
    assert [event.id for event in told(known, {"a": "x"}, id_="topic/0/17").events] == ["topic/0/17"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"a": "u", "at": 10**30}, "bad_time"),
        ({"a": "secret-name", "at": "secret-text"}, "bad_item"),
        ({"a": "x" * 40_000}, "too_large"),
        ({"a": "a\0b"}, "nul_character"),
        ({}, "no_identifier"),
    ],
)
def test_an_item_is_refused_with_a_reason_that_names_no_value(tmp_path: Path, content: Any, reason: str) -> None:
    known = formats(tmp_path, "calls:", "  - {type: identify, userId: a, timestamp: \"instant(at, 'ms')\"}")
    with pytest.raises(Refused) as caught:
        told(known, content)
    assert caught.value.reason == reason
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("failing", ["a[::0]", "ceil(a)", "keys(a)", "join(',', a)", "max_by(a, &b)"])
def test_an_expression_that_fails_refuses_its_item_whatever_the_failure_is(tmp_path: Path, failing: str) -> None:
    known = formats(tmp_path, f'items: "{failing}"', "calls:", "  - {type: track, event: b, userId: 'a[0:1].b'}")
    for content in ({"a": [1, {"b": None}]}, {"a": float("inf")}, {"a": "x"}, 7, None):
        with suppress(Refused):
            told(known, content)


@pytest.mark.parametrize("kind", ["deal.won", "lead.merged"])
def test_neither_activities_nor_merges_come_where_they_are_not_allowed(tmp_path: Path, kind: str) -> None:
    data = "revenue: a" if kind == "deal.won" else "lead: other"
    known = formats(tmp_path, "activities:", f"  - {{type: {kind}, subject: {{email: mail}}, data: {{{data}}}}}")
    order = {"mail": "ada@example.com", "a": 1, "other": "bob@example.com"}
    with pytest.raises(Refused) as caught:
        told(known, order, ENGAGEMENTS)
    assert caught.value.reason == "not_allowed"
    assert len(told(known, order, SALES).events) == 1


def test_instants_of_every_unit(tmp_path: Path) -> None:
    known = formats(tmp_path, "calls:", "  - {type: track, userId: a, event: a, timestamp: 'instant(at, unit)'}")
    second = int(NOON.timestamp())
    for unit, factor in (("s", 1), ("ms", 1000), ("us", 10**6), ("ns", 10**9)):
        [event] = told(known, {"a": "u", "at": second * factor, "unit": unit}).events
        assert event.time == NOON
