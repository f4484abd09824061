"""What is published of a lead and when: what a gate can read, complete, and nothing twice."""

import json
from datetime import timedelta
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import pytest

from chassis.policy import Policies, PolicyError
from chassis.service import At, Keep
from desk.lead.explanation import explain
from schemas.engagements import LeadLinked, Link, SizeRange
from schemas.envelope import Decoder
from schemas.identity import Identifiers
from schemas.scores import POLICY, TIME, LeadScored, Origin, Person, PolicyRef
from scorer import stored
from scorer.app import Scorer
from scorer.rules import Criteria
from tests.builders import EMAIL, LEAD, a_description, a_fact, a_policy, an_engagement, an_opt_in, at, the
from tests.unit.scorer.drafts import a_draft, a_rule
from tests.unit.scorer.driver import Play, a_scorer, several

CLASSIC = a_policy("classic-50")


def of_two_versions(**terms: Any) -> Scorer:
    """classic-50, and from an hour after NOON on the same with other terms of scoring."""
    scoring = CLASSIC.scoring.model_copy(update=terms)
    second = CLASSIC.model_copy(update={"version": 2, "effective_from": at(60), "scoring": scoring})
    return Scorer(Policies(Path("policies"), (CLASSIC, second)))


def test_a_stranger_who_only_looks_around_is_not_published() -> None:
    play = Play()
    assert play.play([an_engagement("page_viewed", "home"), *several(3, "page_viewed", "pricing")]) == []
    assert play.state.published.version == 0


def test_a_fact_that_changes_nothing_leaves_the_state_the_same_object() -> None:
    play = Play()
    play.play([a_description(company_size=100), an_engagement("webinar_attended")])
    before = play.state
    link = LeadLinked(id="l", source="tests", subject=LEAD, time=at(), data=Link(alias=LEAD, lead=LEAD))
    assert play.play([an_engagement("email_opened", machine=True), link]) == []
    assert play.state is before


def test_an_engagement_that_earns_nothing_is_remembered_but_not_published() -> None:
    play = Play()
    play.play([a_description(company_size=100)])
    assert play.play([an_engagement("trade_show_visited", id="fair", time=at(5))]) == []
    [scored] = play.play([an_engagement("webinar_attended", time=at(9))])
    assert [touch.event for touch in scored.data.touchpoints] == ["fair", "webinar_attended-None"]


def test_a_page_view_that_no_rule_asks_for_leaves_the_state_as_it_was() -> None:
    play = Play()
    play.play([a_description(company_size=100), an_engagement("page_viewed", "pricing", id="price", time=at(1))])
    before = play.state
    assert play.play([an_engagement("page_viewed", "home", time=at(5))]) == []
    assert play.state is before
    [scored] = play.play([an_engagement("webinar_attended", time=at(9))])
    assert [touch.event for touch in scored.data.touchpoints] == ["price", "webinar_attended-None"]


def test_a_score_carries_all_that_the_next_services_need() -> None:
    play = Play()
    visits = several(4, "page_viewed", "pricing", campaign="spring")
    trade_show = an_engagement("trade_show_visited", time=at(-9), channel="trade_show")
    described = a_description(company_size=100, industry="Technology", name="Ada", title="CTO", time=at(3))
    play.play([*visits, trade_show, described])
    scored = play.play([an_engagement("demo_requested", time=at(8))], now=at(60))[0]
    score = scored.data
    assert (scored.subject, scored.source, scored.time, scored.finaltime) == (LEAD, "baton/scorer", at(8), True)
    assert (score.score, score.fit, score.engagement, score.band) == (70, 55, 15, "pass")
    assert sum(line.points for line in score.explanation) == score.score
    assert [line.rule for line in score.explanation] == ["size_small", "ind_tech", "visit_pricing"]
    assert score.explanation[2].events == tuple(visit.id for visit in visits)
    assert (score.intent.level, score.intent.since, score.intent.event) == ("high", at(8), "demo_requested-None")
    assert (score.contact.email, score.contact.name, score.contact.title) == (EMAIL, "Ada", "CTO")
    assert (score.contact.company_size, score.contact.industry) == (100, "Technology")
    assert score.origin == Origin(first="trade_show", last="spring")
    assert len(score.touchpoints) == 6
    assert (score.cause, score.policy) == ("demo_requested-None", PolicyRef(name="classic-50", version=1))
    assert (score.as_of, score.version) == (at(60), play.published[-1].data.version)
    assert Decoder(LeadScored).event(scored.encode()) == scored


def test_a_fact_ahead_of_the_clock_is_judged_as_of_its_own_time() -> None:
    play = Play()
    [scored] = play.play([an_engagement("webinar_attended", time=at(9))], now=at(8))
    assert scored.data.as_of == at(9)


def test_the_latest_20_touchpoints_are_told_in_order_and_no_machine_s() -> None:
    play = Play()
    clicks = several(25, "email_clicked")
    play.play([*reversed(clicks), an_engagement("email_opened", machine=True, time=at(99))])
    [scored] = play.play([an_opt_in()])
    assert [touch.event for touch in scored.data.touchpoints] == [click.id for click in clicks[5:]]


