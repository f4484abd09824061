"""A survivor that is merged itself: its own survivor waits for every lead of the chain that has not answered."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.engagements import Merge
from schemas.envelope import Envelope
from schemas.handoffs import LeadHandedOff
from schemas.identity import lead_id_of
from schemas.scores import MergedOnScores, UnmergedOnScores
from tests.builders import a_sales_activity, at
from tests.unit.router.journeys import a_step
from tests.unit.router.test_merging import NEW, OLD, Relay, merged, score

LAST = lead_id_of(email="ada@last.example")


def three() -> Relay:
    """The routers of three leads."""
    relay = Relay()
    relay.leads[LAST], relay.facts[LAST] = relay.router.new(LAST), {}
    return relay


def of(alias: str, lead: str, subject: str, minutes: float, *, undone: bool = False) -> Envelope:
    """A merge of the alias into the lead, or its undoing, as the scorer passes it on for the subject."""
    kind: Any = UnmergedOnScores if undone else MergedOnScores
    about = {"id": f"{alias[:3]}-{subject[:4]}-{minutes:g}", "source": "baton/scorer", "subject": subject}
    event: Envelope = kind(time=at(minutes), finaltime=True, data=Merge(alias=alias, lead=lead), **about)
    return event


def test_a_merge_that_was_answered_before_the_survivor_was_merged_is_not_waited_for() -> None:
    relay = merged(three())
    relay.send(of(NEW, LAST, NEW, 20), of(NEW, LAST, LAST, 20), of(OLD, NEW, LAST, 10))
    assert not relay.leads[LAST].waits
    relay.send(score(85, 1, LAST, 21))
    assert relay.open() == [LAST]


def test_the_last_survivor_waits_for_a_lead_that_has_not_answered_the_one_between() -> None:
    relay = three().send(score(65, 1, OLD), a_merge_of_old_heard_by_new := of(OLD, NEW, NEW, 10))
    relay.send(of(NEW, LAST, NEW, 20), of(NEW, LAST, LAST, 20), score(85, 1, LAST, 21))
    assert relay.open() == [OLD], "the router of the first lead is behind"
    relay.send(of(OLD, NEW, OLD, 10))
    assert relay.open() == [LAST]
    [handoff] = relay.handed_off(LAST)
    assert (handoff.data.cause, handoff.data.owner) == ("merged", relay.handed_off(OLD)[0].data.owner)
    assert a_merge_of_old_heard_by_new.subject == NEW


def test_an_episode_goes_through_the_chain_and_back() -> None:
    relay = merged(three().send(score(65, 1, OLD))).send(score(66, 1, NEW, 11))
    assert relay.open() == [NEW]
    relay.send(of(NEW, LAST, NEW, 20), of(NEW, LAST, LAST, 20), of(OLD, NEW, LAST, 10), score(67, 1, LAST, 21))
    assert relay.open() == [LAST]
    owners = {relay.handed_off(lead)[0].data.owner.id for lead in (OLD, NEW, LAST)}
    assert (len(owners), relay.turns) == (1, 1)

    relay.send(*(of(OLD, NEW, subject, 30, undone=True) for subject in (OLD, NEW, LAST)))
    assert relay.open() == [OLD]
    assert relay.stage(LAST) == "unmerged"


def test_the_one_between_that_is_unmerged_waits_for_nobody_and_has_what_came_to_it() -> None:
    relay = three().send(score(65, 1, OLD), of(OLD, NEW, NEW, 10), of(NEW, LAST, NEW, 20), of(NEW, LAST, LAST, 20))
    relay.send(of(OLD, NEW, OLD, 10), score(66, 1, LAST, 21))
    assert relay.open() == [LAST]
    relay.send(*(of(NEW, LAST, subject, 30, undone=True) for subject in (NEW, LAST)))
    assert not relay.leads[NEW].waits
    relay.send(score(66, 1, NEW, 31))
    assert relay.open() == [NEW]
    assert relay.stage(LAST) == "unmerged"
    assert {relay.handed_off(lead)[0].data.owner.id for lead in (OLD, NEW, LAST)} == {"grace"}


def test_what_was_done_about_the_first_lead_goes_through_the_chain() -> None:
    relay = three().send(score(65, 1, OLD), a_sales_activity(subject=OLD, id="call", time=at(5)))
    merged(relay).send(score(66, 1, NEW, 11), a_step("accepted", 15, subject=OLD, episode=1))
    relay.send(of(NEW, LAST, NEW, 20), of(NEW, LAST, LAST, 20), score(67, 1, LAST, 21))
    [handoff] = relay.handed_off(LAST)
    assert [done.activity for done in handoff.data.done] == ["sales.contacted", "sales.accepted"]
    assert relay.stage(LAST) == "sal"


ACTIVITIES = st.tuples(st.sampled_from(["accepted", "disqualified"]), st.sampled_from([OLD, NEW, LAST]))
Way = tuple[list[Envelope], list[set[str]]]


@st.composite
def ways(draw: st.DrawFn) -> Way:
    """What comes for the three leads, each one's inputs in order, and who is one person in the end."""
    points = {lead: draw(st.sampled_from([0, 20, 65])) for lead in (OLD, NEW, LAST)}
    queues = {lead: [score(points[lead], 1, lead)] if points[lead] else [] for lead in (OLD, NEW, LAST)}
    queues[OLD] += [of(OLD, NEW, OLD, 10)]
    queues[NEW] += [of(OLD, NEW, NEW, 10), score(points[OLD] + points[NEW] + 1, 2, NEW, 10), of(NEW, LAST, NEW, 20)]
    queues[LAST] += [of(NEW, LAST, LAST, 20), of(OLD, NEW, LAST, 10), score(sum(points.values()) + 1, 2, LAST, 21)]
    persons = [{OLD, NEW, LAST}]
    match draw(st.sampled_from(["none", "none", "first", "second"])):
        case "first":
            for lead in (OLD, NEW, LAST):
                queues[lead].append(of(OLD, NEW, lead, 30, undone=True))
            queues[OLD].append(score(points[OLD], 3, OLD, 31))
            persons = [{OLD}, {NEW, LAST}]
        case "second":
            for lead in (NEW, LAST):
                queues[lead].append(of(NEW, LAST, lead, 30, undone=True))
            queues[NEW].append(score(points[OLD] + points[NEW] + 1, 3, NEW, 31))
            queues[LAST].append(score(points[LAST], 3, LAST, 31))
            persons = [{OLD, NEW}, {LAST}]
    lanes: list[list[Envelope]] = list(queues.values())
    for step, lead in draw(st.lists(ACTIVITIES, max_size=2)):
        lanes.append([a_step(step, 15, subject=lead, id=f"{step}-{lead}")])
    sent = list[Envelope]()
    while any(lanes):
        lane = draw(st.sampled_from([lane for lane in lanes if lane]))
        sent.append(lane.pop(0))
    return sent, persons


