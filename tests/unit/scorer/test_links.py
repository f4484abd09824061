"""One person under many names is one lead, and its score that of all its events: in any order, with any kills."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.service import At
from schemas.engagements import Erasure, LeadErased, LeadMerged, LeadSuppressed, LeadUnmerged, Merge, Suppression
from schemas.envelope import Envelope
from schemas.identity import Identifiers
from schemas.scores import LeadIdentityConflict, LinkedOnScores
from scorer.rules.names import MOST_ALIASES
from tests.builders import a_description, a_fact, an_engagement, an_opt_in, at
from tests.unit.scorer.driver import LATER, Play
from tests.unit.scorer.people import People, a_link, links_of

PHONE, LAPTOP = Identifiers(anonymous_id="phone-1"), Identifiers(anonymous_id="laptop-1")
USER, ADA = Identifiers(user_id="u-1"), Identifiers(email="ada@example.com")
BOB = Identifiers(email="bob@example.com")
ALL = Identifiers(email="ada@example.com", user_id="u-1", anonymous_id="phone-1")


def lead(names: Identifiers) -> str:
    return next(iter(names.lead_ids().values()))


def did(
    names: Identifiers, kind: str = "webinar_attended", content: str | None = None, **fields: Any
) -> list[Envelope]:
    """An engagement under these names and its links, as ingest publishes them."""
    minutes = fields.pop("minutes", 0)
    event = an_engagement(kind, content, subject=lead(names), identifiers=names, time=at(minutes), **fields)
    return [event, *links_of(names, minutes)]


def score(people: People, names: Identifiers) -> float:
    scores = people.scores(lead(names))
    return scores[-1].data.score if scores else 0


DONE = [
    ("content_downloaded", "pricing"),
    ("webinar_attended", None),
    ("page_viewed", "pricing"),
    ("email_opened", None),
]


@st.composite
def lives(draw: st.DrawFn) -> list[list[Envelope]]:
    """One person's events under any of its names, in any order, and at any place the events that say who it is."""
    alone = [PHONE, LAPTOP, USER, ADA]
    pairs = [
        Identifiers(anonymous_id="phone-1", user_id="u-1"),
        Identifiers(anonymous_id="laptop-1", user_id="u-1"),
        Identifiers(anonymous_id="phone-1", email="ada@example.com"),
        ALL,
    ]
    made = list[list[Envelope]]()
    for number in range(draw(st.integers(1, 14))):
        names = draw(st.sampled_from([*alone, *pairs]))
        made.append(_event(draw, number, names))
    known = [Identifiers(anonymous_id="phone-1", user_id="u-1"), Identifiers(anonymous_id="laptop-1", user_id="u-1")]
    for number, names in enumerate([*known, Identifiers(user_id="u-1", email="ada@example.com")], 90):
        made.insert(draw(st.integers(0, len(made))), _event(draw, number, names))
    return made


def _event(draw: st.DrawFn, number: int, names: Identifiers) -> list[Envelope]:
    time = draw(st.integers(0, 20))
    about: dict[str, Any] = {"id": f"{number:02}", "time": at(time), "subject": lead(names), "identifiers": names}
    what = draw(st.integers(0, 7))
    event: Envelope
    if what == 0:
        event = a_description(company_size=draw(st.sampled_from([9, 100, 600])), **about)
    elif what == 1:
        event = an_opt_in(**about)
    else:
        kind, content = draw(st.sampled_from(DONE))
        event = an_engagement(kind, content, machine=draw(st.integers(0, 9)) == 0, **about)
    return [event, *links_of(names, time)]


@settings(max_examples=2000, deadline=None)
@given(life=lives(), data=st.data())
def test_any_split_of_a_person_over_its_names_gives_the_score_of_all_its_events(
    life: list[list[Envelope]], data: st.DataObject
) -> None:
    chance = data.draw(st.randoms(use_true_random=False))
    people = People(chance.randrange)
    for events in life:
        people.send(*events, *([events[0]] if chance.random() < 0.2 else []))
        while chance.random() < 0.7 and people.step():
            if chance.random() < 0.05:
                people.killed()
    people.settle()
    whole = Play()
    whole.play([event.model_copy(update={"subject": whole.state.lead_id}) for event, *_ in life])
    ada = people.one(lead(ADA))
    assert ada.state.tally == whole.state.tally
    assert ada.state.published.digest == whole.state.published.digest
    others = [one.state for lead_id, one in people.leads.items() if lead_id != lead(ADA)]
    assert all(state.names.links and state.names.after is None for state in others), "each other name is an alias"
    assert set(ada.state.names.aliases) == set(people.leads) - {lead(ADA)}


