"""The oracle's people of several names, against cases worked out by hand."""

import random
from typing import Any

import pytest

from tests.chaos.aliases import Aliases
from tests.chaos.by_hand import ADA, NOON, did, event, raw
from tests.chaos.model import Oracle
from tests.chaos.people import ANONYMOUS_FIRST, MERGED, Person, link_of
from tests.chaos.raw import lead_id
from tests.e2e.conftest import QUICK

BOB = lead_id("bob@example.com")
U1, D1 = lead_id("u1", "user_id"), lead_id("d1", "anonymous_id")
DEVICE, USER, EMAIL = ("anonymous_id", D1), ("user_id", U1), ("email", ADA)


@pytest.fixture
def oracle() -> Oracle:
    return Oracle(QUICK / "1.yaml")


def under(lead: str, event: dict[str, Any], via: str | None = None) -> dict[str, Any]:
    """The event as one of that lead, or as the copy that Baton makes of one; it names nobody by an address."""
    copied = {} if via is None else {"via": via, "finaltime": True}
    return event | {"subject": lead, "data": event["data"] | {"identifiers": {}}} | copied


def linked(alias: tuple[str, str], lead: tuple[str, str]) -> dict[str, Any]:
    """The link, as ingest makes it."""
    link = event("lead.linked", f"{alias}-{lead}")
    return link | {"subject": alias[1], "data": link_of(alias, lead)}


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 4, 0, 1, 3)], ids=str)
def test_a_person_is_what_all_its_names_did_over_a_chain_of_links_in_any_order(
    oracle: Oracle, order: tuple[int, ...]
) -> None:
    events = [
        under(D1, did("webinar_attended")),
        under(U1, did("content_downloaded", content="case_study")),
        did("content_downloaded", content="pricing"),
        linked(DEVICE, USER),
        linked(USER, EMAIL),
    ]
    for index in order:
        oracle.engagement(raw(events[index]))
    assert [oracle.scored(lead)[0] for lead in (ADA, U1, D1)] == [45, 0, 0]
    assert set(oracle.aliases) == {(D1, U1), (U1, ADA)}


def test_an_event_that_came_under_two_names_counts_once(oracle: Oracle) -> None:
    for number in range(3):
        oracle.engagement(raw(did("page_viewed", f"v{number}", content="pricing")))
        oracle.engagement(raw(under(U1, did("page_viewed", f"v{number}", content="pricing"))))
    oracle.engagement(raw(linked(USER, EMAIL)))
    assert oracle.scored(ADA)[0] == 0


@pytest.mark.parametrize(
    "wrong", [{"alias_by": None}, {"lead_by": None}, {"lead_by": "user_id"}, {"lead": U1}], ids=str
)
def test_a_link_that_does_not_go_up_means_nothing_and_is_kept(oracle: Oracle, wrong: dict[str, Any]) -> None:
    oracle.engagement(raw(under(U1, did("webinar_attended"))))
    refused = linked(USER, EMAIL)
    oracle.engagement(raw(refused | {"data": refused["data"] | wrong}))
    assert (oracle.scored(U1)[0], oracle.scored(ADA)[0], len(oracle.leads[U1].facts)) == (20, 0, 2)
    oracle.engagement(raw(linked(USER, EMAIL) | {"id": "good"}))
    assert [id_ for _, id_ in oracle.facts(ADA)] == ["webinar_attended-{}", "good"]


def test_an_alias_is_never_handed_off_and_its_lead_only_with_an_address(oracle: Oracle) -> None:
    oracle.engagement(raw(under(U1, did("demo_requested"))))
    oracle.engagement(raw(linked(USER, EMAIL)))
    assert [oracle.must_be_handed_off(lead) for lead in (U1, ADA)] == [False, False]
    oracle.engagement(raw(did("page_viewed")))
    assert [oracle.must_be_handed_off(lead) for lead in (U1, ADA)] == [False, True]


@pytest.mark.parametrize(("days", "levels"), [(-8, {"low"}), (-6, {"high"})])
def test_a_request_from_before_the_window_is_not_urgent(oracle: Oracle, days: int, levels: set[str]) -> None:
    oracle.engagement(raw(event("engagement.recorded", "asked", days * 86_400, kind="demo_requested")))
    assert oracle.intents(ADA, NOON) == levels


