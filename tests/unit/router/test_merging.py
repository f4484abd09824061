"""Two known leads are one: one promise and one owner, in any order of arrival, with repeats, and back again."""

from collections import deque
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.policy import Policies
from chassis.service import At, Drop, Erase, Forward, Keep, Move, Recall
from router.app import Router
from router.rules.lead import ENDS, Lead
from schemas.engagements import Erasure, Merge
from schemas.envelope import Envelope, Fact, forwarded
from schemas.handoffs import LeadHandedOff, LeadStageChanged, MergedOnHandoffs, UnmergedOnHandoffs
from schemas.identity import lead_id_of
from schemas.merging import LeadAbsorbed
from schemas.scores import ErasedOnScores, MergedOnScores, UnmergedOnScores
from tests.builders import a_policy, a_sales_activity, a_score, at
from tests.unit.router.journeys import a_step

OLD, NEW = lead_id_of(email="ada@old.example"), lead_id_of(email="ada@new.example")


def a_merge(subject: str, minutes: float = 10, *, undone: bool = False) -> Envelope:
    """A merge of OLD into NEW, or its undoing, as the scorer passes it on for the subject."""
    kind: Any = UnmergedOnScores if undone else MergedOnScores
    id_ = f"{subject[:4]}-{minutes:g}"
    about = {"id": id_, "source": "baton/scorer", "subject": subject, "time": at(minutes)}
    event: Envelope = kind(finaltime=True, data=Merge(alias=OLD, lead=NEW, because="one person"), **about)
    return event


class Relay:
    """The routers of both leads, from nothing; what one tells the other comes by `sales-activities`."""

    def __init__(self) -> None:
        self.router = Router(Policies(Path(), (a_policy(),)))
        self.leads = {lead_id: self.router.new(lead_id) for lead_id in (OLD, NEW)}
        self.facts: dict[str, dict[tuple[str, str], Fact]] = {OLD: {}, NEW: {}}
        self.erased: set[str] = set()
        self.events: list[Envelope] = []
        self.waiting: deque[tuple[str, bytes, str]] = deque()
        self.turns = 0
        self.now = at(0)

    def send(self, *events: Envelope) -> "Relay":
        """Takes the events, then what follows from them."""
        for event in events:
            self.take(event.topic, event.encode(), event.subject)
        while self.waiting:
            topic, value, lead_id = self.waiting.popleft()
            self.take(topic, value, lead_id)
        return self

    def take(self, topic: str, value: bytes, lead_id: str) -> None:
        fact = self.router.inputs[topic].fact(lead_id.encode(), value, at(99))
        if fact.key in self.facts[lead_id]:
            return
        self.now = max(self.now, fact.time)
        state, at_ = self.leads[lead_id], At(self.now, self.now, {"rotation": {"next": self.turns}})
        decision: Any = (self.router.after_erasure if lead_id in self.erased else self.router.decide)(state, fact, at_)
        if isinstance(decision, Recall):
            decision = self.router.recall(state, list(self.facts[lead_id].values()), [fact], at_)
        if isinstance(decision, Erase):
            self.facts[lead_id].clear()
            self.erased.add(lead_id)
        if not isinstance(decision, Drop):
            self.facts[lead_id][fact.key] = fact
        if isinstance(decision, Forward):
            self.waiting.append((topic, forwarded(fact, decision.to), decision.to))
            self.leads[lead_id] = decision.state
            return
        if isinstance(decision, Keep):
            self.turns = decision.shared.get("rotation", {"next": self.turns})["next"]
            for key in decision.replaces:
                self.facts[lead_id].pop(key, None)
            assert not isinstance(self.router.tick(decision.state, at_), Move), "nothing of a merged lead's past moves"
        self.leads[lead_id] = self.router.load(lead_id, self.router.dump(decision.state))
        for event in decision.events:
            if isinstance(event, LeadAbsorbed):
                self.waiting.append((event.topic, event.encode(), event.subject))
            else:
                self.events.append(event)

    def handed_off(self, lead_id: str) -> list[LeadHandedOff]:
        return [each for each in self.events if isinstance(each, LeadHandedOff) and each.subject == lead_id]

    def open(self) -> list[str]:
        return [lead_id for lead_id, lead in self.leads.items() if lead.episode and lead.stage not in ENDS]

    def stage(self, lead_id: str) -> str:
        told = [each for each in self.events if isinstance(each, LeadStageChanged) and each.subject == lead_id]
        assert not told or told[-1].data.after == self.leads[lead_id].stage, "what is told is what is"
        return self.leads[lead_id].stage


