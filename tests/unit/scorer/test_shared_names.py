"""A name that several people have: the erasure of one of them takes what was done as that one, and nothing else."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.engagements import Erasure
from schemas.envelope import Envelope
from schemas.identity import Identifiers
from schemas.scores import ErasedOnScores
from scorer import stored
from tests.builders import a_description, at
from tests.unit.scorer.people import People, links_of
from tests.unit.scorer.test_links import ADA, BOB, PHONE, USER, an_erasure, did, lead, score

PRICES, CASE = ("content_downloaded", "pricing"), ("content_downloaded", "case_study")


def login(of: Identifiers, device: Identifiers, minutes: float) -> list[Envelope]:
    """The link of an event that has both names."""
    return [*links_of(Identifiers(**{**dict(device), "email": of.email}), minutes)]


def ids(people: People, names: Identifiers) -> set[str]:
    """The events of trackers that are kept of the name."""
    return {id_ for source, id_ in people.one(lead(names)).facts if source == "tests"}


def shared(*, moved: bool = True) -> People:
    """Of one device: Ada's at 0 and 12, Bob's at 22 and 35; with names in what they said of themselves."""
    people = People().settle(*login(ADA, PHONE, 10), *login(BOB, PHONE, 20))
    about = {"subject": lead(PHONE), "identifiers": PHONE}
    people.send(*did(PHONE, id="a0"), a_description(id="a12", name="Ada", time=at(12), **about))
    people.send(a_description(id="b22", name="Bob", time=at(22), **about), *did(PHONE, *PRICES, id="b35", minutes=35))
    return people.settle() if moved else people


def test_the_erasure_of_one_person_of_a_shared_device_takes_what_was_done_as_that_one() -> None:
    people = shared().settle(an_erasure(ADA))
    phone = people.one(lead(PHONE))
    assert (phone.erased, people.one(lead(ADA)).erased, people.one(lead(BOB)).erased) == (False, True, False)
    assert (ids(people, PHONE), ids(people, ADA), ids(people, BOB)) == ({"b22", "b35"}, set(), {"b22", "b35"})
    kept = [people.scorer.dump(phone.state), *(fact.value.decode() for fact in phone.facts.values())]
    assert "Ada" not in repr(kept)
    assert score(people, BOB) == 15


def test_later_events_are_dropped_at_times_of_the_erased_one_and_forwarded_at_others() -> None:
    people = shared().settle(an_erasure(ADA))
    before = people.totals["forwarded"]
    people.settle(*did(PHONE, id="late-a", minutes=15), *did(PHONE, *CASE, id="later-b", minutes=40))
    people.killed()
    people.settle(*did(PHONE, id="later-a", minutes=5))
    assert ids(people, PHONE) == ids(people, BOB) == {"b22", "b35", "later-b"}
    assert (score(people, BOB), people.totals["dropped:erased"], people.totals["forwarded"]) == (25, 2, before + 1)


def test_what_is_still_to_be_moved_comes_to_the_other_one() -> None:
    people = People().settle(*[event for n in range(9) for event in did(PHONE, *PRICES, id=f"b{n}", minutes=30 + n)])
    people.send(*login(ADA, PHONE, 10), *login(BOB, PHONE, 20))
    phone = people.one(lead(PHONE))
    while phone.waiting:
        people._take(lead(PHONE), phone)
    assert phone.state.names.after is not None
    erasure = Erasure(lead=lead(ADA))
    phone.waiting.append(an_erasure(PHONE, id="passed on", source="baton/scorer", data=erasure).encode())
    people._take(lead(PHONE), phone)
    assert (phone.due, phone.erased) == (True, False)
    assert ids(people.settle(), BOB) == {f"b{n}" for n in range(9)}


def test_nobody_takes_a_user_id_from_its_owner_by_the_address_of_somebody_who_is_erased() -> None:
    people = People().settle(*did(ADA, id="1"), an_erasure(ADA))
    people.settle(*did(Identifiers(user_id="u-1", email=BOB.email), id="2", minutes=5))
    people.settle(*did(USER, *PRICES, id="3", minutes=10))
    people.settle(*login(ADA, USER, 20), *did(USER, *CASE, id="as-ada", minutes=25))
    assert not people.one(lead(USER)).erased
    assert (ids(people, USER), score(people, BOB)) == ({"3"}, 35)
    people.settle(*[each.model_copy(update={"id": "again"}) for each in login(BOB, USER, 30)])
    people.settle(*did(USER, *CASE, id="5", minutes=35))
    assert (ids(people, USER), score(people, BOB)) == ({"3", "5"}, 45)


def test_a_name_all_of_whose_people_are_erased_is_erased() -> None:
    people = shared().settle(an_erasure(ADA)).settle(an_erasure(BOB))
    assert people.one(lead(PHONE)).erased
    assert len(people.one(lead(PHONE)).facts) == 1
    assert people.one(lead(PHONE)).state.names.links is None


def chain() -> People:
    """Of one user id, which was Ada's, then Bob's, a device."""
    people = People().settle(*login(ADA, USER, 10), *login(BOB, USER, 20))
    return people.settle(*links_of(Identifiers(user_id="u-1", anonymous_id="phone-1"), 0))


def test_a_device_of_a_shared_user_id_keeps_what_belongs_to_the_others() -> None:
    people = chain().settle(*did(PHONE, id="a15", minutes=15), *did(PHONE, *PRICES, id="b25", minutes=25))
    people.settle(an_erasure(ADA))
    assert not people.one(lead(USER)).erased
    assert not people.one(lead(PHONE)).erased
    assert (ids(people, PHONE), ids(people, USER), score(people, BOB)) == ({"b25"}, {"b25"}, 15)
    people.settle(*did(PHONE, id="a16", minutes=16), *did(PHONE, *CASE, id="b30", minutes=30))
    assert ids(people, PHONE) == ids(people, USER) == ids(people, BOB) == {"b25", "b30"}
    again = did(PHONE, id="a16", minutes=16)
    people.settle(*again)
    assert ids(people, PHONE) == {"b25", "b30"}, "come once more, it goes once more"


def test_the_services_downstream_learn_at_which_times_an_alias_is_erased() -> None:
    people = shared().settle(an_erasure(ADA))
    told = {event.subject: event.data for event in people.published if isinstance(event, ErasedOnScores)}
    assert told == {
        lead(ADA): Erasure(),
        lead(PHONE): Erasure(lead=lead(ADA), spans=((None, at(10)), (at(10), at(20)))),
    }


def test_links_that_come_after_the_erasure_bring_nothing_back_and_take_nothing_from_others() -> None:
    people = shared().settle(an_erasure(ADA))
    people.settle(*[each.model_copy(update={"id": "earlier"}) for each in login(BOB, PHONE, 5)])
    people.settle(*did(PHONE, *CASE, id="b7", minutes=7), *did(PHONE, id="a12-too", minutes=12))
    assert ids(people, PHONE) == ids(people, BOB) == {"b22", "b35", "b7"}
    people.settle(*[each.model_copy(update={"id": "later"}) for each in login(ADA, PHONE, 30)])
    assert (ids(people, PHONE), ids(people, BOB)) == ({"b22", "b7"}, {"b22", "b35", "b7"})


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_in_any_order_nothing_of_the_erased_one_stays_and_all_of_the_other_one(data: st.DataObject) -> None:
    chance = data.draw(st.randoms(use_true_random=False))
    people = People(chance.randrange)
    minutes = data.draw(st.lists(st.integers(0, 20), min_size=2, max_size=5, unique=True))
    logins = [login((ADA, BOB)[n % 2], PHONE, minute)[0] for n, minute in enumerate(minutes)]
    logins = [each.model_copy(update={"id": f"link-{n}"}) for n, each in enumerate(logins)]
    visits = [did(PHONE, id=f"{number:02}", minutes=data.draw(st.integers(0, 20))) for number in range(12)]
    first = data.draw(st.booleans())
    people.settle(*logins) if first else None
    rest: list[Sequence[Envelope]] = [*visits, [an_erasure(ADA)], *([] if first else [[each] for each in logins])]
    for events in data.draw(st.permutations(rest)):
        people.send(*events)
        while chance.random() < 0.6 and people.step():
            people.killed() if chance.random() < 0.1 else None
    people.settle()
    phone, links = people.one(lead(PHONE)), people.one(lead(PHONE)).state.names.links
    if phone.erased:
        assert not first, "Bob was known"
        assert len(phone.facts) == 1
        return
    assert links is not None
    assert all(links.lead_at(fact.time) == lead(BOB) for (source, _), fact in phone.facts.items() if source == "tests")
    if first:
        bobs = {event.id for event, *_ in visits if links.lead_at(event.time) == lead(BOB)}
        assert ids(people, PHONE) == ids(people, BOB) == bobs


def test_a_version_that_knows_no_erased_leads_of_an_alias_does_not_read_one() -> None:
    people = shared()
    before = people.scorer.dump(people.one(lead(PHONE)).state)
    people.settle(an_erasure(ADA))
    state = people.one(lead(PHONE)).state
    text = people.scorer.dump(state)
    assert stored.read(lead(PHONE), text) == state
    assert state.names.gone == (lead(ADA),)

    def older(text: str) -> list[tuple[str, str]]:
        return [(time, of) for time, of in json.loads(text)["names"]["links"]["since"]]

    assert [of for _, of in older(before)] == [lead(ADA), lead(BOB)]
    with pytest.raises(ValueError, match="too many values"):
        older(text)


def test_an_erasure_for_a_lead_that_the_alias_is_not_changes_nothing() -> None:
    people = shared()
    before = people.one(lead(PHONE)).state
    strange = an_erasure(PHONE, source="baton/scorer", data=Erasure(lead=lead(USER)))
    people.settle(strange)
    assert people.one(lead(PHONE)).state == before
    assert ids(people, PHONE) == {"a0", "a12", "b22", "b35"}