@given(way=ways(), data=st.data())
@settings(max_examples=2000, deadline=None)
def test_a_chain_of_merges_has_one_open_episode_in_any_order(way: Way, data: st.DataObject) -> None:
    sent, persons = way
    relay = three()
    for event in sent:
        before = relay.open()
        relay.take(event.topic, event.encode(), event.subject)
        if data.draw(st.booleans()):  # what follows comes now, or later
            relay.send()
        fresh = [each for each in relay.events if isinstance(each, LeadHandedOff) and each.data.cause == "qualified"]
        if LAST in relay.open() and LAST not in before and fresh[-1].subject == LAST:
            waited_for = relay.leads[LAST].merging(NEW)
            merged_still = {lead for lead in (OLD, NEW) if relay.leads[lead].judged != at(30)}
            assert waited_for is None or not waited_for.merged or not merged_still & {*relay.open()}, (
                "a survivor waits for its leads"
            )
    relay.send()
    for person in persons:
        assert len(person & {*relay.open()}) <= 1
    assert len(persons) > 1 or {*relay.open()} <= {LAST}
    assert not any(lead.waits for lead in relay.leads.values())
    own = [each for each in relay.events if isinstance(each, LeadHandedOff) and each.data.cause == "qualified"]
    assert relay.turns == len(own)
    for lead in (OLD, NEW, LAST):
        relay.stage(lead)
        assert {each.data.owner.id for each in relay.handed_off(lead)} <= {each.data.owner.id for each in own}