def score(points: float, version: int, subject: str, minutes: float = 0) -> Envelope:
    return a_score(points, version, subject=subject, as_of=at(minutes))


def merged(relay: Relay, minutes: float = 10) -> Relay:
    return relay.send(a_merge(OLD, minutes), a_merge(NEW, minutes))


def test_the_survivor_takes_over_the_owner_without_a_handoff_of_its_own() -> None:
    relay = Relay().send(score(65, 1, OLD), a_step("accepted", 2, subject=OLD), score(20, 1, NEW))
    owner = relay.handed_off(OLD)[0].data.owner
    merged(relay).send(score(85, 2, NEW, 11))
    [handoff] = relay.handed_off(NEW)
    assert (handoff.data.owner, handoff.data.cause, handoff.data.alias) == (owner, "merged", OLD)
    assert handoff.data.qualified_at == relay.handed_off(OLD)[0].data.qualified_at
    assert [done.activity for done in handoff.data.done] == ["sales.accepted"]
    assert (relay.stage(OLD), relay.stage(NEW), relay.turns) == ("merged", "sal", 1)
    assert [type(each) for each in relay.events if "merged" in each.type] == [MergedOnHandoffs] * 2


def test_a_survivor_with_an_open_episode_keeps_it() -> None:
    relay = Relay().send(score(65, 1, OLD), score(70, 1, NEW))
    merged(relay)
    assert (relay.stage(OLD), relay.stage(NEW), relay.turns) == ("merged", "handed_off", 2)
    assert [each.data.cause for each in relay.handed_off(NEW)] == ["qualified"]


def test_without_an_answer_the_survivor_is_handed_to_nobody() -> None:
    relay = Relay().send(a_merge(NEW), score(85, 1, NEW, 11))
    assert relay.open() == []
    relay.send(a_merge(OLD))
    assert [each.data.cause for each in relay.handed_off(NEW)] == ["qualified"]


def test_a_score_that_waited_for_the_answer_counts_no_longer_after_an_unmerge() -> None:
    relay = Relay().send(score(20, 1, NEW), a_merge(NEW), score(85, 2, NEW, 11), a_merge(NEW, 30, undone=True))
    assert relay.open() == [], "85 has the points of the other person"
    assert relay.send(score(20, 3, NEW, 31)).open() == []
    assert relay.send(score(65, 4, NEW, 40)).open() == [NEW]


def test_an_erased_lead_answers_too() -> None:
    erasure = ErasedOnScores(id="e", source="baton/scorer", subject=OLD, time=at(5), data=Erasure())
    relay = Relay().send(score(65, 1, OLD), erasure, a_merge(NEW), a_merge(OLD), score(85, 1, NEW, 11))
    assert relay.open() == [NEW]


def test_what_sales_does_about_the_old_address_counts_for_the_new_one() -> None:
    relay = Relay().send(score(65, 1, OLD), score(20, 1, NEW))
    merged(relay).send(score(85, 2, NEW, 11), a_step("qualified", 20, subject=OLD))
    assert (relay.stage(OLD), relay.stage(NEW)) == ("merged", "sql")


def test_a_call_that_met_the_clock_of_the_merged_lead_by_a_tool_whose_clock_is_behind_goes_along() -> None:
    calls = [a_sales_activity(subject=OLD, id=f"{minutes}", time=at(minutes)) for minutes in (-6, -4, 3)]
    relay = merged(Relay().send(score(65, 1, OLD), *calls, score(20, 1, NEW)))
    assert [done.id for done in relay.handed_off(NEW)[0].data.done] == ["-4", "3"]


