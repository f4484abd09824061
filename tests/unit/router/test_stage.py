"""The stages of an episode, whatever sales reports and in whatever order it arrives."""

from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.rules.lead import STEPS_KEPT, WAITING_KEPT, Lead
from schemas.handoffs import StageRejected
from schemas.sales import FeedbackSubmitted, SalesContacted
from tests.builders import LEAD, NOON, a_sales_activity, a_score, at
from tests.unit.router.journeys import STEPS, a_handed_off_lead, a_step, as_told, changes, go

WAY = {
    "handed_off": (),
    "sal": ("accepted",),
    "sql": ("accepted", "qualified"),
    "opportunity": ("accepted", "qualified", "opportunity"),
    "won": ("accepted", "qualified", "opportunity", "won"),
    "lost": ("accepted", "qualified", "opportunity", "lost"),
    "disqualified": ("disqualified",),
    "recycled": ("recycled",),
}
TABLE = {
    ("handed_off", "accepted"): ["sal"],
    ("handed_off", "qualified"): ["sal", "sql"],
    ("handed_off", "disqualified"): ["disqualified"],
    ("handed_off", "recycled"): ["recycled"],
    ("handed_off", "opportunity"): ["sal", "sql", "opportunity"],
    ("sal", "opportunity"): ["sql", "opportunity"],
    ("sal", "qualified"): ["sql"],
    ("sal", "disqualified"): ["disqualified"],
    ("sal", "recycled"): ["recycled"],
    ("sql", "disqualified"): ["disqualified"],
    ("sql", "recycled"): ["recycled"],
    ("sql", "opportunity"): ["opportunity"],
    ("opportunity", "recycled"): ["recycled"],
    ("opportunity", "won"): ["won"],
    ("opportunity", "lost"): ["lost"],
}


def a_lead_at(stage: str) -> Lead:
    steps = (a_step(step, minutes) for minutes, step in enumerate(WAY[stage], start=1))
    lead = go(a_handed_off_lead(), *steps).lead
    assert lead.stage == stage
    return lead


@pytest.mark.parametrize(("stage", "step"), [(stage, step) for stage in WAY for step in STEPS])
def test_a_step_leads_where_the_lifecycle_says_or_is_refused(stage: str, step: str) -> None:
    lead = a_lead_at(stage)

    result = go(lead, a_step(step, 10))

    if entered := TABLE.get((stage, step)):
        assert [change.after for change in changes(result.events)] == entered
        assert result.lead.stage == entered[-1]
        assert {change.at for change in changes(result.events)} == {at(10)}
    else:
        [refusal] = result.events
        assert isinstance(refusal, StageRejected)
        assert (refusal.data.stage, refusal.data.cause) == (stage, f"{step}-10")
        assert result.lead.stage == stage


def test_a_stage_passed_over_is_filled_in_as_implied_at_the_same_instant() -> None:
    result = go(a_handed_off_lead(), a_step("qualified", 5))

    told = [(change.before, change.after, change.at, change.implied) for change in changes(result.events)]
    assert told == [("handed_off", "sal", at(5), True), ("sal", "sql", at(5), False)]


def test_a_deal_opened_straight_after_the_handoff_implies_what_comes_before_it() -> None:
    result = go(a_handed_off_lead(), a_step("opportunity", 5))
    entered = [("sal", at(5), True), ("sql", at(5), True), ("opportunity", at(5), False)]
    assert as_told(result.events) == entered

    late = go(result.lead, a_step("accepted", 2), a_step("qualified", 4))
    assert as_told([*result.events, *late.events]) == [
        ("sal", at(2), False),
        ("sql", at(4), False),
        ("opportunity", at(5), False),
    ]
    assert go(result.lead, a_step("won", 6)).lead.stage == "won"


def test_contacts_and_feedback_are_no_steps() -> None:
    lead = a_handed_off_lead()

    result = go(lead, a_sales_activity(SalesContacted), a_sales_activity(FeedbackSubmitted, outcome="accepted"))

    assert result.lead == lead
    assert result.events == ()


