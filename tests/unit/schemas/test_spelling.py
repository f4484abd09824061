"""One spelling for each mailbox and id, and none for what identifies nobody."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import email_validator
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from schemas import spelling
from schemas.engagements import LeadDescribed
from schemas.envelope import Decoder, UnknownEvent
from schemas.identity import lead_id_of, respelt
from schemas.spelling import (
    JUNK,
    Unusable,
    canonical_email,
    email_as_stored,
    identifier_as_stored,
    plain_identifier,
)
from schemas.topics import TOPICS
from tests.builders import NOON, a_description

VECTORS = json.loads((Path(__file__).parents[2] / "fixtures/identity/addresses.json").read_text())
ADA = "ada@example.com"


def why_not(function: Callable[[str], str], text: str) -> str:
    with pytest.raises(Unusable) as refused:
        function(text)
    return refused.value.why


@pytest.mark.parametrize("vector", VECTORS["addresses"], ids=lambda vector: vector["spelling"])
def test_a_mailbox_has_one_spelling_and_one_lead(vector: dict[str, str]) -> None:
    assert canonical_email(vector["spelling"]) == vector["canonical"]
    assert lead_id_of(email=vector["spelling"]) == vector["lead_id"]


@pytest.mark.parametrize("text", VECTORS["no_addresses"])
def test_what_is_not_exactly_one_address_is_none(text: str) -> None:
    assert why_not(canonical_email, text) == "no_address"


letters = st.characters(codec="ascii", categories=("Ll", "Lu", "Nd"))
word = st.text(letters | st.sampled_from("_+-"), min_size=1, max_size=12)
label = st.from_regex(r"[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,4})?", fullmatch=True)
tops = st.sampled_from(["com", "example", "local", "test", "invalid", "onion", "x", "de", "1"])
ordinary = st.builds(
    lambda names, labels, top: f"{'.'.join(names)}@{'.'.join(labels)}.{top}",
    st.lists(word, min_size=1, max_size=3),
    st.lists(label, min_size=1, max_size=3),
    tops,
)
unicode_local = st.builds(
    lambda name, top: f"{name}@Example.{top}",
    st.text(st.characters(categories=("Ll", "Lu", "Lo", "Nd")), min_size=1, max_size=12),
    tops,
)


@settings(max_examples=2000, deadline=None)
@given(ordinary)
@example("o'hara!#$%&*/=?^`{|}~@sub.example.co")
@example(f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 57}.de")
def test_the_spelling_of_an_ordinary_address_is_what_it_always_was(email: str) -> None:
    assert canonical_email(email) == canonical_email(f" {email}\n") == email_as_stored(email)


@settings(max_examples=500, deadline=None)
@given(unicode_local)
@example("Zoe\u0308@example.com")
@example("\u00c5ngstr\u00f6m@example.com")
def test_and_so_is_that_of_a_local_part_in_another_script(email: str) -> None:
    try:
        canonical = canonical_email(email)
    except Unusable:
        assume(False)
    assert canonical == email_as_stored(email)


edges = st.sampled_from([*"aZ09.-_+@ \u017f\u212a\u0130\u00fc'!<>", "xn--", "--", "example.com", "b" * 63])


@settings(max_examples=5000, deadline=None)
@given(ordinary | st.lists(edges, max_size=9).map("".join) | st.emails())
@example("a@b--c.com")
@example("a@xn--bcher-kva.example")
@example(f"a@{'b' * 64}.com")
@example("\u212a@example.com")
@example("a@e\u017f.com")
@example("a@b-.com")
def test_the_short_way_for_plain_ascii_gives_what_the_library_gives(email: str) -> None:
    assume(spelling._is_plain(email))
    assert spelling._bare(email) == email.lower()


def test_special_use_domains_keep_their_ids_and_the_library_its_list() -> None:
    before = list(email_validator.SPECIAL_USE_DOMAIN_NAMES)
    assert canonical_email("Zo\u00eb@printer.local") == "zo\u00eb@printer.local"
    assert before == email_validator.SPECIAL_USE_DOMAIN_NAMES
    assert "local" in before


@settings(max_examples=1000, deadline=None)
@given(st.emails() | unicode_local | st.text(max_size=30) | st.text(max_size=12).map(lambda name: f"{name}@b\u00fc.de"))
def test_a_canonical_address_is_canonical_and_readable_by_every_version(text: str) -> None:
    try:
        canonical = canonical_email(text)
    except Unusable:
        return
    assert canonical == canonical_email(canonical) == canonical_email(f" <{canonical}> ") == email_as_stored(canonical)


@pytest.mark.parametrize(
    "junk",
    [
        *sorted(JUNK),
        *("NULL", "Guest", " null ", "'null'", '"undefined"', "(null)", "<nil>", "<null>", "[null]", "{}", "[]", "N/A"),
        *("00", "0000000000", "0.0", "-0", "0-0", "0x0", "0000-0000", "-", "--", "...", "?", "_", "#"),
        *("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "0" * 32, "1" * 32),
        *("{{user_id}}", "{{ user.id }}", "${userId}", "<%= user.id %>", "*|UNIQID|*", "{user_id}", "%!s(<nil>)"),
        *("undefined undefined", "[object Promise]", "distinct_id", "anonymous user", "Infinity", "9774d56d682e549c"),
    ],
)
def test_what_identifies_nobody_is_no_identifier(junk: str) -> None:
    assert why_not(plain_identifier, junk) == "nobody"


@pytest.mark.parametrize(
    "text",
    [
        *("1", "10", "100", "007", "-5", "0a", "00u1abcd", "0x1f", "12345.0", "null-1", "guest42", "anon_7f3", "test"),
        *("11111111", "1" * 31, "00000000-0000-0000-0000-000000000001", "5f4dcc3b5aa765d61d8327deb882cf99", "{a1}"),
        *("auth0|5f7c", "ada@localhost", "a@@b.com", "\u5f20\u4f1f", "\u0443\u0437\u0435\u0440", "\U0001f642", "100%"),
    ],
)
def test_an_id_that_only_looks_odd_stays_as_it_is(text: str) -> None:
    assert plain_identifier(text) == identifier_as_stored(text) == text


@given(st.text(max_size=40))
def test_what_the_door_takes_every_reader_takes(text: str) -> None:
    try:
        assert identifier_as_stored(plain_identifier(text)) == plain_identifier(text)
    except Unusable:
        return


OLD: dict[str, Any] = {
    "<ada@example.com>": lead_id_of(email=ADA),
    "mailto:ada@example.com": lead_id_of(email=ADA),
    "ada@example.com.": lead_id_of(email=ADA),
    "ada@b\u00fccher.example": lead_id_of(email="ada@xn--bcher-kva.example"),
    "bob@rival.example,ada@example.com": None,
    "a@@b.com": None,
    "a@b..com": None,
}
"""Addresses that versions before 2026-11-29 took as they are, and the lead that each means today."""
STORED = json.loads((Path(__file__).parents[2] / "fixtures/identity/stored.json").read_text())


def test_the_stored_facts_are_of_every_kind() -> None:
    assert {fact["data"]["identifiers"]["email"] for fact in STORED} == OLD.keys()


@pytest.mark.parametrize("body", STORED, ids=lambda body: body["data"]["identifiers"]["email"])
def test_a_fact_stored_under_a_bad_spelling_stays_readable_and_says_what_was_stored(body: dict[str, Any]) -> None:
    decoder = Decoder(*TOPICS["engagements"].events)
    value = json.dumps(body, ensure_ascii=False).encode()
    stored = decoder.stored(value, NOON, b"print", NOON)
    assert not isinstance(stored.event, UnknownEvent)
    assert isinstance(stored.event, LeadDescribed)
    address = body["data"]["identifiers"]["email"]
    assert stored.event.data.identifiers.email == address
    assert stored.event.data.identifiers.lead_ids()["email"] == body["subject"]
    assert decoder.fact(body["subject"].encode(), value, NOON).event == stored.event  # as a forwarded copy comes
    assert respelt(body["subject"], address) == OLD[address]


def test_a_lead_of_another_name_is_not_respelt() -> None:
    assert respelt(lead_id_of(email=ADA), ADA) is None
    assert respelt(lead_id_of(user_id="u1"), "<ada@example.com>") is None
    assert respelt(lead_id_of(user_id="u1"), "no address") is None
    assert respelt(lead_id_of(email=ADA), "<ada@example.com>") is None
    assert a_description().subject