def test_the_person_of_a_tracker_is_one_lead_of_all_its_points() -> None:
    people = People()
    people.settle(*did(PHONE, "content_downloaded", "pricing", id="1"))
    assert score(people, PHONE) == 15
    people.settle(*did(ALL, "page_viewed", id="2", minutes=1))
    people.settle(*did(USER, id="3", minutes=2), *did(PHONE, "content_downloaded", "case_study", id="4", minutes=3))
    assert score(people, ADA) == 15 + 20 + 10
    assert people.totals["forwarded"] == 2
    told = {event.subject for event in people.published if isinstance(event, LinkedOnScores)}
    assert told == {lead(USER), lead(PHONE)}


def test_an_alias_that_was_linked_before_it_did_anything_has_nothing_to_move() -> None:
    people = People().settle(*did(ALL))
    assert not people.one(lead(PHONE)).state.names.after
    assert people.totals["moved"] == 2, "the links themselves"


def test_an_alias_that_only_a_machine_was_seen_under_moves_that_too() -> None:
    people = People().settle(*did(PHONE, "email_opened", id="1", machine=True), *did(ALL, id="2", minutes=1))
    assert ("tests", "1") in people.one(lead(ADA)).facts


def test_of_a_shared_device_the_past_is_the_first_persons_and_each_login_takes_what_follows() -> None:
    people = People()
    people.settle(*did(PHONE, id="sunday"))
    people.settle(*did(Identifiers(email="ada@example.com", anonymous_id="phone-1"), "page_viewed", id="a", minutes=10))
    people.settle(*did(Identifiers(email="bob@example.com", anonymous_id="phone-1"), "page_viewed", id="b", minutes=20))
    people.settle(*did(PHONE, "content_downloaded", "pricing", id="tuesday", minutes=30))
    people.settle(*did(PHONE, "content_downloaded", "case_study", id="late-of-monday", minutes=15))
    assert (score(people, ADA), score(people, BOB)) == (30, 15)
    assert people.totals["identity_conflicts"] == 0


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_each_event_of_a_shared_device_comes_to_one_person_also_while_the_past_moves(data: st.DataObject) -> None:
    chance = data.draw(st.randoms(use_true_random=False))
    people = People(chance.randrange)
    logins = [
        links_of(Identifiers(email=email, anonymous_id="phone-1"), data.draw(st.integers(0, 20)))
        for email in ("ada@example.com", "bob@example.com")
    ]
    visits = [did(PHONE, id=f"{number:02}", minutes=data.draw(st.integers(0, 20))) for number in range(12)]
    sent: list[Sequence[Envelope]] = [*logins, *visits]
    for events in data.draw(st.permutations(sent)):
        people.send(*events)
        while chance.random() < 0.6 and people.step():
            pass
    people.settle()
    ids = [{id_ for source, id_ in people.one(lead(names)).facts if source == "tests"} for names in (ADA, BOB)]
    assert sorted([*ids[0], *ids[1]]) == [f"{number:02}" for number in range(12)]


def test_a_user_id_with_a_second_address_is_told_and_nothing_of_the_past_moves() -> None:
    people = People()
    people.settle(*did(Identifiers(email="ada@example.com", user_id="u-1"), id="1"))
    people.settle(*did(Identifiers(email="bob@example.com", user_id="u-1"), "page_viewed", id="2", minutes=10))
    people.settle(*did(USER, "content_downloaded", "pricing", id="3", minutes=20))
    assert (score(people, ADA), score(people, BOB)) == (20, 15)
    [conflict] = [event for event in people.published if isinstance(event, LeadIdentityConflict)]
    assert (conflict.subject, conflict.data.earlier, conflict.data.later) == (lead(USER), lead(ADA), lead(BOB))
    assert people.totals["identity_conflicts"] == 1


@pytest.mark.parametrize(
    "link",
    [
        a_link(lead(ADA), lead(USER), "user_id", "user_id"),
        a_link(lead(ADA), lead(PHONE), "user_id", None),
        a_link(lead(ADA), lead(BOB), None, None),
        a_link(lead(ADA), lead(ADA), "user_id", "email"),
    ],
)
def test_a_link_that_goes_not_from_weak_to_strong_is_kept_and_counted(link: Envelope) -> None:
    people = People().settle(*did(ADA), link)
    assert people.totals["links_refused"] == 1
    assert people.one(lead(ADA)).state.names.links is None
    assert score(people, ADA) == 20


def an_erasure(of: Identifiers, **fields: Any) -> LeadErased:
    about = {"id": "erase", "source": "operator", "subject": lead(of), "time": at(60), "data": Erasure()}
    return LeadErased(**{**about, **fields})


