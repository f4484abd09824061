"""An alias's sales activities get to its lead, each once, and the alias is nobody of its own."""

import json
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.policy import Policies
from chassis.service import REPLACED, At, Drop, Erase, Forward, Keep, Move
from router.app import Router
from router.rules.lead import Lead
from schemas.engagements import Erasure, Link, Suppression
from schemas.envelope import Envelope, Fact, forwarded
from schemas.erasure import ERASED
from schemas.handoffs import ErasedOnHandoffs, LinkedOnHandoffs
from schemas.identity import lead_id_of
from schemas.scores import ErasedOnScores, LinkedOnScores, SuppressedOnScores
from tests.builders import LEAD, a_fact, a_policy, a_sales_activity, a_score, at, the
from tests.unit.router.journeys import a_step, changes, go

ROUTER = Router(Policies(Path(), (a_policy(),)))
ALIAS = lead_id_of(user_id="ada-1")
BOB = lead_id_of(email="bob@example.com")
NOW = At(at(100), at(100))


def a_link(lead: str = LEAD, minutes: float = 10, subject: str = ALIAS) -> LinkedOnScores:
    data = Link(alias=ALIAS, lead=lead, alias_by="user_id", lead_by="email")
    return LinkedOnScores(id=f"link-{lead}", source="baton/scorer", subject=subject, time=at(minutes), data=data)


def a_call(minutes: float) -> Envelope:
    return a_sales_activity(subject=ALIAS, id=f"call-{minutes:g}", time=at(minutes))


class Chassis:
    """What the chassis does with an alias: keeps its facts, carries out its copies, and its moves in slices."""

    def __init__(self) -> None:
        self.lead, self.due = ROUTER.new(ALIAS), False
        self.facts: dict[tuple[str, str], Fact] = {}
        self.copies: list[tuple[str, str]] = []
        self.events: list[Envelope] = []

    def take(self, *events: Envelope) -> None:
        for event in events:
            fact = a_fact(event)
            if fact.key in self.facts:
                continue
            decision = ROUTER.decide(self.lead, fact, NOW)
            if isinstance(decision, Drop):
                continue
            self.facts[fact.key] = fact
            if isinstance(decision, Forward):
                self.copies.append((fact.event.id, decision.to))
            else:
                decision = the(Keep, decision)
                self.due, self.events = decision.due is not None, [*self.events, *decision.events]
            self.lead = self.restored(decision.state)

    def slice(self, size: int = 500) -> None:
        if not self.due:
            return
        after = the(Move, ROUTER.tick(self.lead, NOW)).after
        left = [self.facts[key] for key in sorted(self.facts) if key > after]
        decision = ROUTER.move(self.lead, left[:size], NOW, last=len(left) <= size)
        self.copies += [(fact.event.id, to) for fact, to in decision.copies]
        self.lead, self.due = self.restored(decision.state), decision.due is not None

    def restored(self, lead: Lead) -> Lead:
        text = ROUTER.dump(lead)
        assert ROUTER.load(ALIAS, text) == lead
        return lead


def test_what_came_before_the_link_moves_and_what_comes_after_is_forwarded() -> None:
    chassis = Chassis()
    chassis.take(a_call(1), a_call(2), a_call(30), a_link())
    assert (chassis.copies, chassis.due) == ([], True)

    chassis.take(a_call(5))
    assert chassis.copies == [], "the move takes it along"

    while chassis.due:
        chassis.slice(2)
    chassis.take(a_call(40))
    assert sorted(chassis.copies) == [(f"call-{n}", LEAD) for n in (1, 2, 30, 40, 5)]
    assert not chassis.lead.moving


def test_a_link_is_passed_on_and_its_copy_at_the_lead_is_not() -> None:
    chassis = Chassis()
    chassis.take(a_link(), a_link(BOB, 20))
    assert [(type(event), event.subject, event.data.lead) for event in chassis.events] == [
        (LinkedOnHandoffs, ALIAS, LEAD),
        (LinkedOnHandoffs, ALIAS, BOB),
    ]
    copy = go(Lead(LEAD), a_link(subject=LEAD))
    assert (copy.lead, copy.events, copy.due) == (Lead(LEAD), (), None)


def test_a_link_to_itself_is_none() -> None:
    assert go(Lead(ALIAS), a_link(ALIAS)).lead == Lead(ALIAS)