def test_a_copy_has_to_come_from_an_alias_and_say_the_same(oracle: Oracle) -> None:
    visit, forged = under(U1, did("page_viewed", "v")), under(U1, did("page_viewed", "forged"))
    for each in (visit, linked(USER, EMAIL), under(ADA, visit, via=U1)):
        oracle.engagement(raw(each))
    assert list(oracle.strays(ADA)) == []
    for copy in (under(ADA, forged, via=U1), under(ADA, visit, via=D1), under(BOB, visit, via=U1)):
        oracle.engagement(raw(copy))
    changed = under(ADA, did("page_viewed", "v", content="pricing"), via=U1)
    oracle.engagement(raw(changed))
    assert len(list(oracle.strays(ADA))) == 3
    assert len(list(oracle.strays(BOB))) == 1
    assert oracle.known(ADA).counts == {"page_viewed": 1}


def merge(kind: str, seconds: float) -> dict[str, Any]:
    """Ada says, through a CRM, that Bob's address was (not) hers."""
    return event(f"lead.{kind}", f"{kind}-{seconds}", seconds) | {"subject": BOB, "data": {"alias": BOB, "lead": ADA}}


@pytest.mark.parametrize(
    ("said", "scores"),
    [
        ([("merged", 0)], (35, 0)),
        ([("merged", 0), ("unmerged", 1)], (15, 20)),
        ([("merged", 0), ("unmerged", -1)], (35, 0)),
        ([("unmerged", 1), ("merged", 0)], (15, 20)),
        ([("merged", 0), ("unmerged", 1), ("merged", 2)], (35, 0)),
    ],
    ids=str,
)
def test_what_was_said_last_by_its_own_time_decides_whether_two_leads_are_one(
    oracle: Oracle, said: list[tuple[str, float]], scores: tuple[float, float]
) -> None:
    visit, download = under(D1, did("webinar_attended")), did("content_downloaded", content="pricing")
    for each in (visit, linked(DEVICE, ("email", BOB)), download):
        oracle.engagement(raw(each))
    for kind, seconds in said:
        oracle.engagement(raw(merge(kind, seconds), heard=9))
    assert (oracle.scored(ADA)[0], oracle.scored(BOB)[0]) == scores
    assert set(oracle.merges()) == {(f"lead.{kind}", lead, BOB, ADA) for kind, _ in said for lead in (ADA, BOB)}


def test_a_merged_lead_may_have_been_handed_off_and_must_not_be_any_more(oracle: Oracle) -> None:
    oracle.engagement(raw(did("page_viewed")))
    oracle.engagement(raw(under(BOB, did("demo_requested"))))
    oracle.engagement(raw(merge("merged", 0)))
    assert [oracle.may_be_handed_off(lead) for lead in (ADA, BOB)] == [True, False]
    oracle.engagement(raw(did("page_viewed", "2") | {"subject": BOB}))
    assert [oracle.may_be_handed_off(lead) for lead in (ADA, BOB)] == [True, True]
    assert [oracle.must_be_handed_off(lead) for lead in (ADA, BOB)] == [True, False]


def test_most_people_are_anonymous_first_and_all_of_them_are_linked_in_the_end() -> None:
    crowd, chance = [Person(7, number) for number in range(1_000)], random.Random(7)
    first = [person for person in crowd if person.anonymous_first]
    assert ANONYMOUS_FIRST - 0.05 < len(first) / len(crowd) < ANONYMOUS_FIRST + 0.05
    assert MERGED - 0.02 < sum("old" in person.names for person in crowd) / len(crowd) < MERGED + 0.02
    for person in crowd:
        calls = [person.step(number, chance).known_by for number in range(12)]
        assert (calls[0] == ("anonymous_id",)) == person.anonymous_first
        assert person.anonymous_first or set(calls) <= {("email",), ("old",)}
        aliases = Aliases()
        for weakest, *stronger in (call[::-1] for call in calls):
            if stronger:
                links = [(by, lead_id(person.names[by], by)) for by in (weakest, *stronger)]
                for alias in links[:-1]:
                    aliases.link(link_of(alias, links[-1]))
        leads = {lead_id(name, by) for by, name in person.names.items() if by != "old"}
        assert set(aliases.of(lead_id(person.names["email"]))) == leads