def test_an_erasure_reaches_every_name_and_what_they_do_later_is_dropped() -> None:
    people = People().settle(*did(Identifiers(user_id="u-1", anonymous_id="phone-1"), id="1"))
    people.settle(*did(Identifiers(email="ada@example.com", user_id="u-1"), id="2"))
    people.settle(an_erasure(ADA))
    assert {lead_id for lead_id, one in people.leads.items() if one.erased} == {lead(ADA), lead(USER), lead(PHONE)}
    people.settle(*did(PHONE, id="3", minutes=90))
    assert all(len(one.facts) == 1 for one in people.leads.values())


def test_a_name_that_is_linked_to_an_erased_lead_is_erased_with_it() -> None:
    people = People().settle(*did(ADA), an_erasure(ADA), *did(PHONE, id="1"))
    people.settle(*did(Identifiers(email="ada@example.com", anonymous_id="phone-1"), id="2"))
    assert people.one(lead(PHONE)).erased


def test_an_erasure_under_a_weaker_name_is_the_persons_unless_others_share_the_name() -> None:
    people = People().settle(*did(Identifiers(email="ada@example.com", user_id="u-1")), an_erasure(USER))
    assert people.one(lead(ADA)).erased
    shared = People().settle(*did(Identifiers(email="ada@example.com", anonymous_id="phone-1")))
    shared.settle(*did(Identifiers(email="bob@example.com", anonymous_id="phone-1"), id="2"), an_erasure(PHONE))
    assert not shared.one(lead(ADA)).erased
    assert not shared.one(lead(BOB)).erased


def test_a_suppression_under_a_weaker_name_suppresses_the_person() -> None:
    people = People().settle(*did(Identifiers(email="ada@example.com", user_id="u-1")))
    wish = LeadSuppressed(id="s", source="crm", subject=lead(USER), time=at(5), data=Suppression())
    people.settle(wish)
    assert [event.subject for event in people.published if isinstance(event, LeadSuppressed)] == [lead(ADA)]


def a_merge(kind: type[LeadMerged | LeadUnmerged], minutes: float, **fields: Any) -> Envelope:
    data = Merge(alias=lead(BOB), lead=lead(ADA))
    about = {"id": f"{kind.__name__}-{minutes}", "source": "crm", "subject": lead(BOB), "time": at(minutes)}
    return kind(**{**about, "data": data, **fields})


def test_a_merge_gives_the_survivor_all_points_and_an_unmerge_takes_them_back() -> None:
    people = People().settle(*did(BOB, id="1"), *did(ADA, "content_downloaded", "pricing", id="2"))
    people.settle(a_merge(LeadMerged, 10))
    assert score(people, ADA) == 35
    people.settle(*did(BOB, "content_downloaded", "case_study", id="3"))
    assert score(people, ADA) == 45
    people.settle(a_merge(LeadUnmerged, 20))
    assert (score(people, ADA), score(people, BOB)) == (15, 30)
    people.settle(*did(BOB, "content_downloaded", "pricing", id="4"))
    assert (score(people, ADA), score(people, BOB)) == (15, 45)
    people.settle(a_merge(LeadMerged, 30))
    assert score(people, ADA) == 45, "the price list pays once"


def test_a_survivor_that_has_nothing_of_its_own_is_told_to_have_nothing_after_an_unmerge() -> None:
    people = People().settle(*did(BOB, id="1"), a_merge(LeadMerged, 10))
    assert score(people, ADA) == 20
    people.settle(a_merge(LeadUnmerged, 20))
    assert (score(people, ADA), score(people, BOB)) == (0, 20)


def test_a_merge_and_an_unmerge_are_told_before_the_scores_that_follow() -> None:
    people = People().settle(*did(BOB, id="1"), *did(ADA, id="2"))
    del people.published[:]
    people.settle(a_merge(LeadMerged, 10)).settle(a_merge(LeadUnmerged, 20))
    for names in (ADA, BOB):
        told = [event.type.split(".")[2] for event in people.published if event.subject == lead(names)]
        assert told.index("unmerged") < len(told) - 1 - told[::-1].index("scored"), told
        assert told[0] == "merged"