def test_an_alias_has_no_score_and_no_steps_and_is_never_handed_off() -> None:
    before = go(Lead(ALIAS), a_score(10, subject=ALIAS), a_step("accepted", subject=ALIAS)).lead
    assert before.score is not None
    assert before.steps != ()
    lead = go(before, a_link()).lead
    assert (lead.score, lead.heard, lead.steps) == (None, None, ())

    decision = ROUTER.decide(lead, a_fact(a_score(99, 2, subject=ALIAS)), NOW)
    assert decision == Drop(lead, REPLACED)
    assert changes(go(lead, a_score(40, 3, subject=ALIAS), now=at(90_000)).events) == []


def test_a_second_person_on_the_device_takes_what_happens_from_its_own_link_on() -> None:
    chassis = Chassis()
    chassis.take(a_call(1), a_call(25), a_link(), a_link(BOB, 20), a_call(15), a_call(21), a_call(20))
    chassis.slice()
    assert sorted(chassis.copies) == [
        ("call-1", LEAD),
        ("call-15", LEAD),
        *((f"call-{n}", BOB) for n in (20, 21, 25)),
    ]


def test_nothing_that_comes_meanwhile_ends_a_move() -> None:
    quiet = SuppressedOnScores(id="quiet", source="baton/scorer", subject=ALIAS, time=at(2), data=Suppression())
    chassis = Chassis()
    for event in (quiet, a_link(BOB, 20), a_score(99, 2, subject=ALIAS), a_call(3)):
        chassis.take(a_call(1), a_link(), event)
        assert chassis.due
    chassis.slice()
    assert ("call-1", LEAD) in chassis.copies


def test_the_state_of_an_earlier_version_loads() -> None:
    lead = go(Lead(LEAD), a_score(65)).lead
    older = json.loads(ROUTER.dump(lead))
    del older["alias"]
    assert ROUTER.load(LEAD, json.dumps(older)) == lead


def test_a_copy_counts_at_the_lead_as_if_it_had_named_it() -> None:
    handed = go(Lead(LEAD), a_score(65)).lead
    step = a_fact(a_step("accepted", 3, subject=ALIAS))
    copy = ROUTER.inputs["sales-activities"].fact(LEAD.encode(), forwarded(step, LEAD), at(4))
    lead = the(Keep, ROUTER.decide(handed, copy, NOW)).state
    assert lead.stage == "sal"


@st.composite
def arrivals(draw: st.DrawFn) -> Sequence[Envelope]:
    calls = [a_call(minutes) for minutes in draw(st.sets(st.integers(0, 40), max_size=8))]
    links = [a_link(LEAD, draw(st.integers(5, 30))), a_link(BOB, draw(st.integers(5, 30)))]
    return draw(st.permutations([*calls, *links[: draw(st.integers(1, 2))]]))


@given(events=arrivals(), data=st.data())
@settings(max_examples=2000, deadline=None)
def test_each_activity_gets_to_one_lead_once_whatever_the_order_and_the_slices(
    events: Sequence[Envelope], data: st.DataObject
) -> None:
    chassis = Chassis()
    for event in events:
        chassis.take(event)
        for _ in range(data.draw(st.integers(0, 2))):
            chassis.slice(data.draw(st.integers(1, 3)))
    while chassis.due:
        chassis.slice(2)
    assert sorted(id_ for id_, _ in chassis.copies) == sorted(id_ for _, id_ in chassis.facts if id_[:4] == "call")
    assert chassis.lead.alias is not None
    assert {to for _, to in chassis.copies} <= set(chassis.lead.alias.links.leads)


def test_the_erasure_of_one_of_its_leads_drops_what_comes_later_of_its_times_and_leaves_the_rest() -> None:
    alias = Chassis()
    alias.take(a_link(), a_link(BOB, 20), a_call(5), a_call(25))
    while alias.due:
        alias.slice()
    spans = ((None, at(20)),)
    erasure = ErasedOnScores(
        id="gone", source="baton/scorer", subject=ALIAS, time=at(50), data=Erasure(lead=LEAD, spans=spans)
    )
    decision = the(Erase, ROUTER.decide(alias.lead, a_fact(erasure), NOW))
    assert decision.spans == spans
    assert [(type(event), event.data) for event in decision.events] == [(ErasedOnHandoffs, erasure.data)]
    lead = alias.restored(decision.state)
    assert ROUTER.decide(lead, a_fact(a_call(15)), NOW) == Drop(lead, ERASED)
    assert the(Forward, ROUTER.decide(lead, a_fact(a_call(30)), NOW)).to == BOB
    strange = erasure.model_copy(update={"data": Erasure(lead=lead_id_of(email="cleo@example.com"), spans=spans)})
    assert the(Erase, ROUTER.decide(lead, a_fact(strange), NOW)).state == lead