def test_an_unmerge_gives_the_episode_back_and_ends_the_one_taken_over() -> None:
    relay = Relay().send(score(65, 1, OLD), score(20, 1, NEW))
    merged(relay).send(score(85, 2, NEW, 11), a_step("accepted", 20, subject=OLD))
    relay.send(
        a_merge(NEW, 30, undone=True), a_merge(OLD, 30, undone=True), score(20, 3, NEW, 31), score(65, 2, OLD, 31)
    )
    assert (relay.stage(OLD), relay.stage(NEW)) == ("sal", "unmerged")
    assert (len(relay.handed_off(OLD)), len(relay.handed_off(NEW)), relay.turns) == (1, 1, 1)
    assert [type(each) for each in relay.events if "unmerged" in each.type] == [UnmergedOnHandoffs] * 2


@pytest.mark.parametrize("subject", [OLD, NEW])
def test_a_merge_older_than_the_latest_unmerge_changes_nothing(subject: str) -> None:
    relay = Relay().send(score(65, 1, OLD), a_merge(subject, 30, undone=True), score(20, 1, NEW))
    merged(relay)
    relay.send(a_merge(NEW if subject == OLD else OLD, 30, undone=True), score(70, 2, NEW, 31))
    assert (relay.stage(OLD), relay.stage(NEW)) == ("handed_off", "handed_off")


@pytest.mark.parametrize("points", [40, 85])
@pytest.mark.parametrize("owned_since", [0, 25])
def test_an_answer_that_overtakes_the_unmerge_before_it_keeps_the_promise(owned_since: float, points: float) -> None:
    """The survivor gets answers straight from the alias' router, merges and unmerges by way of the scorer."""
    old = [score(65, 1, OLD, owned_since)]
    relay = Relay().send(score(20, 1, NEW), *([] if owned_since else old), a_merge(OLD, 10), a_merge(NEW, 10))
    relay.send(a_merge(OLD, 20, undone=True), *(old if owned_since else []))
    relay.send(a_sales_activity(subject=OLD, id="call", time=at(26)), a_merge(OLD, 30))
    relay.send(a_merge(NEW, 20, undone=True), score(20, 2, NEW, 20), a_merge(NEW, 21, undone=True))
    relay.send(a_merge(NEW, 30), score(points, 3, NEW, 31))
    assert (relay.open(), relay.turns) == ([NEW], 1)
    assert [done.id for done in relay.handed_off(NEW)[-1].data.done] == ["call"]
    passed = [each.time for each in relay.events if isinstance(each, MergedOnHandoffs) and each.subject == NEW]
    assert passed[-1] == at(30)
    relay.send(a_merge(NEW, 40, undone=True), a_merge(OLD, 40, undone=True))
    assert relay.open() == [OLD]


def test_a_step_that_came_as_a_copy_and_with_the_answer_is_refused_once() -> None:
    relay = merged(Relay().send(score(65, 1, OLD)))  # without a score the survivor opens nothing yet
    relay.send(a_step("qualified", 28, subject=OLD), a_step("qualified", 29, subject=OLD, id="again"))
    relay.send(*(a_merge(subject, 20, undone=True) for subject in (OLD, NEW)), score(65, 2, OLD, 20))
    merged(relay, 30).send(score(65, 1, NEW, 31))
    assert len(relay.leads[NEW].steps) == 2
    relay.send(*(a_merge(subject, 40, undone=True) for subject in (OLD, NEW)), score(65, 3, OLD, 40))
    merged(relay, 50).send(score(65, 2, NEW, 51))
    refusals = {each.id: each.encode() for each in relay.events if each.subject == NEW and "rejected" in each.type}
    assert {each.encode() for each in relay.events if each.id in refusals} == {*refusals.values()}
    assert relay.stage(NEW) == "sql"


def test_states_of_an_earlier_version_load() -> None:
    router = Relay().router
    assert router.load(OLD, f'{{"lead_id": "{OLD}"}}') == Lead(OLD)


def test_the_scores_of_an_alias_are_out_of_date() -> None:
    relay = merged(Relay().send(score(65, 1, OLD)))
    relay.send(score(90, 2, OLD, 12))
    assert relay.leads[OLD].score is None


@pytest.mark.parametrize("points", [40, 85])
def test_a_merge_said_twice_keeps_the_promise(points: float) -> None:
    relay = Relay().send(score(65, 1, OLD), score(20, 1, NEW))
    relay.send(a_merge(NEW, 10), a_merge(NEW, 20), a_merge(OLD, 10), a_merge(OLD, 20), score(points, 2, NEW, 21))
    assert [each.data.cause for each in relay.handed_off(NEW)] == ["merged"]


