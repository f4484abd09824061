"""What a name may mean, and the names that a lead's facts tell."""

from dataclasses import replace

import pytest
import typer

from desk.lead.explanation import explain
from desk.lead.person import Alias, Linked, Person, came_by, candidates, known_as, tell, tell_found
from schemas.engagements import LeadMerged, LeadUnmerged, Merge
from schemas.identity import Identifiers, lead_id_of
from scorer.rules.names import Names
from tests.builders import EMAIL, LEAD, a_description, a_fact, an_engagement, at
from tests.unit.scorer.driver import CLASSIC

OLD = lead_id_of(email="ada@old.example")
BY_USER = an_engagement(id="u", via=lead_id_of(user_id="u-1"), identifiers=Identifiers(user_id="u-1"))
BY_OLD = an_engagement("webinar_attended", id="o", via=OLD, identifiers=Identifiers(email="ada@old.example"))
FACTS = [a_fact(each) for each in (a_description(), BY_USER, BY_OLD)]


def a_merge(kind: type[LeadMerged | LeadUnmerged], minutes: float) -> LeadMerged | LeadUnmerged:
    data = Merge(alias=OLD, lead=LEAD, because="one person")
    return kind(id=f"m-{minutes:g}", source="crm", subject=LEAD, via=OLD, time=at(minutes), data=data)


@pytest.mark.parametrize(
    ("typed", "what"),
    [
        (" ADA@example.com ", ["e-mail address", "user id", "anonymous id"]),
        ("u-1", ["user id", "anonymous id"]),
        (LEAD.upper(), ["lead id", "user id", "anonymous id"]),
    ],
)
def test_a_name_may_be_an_address_or_an_id_of_several_kinds(typed: str, what: list[str]) -> None:
    found = candidates(typed)
    assert [each.what for each in found] == what
    assert found[0].lead_id == (lead_id_of(user_id="u-1") if typed == "u-1" else LEAD)


@pytest.mark.parametrize("typed", ["", "null", "0", "a@b", "ada@example.com,bob@example.com"])
def test_what_identifies_nobody_ends_the_command(typed: str) -> None:
    with pytest.raises(typer.BadParameter):
        candidates(typed)


def test_each_event_says_by_which_name_it_came() -> None:
    assert [came_by(fact) for fact in FACTS] == [None, "user id u-1", "e-mail address ada@old.example"]


def test_the_names_of_a_lead_are_those_of_its_facts_and_the_number_of_its_aliases() -> None:
    known = known_as([FACTS[2], *FACTS[:2], a_fact(a_merge(LeadMerged, 5))], aliases=9)
    assert (known.email, known.user_id, known.anonymous_id) == ((EMAIL, "ada@old.example"), ("u-1",), ())
    assert [(each.name, each.because) for each in known.merged] == [("ada@old.example", "one person")]
    lines = tell(known, 1)
    assert lines[:2] == ["ada@old.example (e-mail address)", "and 8 more"]
    assert lines[2].startswith("ada@old.example, merged into it 2026-03-02 12:05:00: one person")


def a_person(*, left: int = 0, first: str = LEAD) -> Person:
    """Found by a device that was another person's afterwards, and of which `left` facts are still to be moved."""
    links = (Linked(LEAD, EMAIL, at(0)), Linked(OLD, None, at(5)))
    return Person(
        "a-1", "anonymous id", OLD, (Alias(lead_id_of(anonymous_id="a-1"), links, first, facts=7, left=left),)
    )


def test_an_alias_shows_its_links_and_how_far_it_was_moved() -> None:
    device = lead_id_of(anonymous_id="a-1")
    assert tell_found(a_person()) == [
        "found by the anonymous id a-1",
        f"alias {device} is {EMAIL} ({LEAD}) since 2026-03-02 12:00:00, lead {OLD} since 2026-03-02 12:05:00",
        "all of its 7 facts were moved there",
    ]
    assert tell_found(a_person(left=5))[2] == "2 of its 7 facts were moved there so far"
    assert tell_found(a_person(first=OLD))[2] == f"what it did before is lead {OLD}'s"
    assert tell_found(Person("u-1", "user id", LEAD)) == []


def test_of_a_public_device_the_latest_links_are_shown() -> None:
    person = a_person()
    many = tuple(replace(person.via[0].links[0], since=at(minute)) for minute in range(9))
    line = tell_found(replace(person, via=(replace(person.via[0], links=many, merged=True),)))[1]
    assert (line.count(" since "), "was merged into 4 earlier ones, " in line) == (5, True), line


def test_what_came_by_an_unmerged_lead_is_neither_explained_nor_named() -> None:
    facts = [*FACTS, a_fact(a_merge(LeadMerged, 5)), a_fact(a_merge(LeadUnmerged, 6))]
    both, apart = (explain(LEAD, facts, CLASSIC, at(9), names=names) for names in (Names(), Names(masked=(OLD,))))
    assert (both.score, apart.score) == (20, 0)
    assert (apart.known_as.email, apart.known_as.merged) == ((EMAIL,), ())


def test_an_alias_has_no_points() -> None:
    from schemas.links import Links

    alias = Names(links=Links(OLD, ((at(0), OLD),)))
    assert explain(LEAD, FACTS, CLASSIC, at(9), names=alias).score == 0