def test_a_late_step_lands_where_it_belongs() -> None:
    result = go(a_handed_off_lead(), a_step("qualified", 9), a_step("accepted", 4))

    assert as_told(result.events) == [("sal", at(4), False), ("sql", at(9), False)]


def test_a_late_end_takes_back_what_was_told_after_it() -> None:
    result = go(a_handed_off_lead(), a_step("qualified", 9), a_step("disqualified", 4))

    assert as_told(result.events) == [("disqualified", at(4), False)]
    assert result.lead.stage == "disqualified"
    [refusal] = [event.data for event in result.events if isinstance(event, StageRejected)]
    assert (refusal.activity, refusal.why) == ("sales.qualified", "the episode has ended as disqualified")


def test_a_step_refused_for_coming_early_is_taken_once_what_it_follows_arrives() -> None:
    lead = go(a_handed_off_lead(), a_step("lost", 9)).lead
    assert lead.stage == "handed_off"

    assert go(lead, a_step("opportunity", 5)).lead.stage == "lost"


def test_a_step_is_refused_in_public_once() -> None:
    result = go(a_handed_off_lead(), a_step("won", 9), a_step("accepted", 4), a_step("accepted", 5))

    refusals = [event.data.cause for event in result.events if isinstance(event, StageRejected)]
    assert refusals == ["won-9", "accepted-5"]


def test_a_sales_tool_whose_clock_is_behind_enters_no_stage_before_the_handoff() -> None:
    [change] = changes(go(a_handed_off_lead(), a_step("accepted", -4)).events)

    assert (change.after, change.at) == ("sal", NOON)


def test_a_step_from_long_before_the_handoff_is_not_of_this_episode() -> None:
    result = go(a_handed_off_lead(), a_step("disqualified", -6))

    assert result.lead.stage == "handed_off"
    [refusal] = result.events
    assert isinstance(refusal, StageRejected)
    assert refusal.data.why == "it happened before the handoff of episode 1"


def test_a_step_without_an_episode_is_refused_where_the_lead_stands() -> None:
    [refusal] = go(Lead(LEAD), a_step("accepted")).events

    assert isinstance(refusal, StageRejected)
    assert (refusal.data.episode, refusal.data.stage) == (0, "lead")
    assert refusal.data.why == "no episode has been opened"


def test_a_step_of_an_episode_that_never_was_is_refused_for_good() -> None:
    result = go(a_handed_off_lead(), a_step("accepted", episode=7))

    assert result.lead == a_handed_off_lead()
    [refusal] = result.events
    assert isinstance(refusal, StageRejected)
    assert (refusal.data.episode, refusal.data.why) == (7, "episode 7 has not been opened")


def test_a_step_that_arrived_before_its_handoff_is_taken_with_it() -> None:
    early = go(Lead(LEAD), a_step("accepted", -60, episode=1)).lead

    result = go(early, a_score(65))

    assert result.lead.stage == "sal"
    assert as_told(result.events)[-2:] == [("handed_off", NOON, False), ("sal", NOON, False)]


def test_a_flood_of_steps_is_counted_not_kept() -> None:
    flood = [a_step("accepted", minute) for minute in range(1, STEPS_KEPT + 4)]

    result = go(a_handed_off_lead(), *flood)

    assert (len(result.lead.steps), result.lead.dropped) == (STEPS_KEPT, 3)
    refusals = [event.data for event in result.events if isinstance(event, StageRejected)]
    assert len(refusals) == STEPS_KEPT + 2
    assert refusals[-1].why == f"the episode has {STEPS_KEPT} steps already, no more are kept"


def test_of_a_flood_before_the_handoff_the_latest_steps_wait() -> None:
    flood = [a_step("accepted", minute) for minute in range(-WAITING_KEPT - 4, 1)]

    lead = go(Lead(LEAD), *flood).lead

    assert [step.time for step in lead.steps] == [at(minute) for minute in range(1 - WAITING_KEPT, 1)]


