"""The promises of people who are merged and unmerged, against cases worked out by hand."""

from typing import Any

import pytest

from tests.chaos.by_hand import ADA, at, event, raw
from tests.chaos.model import Oracle
from tests.chaos.promises import Clock
from tests.chaos.raw import lead_id
from tests.e2e.conftest import QUICK

BOB = lead_id("bob@example.com")
"""The older address, of which it is said that it is Ada's."""


@pytest.fixture
def oracle() -> Oracle:
    return Oracle(QUICK / "1.yaml")


def told(oracle: Oracle, subject: str, kind: str, seconds: float, published: float | None = None, **data: Any) -> None:
    """An event of `lead-handoffs` about Bob or Ada."""
    made = event(f"lead.{kind}", f"{kind}-{subject}-{seconds}", seconds)
    passed = {"alias": BOB, "lead": ADA} if kind in ("merged", "unmerged") else {}
    oracle.handoff(made | {"subject": subject, "data": passed | data}, at(seconds if published is None else published))


def handed_off(
    oracle: Oracle, subject: str, seconds: float = 0, episode: int = 1, published: float | None = None, **data: Any
) -> None:
    """A handoff of low intent: a follow-up is owed within 12 s of its publication."""
    instants = {name: at(seconds).isoformat() for name in ("qualified_at", "known_at", "handed_off_at")}
    about = {"episode": episode, "intent": {"level": "low"}}
    told(oracle, subject, "handed_off", seconds, published, **instants, **about, **data)


def taken_over(oracle: Oracle, published: float, episode: int = 1, **data: Any) -> None:
    """Ada takes over the episode that began with Bob's handoff at 0."""
    handed_off(oracle, ADA, 0, episode, published, cause="merged", alias=BOB, alias_episode=1, **data)


def followed_up(oracle: Oracle, subject: str, seconds: float, via: str | None = None) -> None:
    made = event("sales.contacted", f"call-{seconds}", seconds) | {"subject": subject} | ({"via": via} if via else {})
    oracle.activity(raw(made, heard=max(99, seconds)))


def to_call(oracle: Oracle, subject: str) -> Clock:
    """The latest clock of a follow-up."""
    return [clock for clock in oracle.clocks() if (clock.lead, clock.name) == (subject, "CK-S2")][-1]


@pytest.mark.parametrize(
    ("merged", "called", "met", "cancelled"),
    [(3, None, None, True), (12, None, None, True), (12.1, None, None, False), (3, 2, 2, False), (3, 4, None, True)],
)
def test_a_merge_cancels_what_is_neither_kept_nor_due_before_it(
    oracle: Oracle, merged: float, called: float | None, met: float | None, cancelled: bool
) -> None:
    handed_off(oracle, BOB)
    told(oracle, BOB, "merged", merged)
    if called is not None:
        followed_up(oracle, BOB, called)
    clock = to_call(oracle, BOB)
    assert (clock.met_at, clock.cancelled) == (None if met is None else at(met), cancelled)


@pytest.mark.parametrize(("called", "met"), [(2, True), (5, True), (17, True), (17.1, False)])
def test_an_unmerge_gives_the_clock_what_was_left_of_its_time(oracle: Oracle, called: float, met: bool) -> None:
    told(oracle, BOB, "unmerged", -9)  # of what nobody had merged: it changes nothing
    handed_off(oracle, BOB)
    for kind, seconds in (("merged", 3), ("merged", 6), ("unmerged", 8)):
        told(oracle, BOB, kind, seconds)
    followed_up(oracle, BOB, called)
    clock = to_call(oracle, BOB)
    assert (clock.dues, clock.met_at is not None, clock.cancelled) == ((at(12), at(17)), met, False)
    assert (at(12), at(3)) in clock.excused


def test_a_breach_of_before_the_merge_is_not_made_good_by_an_unmerge(oracle: Oracle) -> None:
    handed_off(oracle, BOB)
    told(oracle, BOB, "merged", 13)
    told(oracle, BOB, "unmerged", 20)
    assert (to_call(oracle, BOB).dues, to_call(oracle, BOB).cancelled) == ((at(12),), False)