def test_an_unmerge_bars_nothing() -> None:
    relay = Relay().send(score(65, 1, OLD), score(20, 1, NEW))
    merged(relay).send(score(155, 2, NEW, 11), a_merge(NEW, 30, undone=True), a_merge(OLD, 30, undone=True))
    relay.send(score(90, 3, NEW, 31))
    assert [each.data.cause for each in relay.handed_off(NEW)] == ["merged", "qualified"]


def test_a_merge_of_the_past_refuses_nothing_that_was_done() -> None:
    relay = Relay().send(score(65, 1, OLD), a_step("accepted", 20, subject=OLD))
    merged(relay, 5)
    assert not [each for each in relay.events if each.type == "baton.stage.rejected.v1"]
    assert relay.stage(OLD) == "merged"


@st.composite
def ways(draw: st.DrawFn) -> tuple[list[Envelope], bool]:
    """What comes for both leads, and whether they end as merged. Each lead's input topics are in order."""
    times = [10 * n for n in range(1, draw(st.integers(1, 4)) + 1)]
    queues: list[list[Envelope]] = [[], [], [], []]
    old, new = draw(st.sampled_from([0, 20, 65])), draw(st.sampled_from([0, 20, 65]))
    queues[0] += [score(old, 1, OLD)] if old else []
    queues[1] += [score(new, 1, NEW)] if new else []
    for version, minutes in enumerate(times, 2):
        undone = version % 2 == 1
        queues[0] += [a_merge(OLD, minutes, undone=undone)] + ([score(old, version, OLD, minutes)] if undone else [])
        queues[1] += [
            a_merge(NEW, minutes, undone=undone),
            score(new if undone else old + new + 1, version, NEW, minutes),
        ]
    for queue, subject in ((queues[2], OLD), (queues[3], NEW)):
        for step in draw(st.lists(st.sampled_from(["accepted", "qualified", "disqualified"]), max_size=2)):
            queue.append(
                a_step(step, draw(st.integers(1, 60)), subject=subject, id=f"{step}-{len(queue)}-{subject[:3]}")
            )
        queue.append(a_sales_activity(subject=subject, id=f"call-{subject[:3]}", time=at(draw(st.integers(0, 60)))))
    sent = list[Envelope]()
    while any(queues):
        queue = draw(st.sampled_from([queue for queue in queues if queue]))
        sent.append(queue.pop(0))
        sent += sent[-1:] if draw(st.integers(0, 6)) == 0 else []
    return sent, len(times) % 2 == 1


@given(way=ways(), data=st.data())
@settings(max_examples=2000, deadline=None)
def test_one_person_has_one_open_episode_and_no_handoff_is_made_by_a_merge(
    way: tuple[list[Envelope], bool], data: st.DataObject
) -> None:
    sent, together = way
    relay = Relay()
    for event in sent:
        if data.draw(st.booleans()):
            relay.send(event)
        else:  # answers come later
            relay.take(event.topic, event.encode(), event.subject)
    relay.send()
    assert len(relay.open()) <= (1 if together else 2)
    assert not together or OLD not in relay.open()
    assert not any(lead.waits for lead in relay.leads.values())
    assert relay.open() or not relay.turns or any(each.type == "baton.sales.disqualified.v1" for each in sent)
    for lead_id in (OLD, NEW):
        relay.stage(lead_id)
        told = relay.handed_off(lead_id)
        assert [each.data.episode for each in told] == list(range(1, len(told) + 1))
    for handoff in relay.handed_off(NEW):
        if handoff.data.cause == "merged":
            owners = {each.data.owner for each in relay.handed_off(OLD)}
            assert handoff.data.owner in owners
    own = [each for each in relay.events if isinstance(each, LeadHandedOff) and each.data.cause == "qualified"]
    assert relay.turns == len(own)


def test_a_step_that_names_the_episode_of_the_merged_lead_is_one_of_the_episode_taken_over() -> None:
    relay = Relay().send(score(65, 1, NEW), a_step("disqualified", 1, subject=NEW), score(65, 1, OLD, 2))
    merged(relay).send(a_step("accepted", 20, subject=OLD, episode=1))
    assert (relay.stage(NEW), relay.leads[NEW].number) == ("sal", 2)