@pytest.mark.parametrize("last", ["won", "lost", "recycled"])
@pytest.mark.parametrize("arrival", list(permutations(range(4))))
def test_steps_of_one_instant_count_in_the_order_of_the_lifecycle(last: str, arrival: tuple[int, ...]) -> None:
    for ids in permutations("abcd"):
        way = (*WAY["opportunity"], last)
        steps = [a_step(step, 5, id=id_) for step, id_ in zip(way, ids, strict=True)]
        result = go(a_handed_off_lead(), *(steps[index] for index in arrival))

        assert result.lead.stage == last
        assert [told for told, _, _ in as_told(result.events)] == ["sal", "sql", "opportunity", last]


@pytest.mark.parametrize(
    ("both", "stage"),
    [
        (("qualified", "disqualified"), "disqualified"),
        (("accepted", "recycled"), "recycled"),
        (("won", "lost"), "won"),
        (("won", "recycled"), "won"),
        (("lost", "recycled"), "lost"),
        (("disqualified", "recycled"), "disqualified"),
        (("opportunity", "disqualified"), "opportunity"),
    ],
)
def test_two_steps_of_one_instant_end_the_same_whatever_their_ids(both: tuple[str, str], stage: str) -> None:
    """Where the lifecycle allows one order only, it is that one."""
    way = "opportunity" if {"won", "lost"} & {*both} else "sql" if "opportunity" in both else "handed_off"
    for ids in ("ab", "ba"):
        one, other = (a_step(step, 9, id=id_) for step, id_ in zip(both, ids, strict=True))
        assert go(a_lead_at(way), one, other).lead.stage == go(a_lead_at(way), other, one).lead.stage == stage


some_steps = st.lists(
    st.tuples(
        st.sampled_from(sorted(STEPS)), st.integers(-7, 4), st.sampled_from([None, None, 1, 2]), st.sampled_from("ab")
    ),
    max_size=7,
)


@given(some_steps, st.randoms(use_true_random=False))
def test_stages_do_not_depend_on_the_order_of_arrival(
    steps: list[tuple[str, int, int | None, str]], random: Random
) -> None:
    events = [
        a_step(step, minutes, episode=episode, source=source, id=str(number))
        for number, (step, minutes, episode, source) in enumerate(steps)
    ]
    shuffled = [*events, a_score(65)]
    random.shuffle(shuffled)

    one, other = go(Lead(LEAD), a_score(65), *events), go(Lead(LEAD), *shuffled)

    assert one.lead.episode is not None
    assert other.lead.episode is not None
    assert one.lead.episode.chain == other.lead.episode.chain
    assert one.lead.stage == other.lead.stage
    assert as_told(one.events) == as_told(other.events)
    assert as_told(one.events) == [(e.stage, e.at, e.implied) for e in one.lead.episode.chain]
    assert len({event.id for event in other.events}) == len(other.events)


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ([29], []),
        ([30], [("lead", "nurture")]),
        ([30, 29], [("lead", "nurture"), ("nurture", "lead")]),
        ([30, 50, 40], [("lead", "nurture")]),
        ([40, 65], [("lead", "nurture"), ("nurture", "mql"), ("mql", "handed_off")]),
        ([65, 20], [("lead", "mql"), ("mql", "handed_off")]),
    ],
)
def test_a_lead_is_nurtured_from_the_second_lowest_band_on(scores: list[float], told: list[tuple[str, str]]) -> None:
    result = go(Lead(LEAD), *(a_score(score, version) for version, score in enumerate(scores, start=1)))

    assert [(change.before, change.after) for change in changes(result.events)] == told


def test_a_lead_in_the_passing_band_is_nurtured_while_the_gate_is_shut() -> None:
    result = go(Lead(LEAD), a_score(65, facts={"contactable": None, "band:nurture": at(-5)}))

    [change] = changes(result.events)
    assert (change.after, change.at, change.cause) == ("nurture", at(-5), "cause-1")