def test_an_engagement_older_than_those_told_changes_nothing() -> None:
    play = Play()
    play.play([a_description(time=at(-9)), *several(20, "email_clicked")])
    before = play.state
    play.play([an_engagement("email_clicked", id="older", time=at(-1))])
    assert play.state is before


def test_long_texts_are_cut_and_say_so() -> None:
    play = Play()
    [scored] = play.play([an_engagement("webinar_attended", "tab\there " + "x" * 500, id="long")])
    [touch] = scored.data.touchpoints
    assert touch.content is not None
    assert (len(touch.content), touch.content[:9], touch.content[-1]) == (120, "tab here ", "…")


@pytest.mark.parametrize(
    "event",
    [
        an_opt_in(id="new", time=at(3)),
        an_engagement("demo_requested", time=at(3)),
        an_engagement("sales_inquired", time=at(3)),
        an_engagement("webinar_attended", time=at(3)),
        a_description(id="new", time=at(3), company_size=2001),
        a_description(id="new", time=at(-3)),
    ],
    ids=["opt-in", "demo", "inquiry", "points", "points lost", "contactable earlier"],
)
def test_each_thing_that_a_gate_can_read_is_published_once(event: object) -> None:
    play = Play()
    play.play([a_description(company_size=100)])
    assert [scored.data.version for scored in play.play([event])] == [2]  # type: ignore[list-item]


def test_what_is_told_of_the_person_is_published_when_it_changes() -> None:
    play = Play()
    play.play([a_description(company_size=100)])
    told = play.play([a_description(id="phone", time=at(1), phone="555", name="Ada", company_size=120)])
    assert [(scored.data.contact.phone, scored.data.contact.company_size) for scored in told] == [("555", 120)]
    assert play.play([a_description(id="again", time=at(2), phone="555", name="Ada")]) == []


def test_of_the_size_as_a_number_and_as_a_range_what_was_said_last_is_published() -> None:
    number = a_description(id="n", company_size=100, time=at(1))
    ranges = [
        a_description(id=str(end), company_size_range=SizeRange(least=51, most=end), time=at(minutes))
        for end, minutes in ((200, 0), (900, 2))
    ]
    told = {}
    for facts in permutations([number, *ranges]):
        play = Play()
        play.play(facts)
        person = stored.read(LEAD, stored.write(play.state)), play.published[-1].data.contact
        told[person[1]] = person[0].tally
        assert Decoder(LeadScored).event(play.published[-1].encode()) == play.published[-1]
        assert play.play([a_description(id="last", company_size=7, time=at(3))])[0].data.contact == Person(
            email=EMAIL, company_size=7
        )
    assert told.keys() == {Person(email=EMAIL, company_size_range=SizeRange(least=51, most=900))}
    [tally] = told.values()
    assert tally.background.contact["company_size"].value == 100  # what a version reads that knows no ranges


def test_touchpoints_and_lines_alone_are_not_published() -> None:
    play = Play()
    play.play([a_description(company_size=100), an_engagement("webinar_attended")])
    assert play.play([an_engagement("trade_show_visited", time=at(1)), an_engagement("webinar_attended", id="w")]) == []
    [scored] = play.play([an_opt_in(time=at(2))])
    assert [touch.kind for touch in scored.data.touchpoints] == ["webinar_attended"] * 2 + ["trade_show_visited"]


def test_an_idle_lead_is_published_and_looked_at_by_whole_points_until_nothing_is_left() -> None:
    """Of 1,386 publications in 918 days, one for each thousandth that age takes, these are left."""
    play, ticks, due = Play(a_scorer(a_policy("balanced"))), 0, at()
    done = [("webinar_attended", None), ("content_downloaded", "pricing"), ("content_downloaded", "case_study")]
    for event in (a_description(company_size=100, industry="technology"), *(an_engagement(*each) for each in done)):
        play.play([event], at(60))
    for view in several(5, "email_opened"):
        play.play([view], at(60))
    told = len(play.published)
    while play.due is not None:
        ticks, due = ticks + 1, play.due
        play.tick(play.due)
    by_time = play.published[told:]
    assert (len(by_time), ticks) == (43, 43)
    assert due > at() + timedelta(days=900)
    scores = [scored.data.score for scored in play.published[told - 1 :]]
    assert all(1 <= before - after < 2 for before, after in pairwise(scores[:-1])), "or a band is left within a point"
    assert (scores[-1], {scored.data.cause for scored in by_time}) == (55, {TIME})


def test_less_than_a_point_is_published_where_somebody_did_something() -> None:
    """For a further episode the router asks for news, and who comes back is news at whatever points."""
    play = Play(a_scorer(a_policy("balanced")))
    play.play([a_description(company_size=100), an_engagement("webinar_attended")], at())
    days = [at() + timedelta(days=day) for day in (1, 2)]
    assert play.tick(days[0]) == [], "0.23 points have faded"
    [scored] = play.play([an_engagement("webinar_attended", id="again", time=days[1])], days[1])
    assert (scored.data.score, scored.data.cause) == (50, "again")


