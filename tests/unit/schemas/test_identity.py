"""Who a lead is, computed alike by every producer in every language."""

from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.identity import NAMESPACE, Identifiers, derived_id, lead_id_of, partition_of
from schemas.spelling import canonical_email, plain_identifier

ADA = "ada.nowak@example.com"


def test_the_name_space_and_an_id_as_producers_in_other_languages_have_them() -> None:
    assert str(NAMESPACE) == "b46f1a5c-6a0e-5d0c-9f57-0e6d1c0ba701"
    assert lead_id_of(email=ADA) == "728039ab-0a06-54bc-9532-ec2464814760"
    assert lead_id_of(email=ADA) == str(uuid5(NAMESPACE, f"email:{ADA}"))
    assert lead_id_of(user_id="u-1") == str(uuid5(NAMESPACE, "user:u-1"))
    assert lead_id_of(anonymous_id="a-1") == str(uuid5(NAMESPACE, "anonymous:a-1"))


@pytest.mark.parametrize("spelling", ["Ada.Nowak@Example.COM", "  ada.nowak@example.com\n", "ADA.NOWAK@EXAMPLE.COM"])
def test_one_address_has_one_spelling(spelling: str) -> None:
    assert canonical_email(spelling) == ADA
    assert lead_id_of(email=spelling) == lead_id_of(email=ADA)


def test_an_accent_is_the_same_composed_or_not() -> None:
    composed, apart = "zo\u00eb@example.com", "zoe\u0308@example.com"
    assert composed != apart
    assert lead_id_of(email=composed) == lead_id_of(email=apart)
    assert lead_id_of(user_id=composed) == lead_id_of(user_id=apart)


def test_a_user_id_keeps_its_case_for_it_may_tell_two_people_apart() -> None:
    assert lead_id_of(user_id="Ab1") != lead_id_of(user_id="ab1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@localhost",
        "ada@.com.",
        "ada nowak@example.com",
        "ada@exam\tple.com",
        "ada\u200b@example.com",
        "ada\x00@example.com",
        f"{'a' * 250}@example.com",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an e-mail address"):
        canonical_email(text)


@pytest.mark.parametrize("blank", ["", " ", "\t\n", None])
def test_a_blank_identifier_is_none(blank: str | None) -> None:
    assert Identifiers(email=blank, user_id=blank, anonymous_id=blank) == Identifiers()
    assert lead_id_of(email=blank, user_id="u1", anonymous_id=blank) == lead_id_of(user_id="u1")


@pytest.mark.parametrize(
    "junk", ["null", "NULL", "undefined", "None", "nil", "NaN", "guest", "Anonymous", "unknown", "0", "-1"]
)
def test_what_trackers_send_when_they_know_nobody_merges_nobody(junk: str) -> None:
    with pytest.raises(ValueError, match="identifies nobody"):
        plain_identifier(junk)
    with pytest.raises(ValueError, match="identifies nobody"):
        lead_id_of(user_id=junk)


@pytest.mark.parametrize("junk", ["true", "False", "[object Object]", "00000000-0000-0000-0000-000000000000"])
def test_what_programs_send_by_mistake_merges_nobody(junk: str) -> None:
    with pytest.raises(ValueError, match="identifies nobody"):
        lead_id_of(anonymous_id=junk)


@pytest.mark.parametrize("text", ["a" * 256, "a\x00b", "line\nbreak", "\u202eabc"])
def test_an_identifier_is_printable_and_short(text: str) -> None:
    with pytest.raises(ValueError, match="255 characters or has control characters"):
        plain_identifier(text)


def test_the_strongest_identifier_names_the_lead_and_the_others_are_its_aliases() -> None:
    all_three = Identifiers(email=ADA, user_id="u-1", anonymous_id="a-1").lead_ids()
    assert list(all_three.items()) == [
        ("email", lead_id_of(email=ADA)),
        ("user_id", lead_id_of(user_id="u-1")),
        ("anonymous_id", lead_id_of(anonymous_id="a-1")),
    ]
    assert lead_id_of(email=ADA, user_id="u-1", anonymous_id="a-1") == all_three["email"]
    assert lead_id_of(user_id="u-1", anonymous_id="a-1") == all_three["user_id"]


def test_the_same_text_as_another_kind_of_identifier_is_another_lead() -> None:
    assert len({lead_id_of(email=ADA), lead_id_of(user_id=ADA), lead_id_of(anonymous_id=ADA)}) == 3


def test_an_event_of_nobody_has_no_lead() -> None:
    with pytest.raises(ValueError, match="needs an e-mail"):
        lead_id_of()


@settings(deadline=None)  # a busy machine is no defect
@given(st.emails() | st.text(max_size=12).map(lambda name: f"{name}@example.com"))
def test_a_canonical_address_is_canonical(email: str) -> None:
    try:
        canonical = canonical_email(email)
    except ValueError:
        return
    assert canonical_email(canonical) == canonical == canonical_email(f" {canonical} ")


def test_a_derived_id_depends_on_each_part_and_on_where_it_ends() -> None:
    ids = [derived_id("a", "b", 1), derived_id("ab", 1), derived_id("a", "b1"), derived_id("a", "b", 2)]
    assert len(set(ids)) == 4
    assert derived_id("a", "b", 1) == ids[0] == str(UUID(ids[0]))


@given(st.text(max_size=40))
def test_ids_are_version_5_uuids_as_any_library_makes_them(text: str) -> None:
    assert derived_id(text, 1) == str(uuid5(NAMESPACE, f"{text}\0001"))


@pytest.mark.parametrize(
    ("key", "murmur2"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
@pytest.mark.parametrize("partitions", [1, 4, 1000, 2**31 - 1])
def test_a_key_falls_where_kafkas_own_partitioner_puts_it(key: bytes, murmur2: int, partitions: int) -> None:
    """The hashes are of Kafka's UtilsTest.testMurmur2."""
    assert partition_of(key, partitions) == (murmur2 & 0x7FFFFFFF) % partitions