@pytest.mark.parametrize(
    ("called", "via", "met"),
    [
        (-300, BOB, True),
        (-301, BOB, False),
        (-270, None, True),
        (-271, None, False),
        (42, None, True),
        (43, BOB, False),
    ],
)
def test_what_is_taken_over_starts_at_its_publication(
    oracle: Oracle, called: float, via: str | None, met: bool
) -> None:
    taken_over(oracle, published=30)
    followed_up(oracle, ADA, called, via)
    assert (to_call(oracle, ADA).due, to_call(oracle, ADA).met_at is not None) == (at(42), met)


def test_what_sales_had_done_about_the_merged_lead_counts(oracle: Oracle) -> None:
    done = {"time": at(-900).isoformat(), "source": "crm", "id": "call", "activity": "sales.contacted"}
    taken_over(oracle, published=30, done=[done])
    assert to_call(oracle, ADA).met_at == at(-900)


def test_an_unmerge_cancels_what_was_taken_over_and_nothing_else(oracle: Oracle) -> None:
    taken_over(oracle, published=30)
    told(oracle, ADA, "unmerged", 35)
    assert to_call(oracle, ADA).cancelled
    handed_off(oracle, ADA, 36, episode=2)
    told(oracle, ADA, "unmerged", 37)
    assert not to_call(oracle, ADA).cancelled
    assert oracle.course(ADA).after_unmerge


def test_a_follow_up_belongs_to_the_latest_handoff_before_it(oracle: Oracle) -> None:
    handed_off(oracle, ADA, published=600)
    handed_off(oracle, ADA, 601, episode=2)
    followed_up(oracle, ADA, 602)
    met = {clock.due: clock.met_at for clock in oracle.clocks() if clock.name == "CK-S2"}
    assert met == {at(612): None, at(613): at(602)}


def test_an_episode_goes_to_the_survivor_and_back(oracle: Oracle) -> None:
    handed_off(oracle, BOB)
    [owned] = oracle.leads[BOB].handoffs
    told(oracle, BOB, "merged", 3)
    told(oracle, BOB, "merged", 4)
    assert (oracle.course(BOB).open, oracle.course(BOB).gave) == (None, {at(3): owned})
    told(oracle, ADA, "merged", 3)
    taken_over(oracle, published=5)
    assert oracle.course(ADA).open in oracle.leads[ADA].handoffs
    for lead in (BOB, ADA):
        told(oracle, lead, "unmerged", 7)
    assert (oracle.course(BOB).open, oracle.course(ADA).open) == (owned, None)


def test_no_handoff_while_an_episode_is_open_or_of_a_merged_lead(oracle: Oracle) -> None:
    handed_off(oracle, BOB)
    told(oracle, BOB, "merged", 3)
    told(oracle, ADA, "merged", 3)
    handed_off(oracle, ADA, 4)
    assert [into for _, into in oracle.course(ADA).own] == [{BOB: at(3)}]
    taken_over(oracle, published=5, episode=2)
    handed_off(oracle, BOB, 6, episode=2)
    ada, bob = oracle.course(ADA), oracle.course(BOB)
    assert (ada.late, [*map(len, (ada.twice, bob.late, bob.twice))]) == ([], [1, 1, 0])


def test_what_sales_did_about_a_merged_lead_comes_as_a_copy_or_with_the_answer(oracle: Oracle) -> None:
    followed_up(oracle, BOB, 1)
    followed_up(oracle, BOB, 2)
    answer = {"alias": BOB, "episode": {"done": [{"source": "hand", "id": "call-1"}]}}
    oracle.activity(raw(event("lead.absorbed", "answer", 3) | {"data": answer}))
    followed_up(oracle, ADA, 2, via=BOB)
    assert oracle.leads[BOB].stops.keys() == oracle.leads[ADA].passed[BOB] == {("hand", "call-1"), ("hand", "call-2")}
    assert [stop.via for stop in oracle.leads[ADA].stops.values()] == [BOB]