def test_an_unmerge_and_the_next_merge_in_one_batch_publish_the_score_again() -> None:
    """The router drops the survivor's score at every unmerge, and waits for the next one."""
    people = People().settle(*did(BOB, id="1"), *did(ADA, id="2")).settle(a_merge(LeadMerged, 10))
    one, kinds = people.one(lead(ADA)), ((LeadUnmerged, 20), (LeadMerged, 30))
    new = [a_fact(a_merge(kind, minutes, subject=lead(ADA), via=lead(BOB))) for kind, minutes in kinds]
    kept = people.scorer.recall(one.state, list(one.facts.values()), new, At(LATER, LATER))
    assert [event.type.split(".")[2] for event in kept.events] == ["unmerged", "merged", "scored"]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_merges_and_unmerges_in_any_order_leave_what_the_latest_says(data: st.DataObject) -> None:
    chance = data.draw(st.randoms(use_true_random=False))
    people = People(chance.randrange)
    kinds: list[type[LeadMerged | LeadUnmerged]] = [LeadMerged, LeadUnmerged, LeadMerged, LeadUnmerged]
    said = [a_merge(kind, minute) for minute, kind in enumerate(kinds, 1)]
    said = said[: data.draw(st.integers(1, 4))]
    events = [*did(BOB, id="1"), *did(ADA, "content_downloaded", "pricing", id="2"), *said]
    for event in data.draw(st.permutations(events)):
        people.send(event)
        while chance.random() < 0.7 and people.step():
            pass
    people.settle()
    merged = isinstance(said[-1], LeadMerged)
    assert (score(people, ADA), bool(people.one(lead(BOB)).state.names.links)) == (35 if merged else 15, merged)
    assert merged or score(people, BOB) == 20


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_the_survivor_is_written_to_at_its_own_address_whichever_is_older(data: st.DataObject) -> None:
    chance = data.draw(st.randoms(use_true_random=False))
    people = People(chance.randrange)
    minutes = data.draw(st.permutations(range(4)))
    old = [event for n in (0, 1) for event in did(BOB, id=f"b{n}", minutes=minutes[n])]
    own = [event for n in (2, 3) for event in did(ADA, id=f"a{n}", minutes=minutes[n])]
    for event in data.draw(st.permutations([*old, *own, a_merge(LeadMerged, 10)])):
        people.settle(event) if chance.random() < 0.5 else people.send(event)
        people.killed() if chance.random() < 0.3 else None
    people.settle()
    assert people.scores(lead(ADA))[-1].data.contact.email == "ada@example.com"
    people.settle(a_merge(LeadUnmerged, 20))
    assert people.scores(lead(ADA))[-1].data.contact.email == "ada@example.com"
    assert people.scores(lead(BOB))[-1].data.contact.email == "bob@example.com"


def test_a_survivor_s_own_address_is_published_though_its_score_stays_the_same() -> None:
    people = People().settle(*did(BOB, id="1"), a_merge(LeadMerged, 10))
    people.settle(*did(ADA, "page_viewed", "home", id="2", minutes=11))
    assert people.scores(lead(ADA))[-1].data.contact.email == "ada@example.com"


def test_a_survivor_of_whom_nothing_else_is_known_is_written_to_at_the_old_address() -> None:
    people = People().settle(*did(BOB, id="1"), a_merge(LeadMerged, 10))
    assert people.scores(lead(ADA))[-1].data.contact.email == "bob@example.com"


def test_aliases_of_a_merged_lead_follow_it_and_come_back_with_it() -> None:
    people = People().settle(*did(Identifiers(email="bob@example.com", user_id="u-1"), id="1"), *did(ADA, id="a"))
    people.settle(a_merge(LeadMerged, 10), *did(USER, "content_downloaded", "pricing", id="2", minutes=11))
    assert score(people, ADA) == 35
    people.settle(a_merge(LeadUnmerged, 20))
    assert (score(people, ADA), score(people, BOB)) == (20, 35)


def test_the_erasure_of_a_survivor_leaves_whom_an_unmerge_has_set_apart() -> None:
    people = People().settle(*did(Identifiers(email="bob@example.com", user_id="u-1"), id="1"), *did(ADA, id="a"))
    people.settle(*did(Identifiers(email="ada@example.com", anonymous_id="phone-1"), id="2"))
    people.settle(a_merge(LeadMerged, 10), a_merge(LeadUnmerged, 20)).settle(an_erasure(ADA))
    assert {lead_id for lead_id, one in people.leads.items() if one.erased} == {lead(ADA), lead(PHONE)}
    late = an_engagement(id="late", subject=lead(ADA), via=lead(BOB))
    people.settle(late)
    assert not people.one(lead(BOB)).erased, "a copy was still on its way"


def test_a_lead_has_at_most_so_many_aliases_and_counts_the_others() -> None:
    people = People()
    for number in range(MOST_ALIASES + 2):
        device = Identifiers(email="ada@example.com", anonymous_id=f"device-{number}")
        people.send(*links_of(device, 0))
    people.settle()
    names = people.one(lead(ADA)).state.names
    assert (len(names.aliases), names.more) == (MOST_ALIASES, 2)


def test_links_that_an_earlier_version_kept_are_read_and_move_the_past() -> None:
    people = People()
    device, stored = people.one(lead(PHONE)), did(PHONE, id="1")[0]
    link = a_link(lead(PHONE), lead(ADA), None, None, time=5)
    for event in (stored, link):
        fact = a_fact(event)
        device.facts[fact.key] = fact
    device.state, device.due = people.scorer.load(lead(PHONE), '{"names": {"unread": true}}'), True
    people.settle()
    assert score(people, ADA) == 20
    assert people.one(lead(ADA)).state.names.aliases == (lead(PHONE),)
