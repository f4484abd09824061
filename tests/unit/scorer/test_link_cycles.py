"""Links and merges that contradict one another: nobody disappears, and nothing counts for two people."""

from collections.abc import Sequence
from typing import Any

import pytest

from schemas.engagements import LeadMerged, LeadSuppressed, LeadUnmerged, Merge, Suppression
from schemas.envelope import Envelope
from schemas.identity import Identifiers
from tests.builders import at
from tests.unit.scorer.people import People, links_of
from tests.unit.scorer.test_links import ADA, ALL, BOB, PHONE, USER, an_erasure, did, lead, score

CLEO = Identifiers(email="cleo@example.com")
BOTH = Identifiers(email="ada@example.com", user_id="u-1")
PRICES = ("content_downloaded", "pricing")


def said(alias: Identifiers, to: Identifiers, minutes: float, kind: Any = LeadMerged) -> Envelope:
    """A merge, or an unmerge, of the alias into the lead."""
    about = {"id": f"{kind.__name__}-{minutes}", "source": "crm", "subject": lead(alias), "time": at(minutes)}
    event: Envelope = kind(data=Merge(alias=lead(alias), lead=lead(to)), **about)
    return event


def persons(people: People, *names: Identifiers) -> list[Identifiers]:
    """Those that are no alias."""
    return [each for each in names if people.one(lead(each)).state.names.links is None]


CYCLES: dict[str, Sequence[Sequence[Envelope]]] = {
    "into its own user id": [did(BOTH, id="1"), [said(ADA, USER, 10)]],
    "the wrong way, then the right one": [
        [*did(ADA, id="1"), *did(BOB, id="2")],
        [said(ADA, BOB, 10)],
        [said(BOB, ADA, 20)],
    ],
    "a link back": [
        [*did(ADA, id="1"), *did(USER, id="2")],
        [said(ADA, USER, 10)],
        did(BOTH, id="3", minutes=20),
    ],
    "three": [
        [*did(ADA, id="1"), *did(BOB, id="2"), *did(CLEO, id="3")],
        [said(ADA, BOB, 10)],
        [said(BOB, CLEO, 20)],
        [said(CLEO, ADA, 30)],
    ],
}


@pytest.mark.parametrize("steps", CYCLES.values(), ids=CYCLES)
def test_what_would_close_a_cycle_is_refused(steps: Sequence[Sequence[Envelope]]) -> None:
    people = People()
    for events in steps:
        people.settle(*events)
    assert len(persons(people, *[each for each in (ADA, BOB, CLEO, USER) if lead(each) in people.leads])) == 1
    assert people.totals["links_refused"] == 1


def test_a_merged_lead_is_not_merged_into_another_one_too() -> None:
    people = People().settle(*did(BOB, id="1"), *did(ADA, id="2"), *did(CLEO, *PRICES, id="3"))
    people.settle(said(BOB, ADA, 10)).settle(said(BOB, CLEO, 20))
    assert (score(people, ADA), score(people, CLEO), people.totals["links_refused"]) == (20, 15, 1)
    people.settle(said(BOB, ADA, 30, LeadUnmerged)).settle(said(BOB, CLEO, 40))
    assert (score(people, ADA), score(people, CLEO)) == (20, 35)


@pytest.mark.parametrize("first", ["unmerged", "merged on"])
def test_what_was_unmerged_counts_no_longer_at_the_end_of_a_chain(first: str) -> None:
    people = People().settle(*did(BOB, id="1"), *did(ADA, *PRICES, id="2"), *did(CLEO, "page_viewed", id="3"))
    people.settle(*did(Identifiers(email="bob@example.com", user_id="u-1"), "content_downloaded", "case_study", id="4"))
    people.settle(said(BOB, ADA, 10))
    words = [said(BOB, ADA, 20, LeadUnmerged), said(ADA, CLEO, 30)]
    for word in words if first == "unmerged" else words[::-1]:
        people.settle(word)
    assert (score(people, BOB), score(people, CLEO)) == (30, 15)
    people.settle(said(BOB, ADA, 40))
    assert score(people, CLEO) == 45
    people.settle(said(ADA, CLEO, 50, LeadUnmerged))
    assert (score(people, ADA), score(people, CLEO)) == (45, 0)


def test_an_unmerge_from_another_lead_changes_nothing() -> None:
    people = People().settle(*did(BOB, id="1"), *did(ADA, *PRICES, id="2"), *did(CLEO, "page_viewed", id="3"))
    people.settle(said(BOB, ADA, 10)).settle(said(BOB, CLEO, 20, LeadUnmerged))
    assert (persons(people, BOB, ADA), score(people, ADA)) == ([ADA], 35)


def test_a_link_after_an_unmerge_counts_again() -> None:
    people = People().settle(*did(USER, id="1"), *did(ADA, *PRICES, id="2"))
    people.settle(said(USER, ADA, 10)).settle(said(USER, ADA, 20, LeadUnmerged))
    people.settle(*did(BOTH, "page_viewed", id="3", minutes=30))
    assert score(people, ADA) == 35


def test_a_suppression_of_somebody_set_apart_suppresses_nobody_else() -> None:
    people = People().settle(*did(BOB, id="1"), *did(ADA, id="2"))
    people.settle(said(BOB, ADA, 10)).settle(said(BOB, ADA, 20, LeadUnmerged))
    late = {"id": "s", "source": "crm", "subject": lead(ADA), "via": lead(BOB), "time": at(15)}
    people.settle(LeadSuppressed(data=Suppression(), **late))
    assert not [event for event in people.published if isinstance(event, LeadSuppressed)]


def test_an_alias_comes_back_to_its_lead_on_another_day() -> None:
    bob = Identifiers(email="bob@example.com", user_id="u-1")
    people = People().settle(*did(BOTH, "page_viewed", id="1"))
    people.settle(*did(bob, "page_viewed", id="2", minutes=10))
    again = [each.model_copy(update={"id": "another day"}) for each in links_of(BOTH, 2000)]
    people.settle(*again, *did(USER, id="4", minutes=2010))
    assert (score(people, ADA), score(people, BOB)) == (20, 0)


def test_an_erasure_goes_up_a_chain() -> None:
    people = People().settle(*did(Identifiers(user_id="u-1", anonymous_id="phone-1"), id="1"))
    people.settle(*did(BOTH, id="2")).settle(an_erasure(PHONE))
    assert all(one.erased for one in people.leads.values())


def test_an_erasure_reaches_a_name_that_was_linked_meanwhile() -> None:
    people = People().settle(*did(BOTH, id="1"), *did(PHONE, id="secret"))
    people.send(*did(Identifiers(user_id="u-1", anonymous_id="phone-1"), id="2", minutes=2))
    for name in (PHONE, USER):
        while people.one(lead(name)).waiting:
            people._take(lead(name), people.one(lead(name)))
    people.one(lead(ADA)).waiting.appendleft(an_erasure(ADA).encode())
    people.settle()
    assert people.one(lead(PHONE)).erased


def test_what_came_first_is_moved_whether_or_not_the_lead_was_in_memory() -> None:
    people = People().settle(*did(BOB, id="1"), said(BOB, USER, 5))
    people.settle(*did(ALL, id="3", minutes=10))
    assert lead(BOB) in people.one(lead(ADA)).state.names.aliases