def test_a_state_of_an_earlier_version_is_told_once_more_when_something_happens_and_is_no_disagreement() -> None:
    play = Play(a_scorer(a_policy("balanced")))
    play.play([a_description(company_size=100, phone="555"), an_engagement("webinar_attended")], at(1))
    stored = json.loads(play.scorer.dump(play.state))
    del stored["published"]["milli"], stored["published"]["contact"]
    play.state = play.scorer.load(LEAD, json.dumps(stored))
    criteria = Criteria.of(a_policy("balanced"))
    assert explain(LEAD, play.facts, criteria, at(2), play.state).stored_agrees
    assert [scored.data.score for scored in play.tick(at(3))] == [50]
    assert play.tick(at(4)) == []
    assert play.state.published.milli == 50_000


def test_versions_rise_by_one_and_ids_follow_from_them() -> None:
    events = [a_description(company_size=100), an_engagement("webinar_attended"), an_opt_in()]
    first, second = Play(), Play()
    first.play(events)
    second.play(events)
    assert [scored.data.version for scored in first.published] == [1, 2, 3]
    assert len({scored.id for scored in first.published}) == 3
    assert [scored.encode() for scored in first.published] == [scored.encode() for scored in second.published]


def test_published_scores_are_counted_by_band() -> None:
    play = Play()
    play.play([a_description(company_size=100), an_engagement("page_viewed"), an_engagement("webinar_attended")])
    assert play.counts == [{"scores:nurture": 1}, {}, {"scores:nurture": 1}]
    assert play.scorer.bands == ("cold", "nurture", "pass")


def test_a_new_version_judges_all_facts_anew_at_its_date_and_publishes_what_changes_once() -> None:
    play = Play(of_two_versions(rules=CLASSIC.scoring.rules[1:]))
    [scored] = play.play([a_description(company_size=100)], now=at(1))
    assert scored.data.score == 30
    [again] = play.tick(at(60))
    assert (again.data.score, again.data.policy.version, again.data.cause, again.time) == (0, 2, POLICY, at(60))
    assert play.tick(at(61)) == []


def test_a_new_version_judges_also_if_something_that_counts_for_nothing_is_heard_before_its_tick() -> None:
    play = Play(of_two_versions(rules=CLASSIC.scoring.rules[1:]))
    play.play([a_description(company_size=100)], now=at(1))
    [again] = play.play([an_engagement("email_opened", machine=True, time=at(61))], now=at(61))
    assert (again.data.score, again.data.policy.version, again.data.cause) == (0, 2, POLICY)


def test_what_the_policy_changes_is_told_before_what_was_heard() -> None:
    play = Play(of_two_versions(rules=CLASSIC.scoring.rules[1:]))
    play.play([a_description(company_size=100)], now=at(1))
    told = play.play([an_engagement("webinar_attended", id="fair", time=at(61))], now=at(61))
    assert [(each.data.score, each.data.cause, each.data.version) for each in told] == [(0, POLICY, 2), (20, "fair", 3)]


def test_a_new_version_that_changes_no_rule_publishes_nothing() -> None:
    play = Play(of_two_versions())
    play.play([a_description(company_size=100)], now=at(1))
    assert play.tick(at(60)) == []


def test_the_version_in_force_judges_and_none_in_force_is_an_error() -> None:
    scorer = of_two_versions()
    versions = []
    for now in (at(59), at(60)):
        [scored] = the(Keep, scorer.decide(scorer.new(LEAD), a_fact(an_opt_in()), At(now, now))).events
        assert isinstance(scored, LeadScored)
        versions.append(scored.data.policy.version)
    assert versions == [1, 2]
    with pytest.raises(PolicyError, match="no version is in force"):
        scorer.criteria(CLASSIC.effective_from.replace(year=2025))


def test_under_strict_70_opting_in_and_fitting_are_facts_of_the_gate() -> None:
    play = Play(a_scorer(a_policy("strict-70")))
    [fits] = play.play([a_description(company_size=100, industry="technology")])
    assert fits.data.facts["fit_profile"] == at(0)


def test_a_lead_of_whom_nothing_is_left_to_say_is_published_once_wherever_it_was_read_from() -> None:
    rule = a_rule(points=5, award="per_event", total_cap=5, decay={"linear": "2d", "share": 0.05})
    play, views = Play(a_scorer(a_draft(scoring__rules=[rule]))), ((1, "71"), (0, "72"))
    known = a_description(company_size=0, identifiers=Identifiers(), id="first")
    now = at(40.5 * 1440)
    scores = play.play([known, *(an_engagement(id=name, time=at(day * 1440)) for day, name in views)], now)
    assert [scored.data.score for scored in scores] == [0.125, 0.0], "the second view, then the first in its place"
    play.state = play.scorer.load(LEAD, play.scorer.dump(play.state))
    assert play.play([a_description(identifiers=Identifiers(), id="73", time=at(0))], now) == []
