"""What is missing to the next band: each way reaches it, and none is longer than needed."""

from dataclasses import replace
from itertools import product
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.lead.changes import Attribute, Engagements
from desk.lead.explanation import explain, rows, tell_missing
from desk.lead.missing import Missing, Way
from schemas.envelope import Envelope, Fact
from scorer.rules import Criteria, Tally, fold
from scorer.rules.order import text_of
from scorer.rules.verdict import worth
from tests.builders import LEAD, a_description, a_fact, an_engagement, at
from tests.unit.desk.ways import (
    LAST,
    OTHERS,
    a_rule,
    after,
    criteria_of,
    facts,
    leads,
    lesser,
    made,
    policies,
    with_more,
)
from tests.unit.scorer.driver import CLASSIC, several


@settings(max_examples=2000)
@given(lead=leads())
def test_lines_add_up_and_each_way_reaches_the_band_with_no_change_too_many(lead: tuple[Criteria, list[Fact]]) -> None:
    criteria, known = lead
    view = explain(LEAD, known, criteria, at(LAST))
    assert round(sum(line.points for line in view.lines) * 1000) == round(view.score * 1000) == round(view.total * 1000)
    assert all(line.events for line in view.lines if line.cut is None)
    names = [band.name for band in criteria.bands]
    if view.missing is None:
        assert view.band == names[-1]
        return
    assert names.index(view.missing.band) == names.index(view.band) + 1
    tally, least = fold(known, criteria), view.missing.least
    assert worth(tally.basis, criteria, text_of(at(LAST))) == round(view.score * 1000)
    assert least.holds(round(view.score + view.missing.points, 3))
    assert len(view.missing.ways) <= 3
    for way in view.missing.ways:
        for events in made(way.changes):
            assert after(tally, events, criteria) == way.score
            assert least.holds(way.score)
        for less in lesser(way.changes):
            for events in made(less):
                assert not least.holds(after(tally, events, criteria))


@settings(max_examples=300)
@given(lead=leads(), minute=st.integers(-1, LAST + 1))
def test_as_of_an_instant_is_by_the_facts_up_to_it_alone(lead: tuple[Criteria, list[Fact]], minute: int) -> None:
    criteria, known = lead
    instant = at(minute)
    view, then = explain(LEAD, known, criteria, instant), [fact for fact in known if fact.time <= instant]
    same = explain(LEAD, then, criteria, instant)
    assert view == replace(same, known_as=view.known_as), "its names are those known today"
    assert view.facts_read == len(then)
    assert view.stored_agrees is None
    assert len(rows(view)) == 1 + sum(len(line.events) or 1 for line in view.lines)


DESCRIBED = [
    a_description(company_size=size, industry=industry, id="z", time=at(LAST + 1))
    for size, industry in product((None, 0, 1, 2, 4, 5, 6, 8, 10), (None, *"abco"))
]
"""Every company size and industry that a policy of `conditions` can tell from others."""


def _done(tally: Tally, criteria: Criteria) -> list[tuple[int, Tally]]:
    """Every number of engagements of `seen`, and of those about x: how many changes that is, and what it comes to."""
    done = []
    for anything, about in product(range(4), range(4)):
        more = [("any", None, n) for n in range(anything)] + [("x", "x", n) for n in range(about)]
        events = [an_engagement("seen", what, id=f"{id_}-{n}", time=at(LAST + 1)) for id_, what, n in more]
        done.append(((anything > 0) + (about > 0), with_more(tally, events, criteria)))
    return done


@settings(max_examples=120)
@given(criteria=policies(contents=(None, "x"), kinds=("seen",)), known=facts(OTHERS[:13], 5))
def test_no_other_changes_are_fewer(criteria: Criteria, known: list[Fact]) -> None:
    """Against every combination of what can be done to a lead under such a policy."""
    wanted = explain(LEAD, known, criteria, at(LAST)).missing
    if wanted is None:
        return
    reaching = []
    for described, (done, tally) in product(DESCRIBED, _done(fold(known, criteria), criteria)):
        points = after(tally, [described], criteria)
        if wanted.least.holds(points):
            changed = (described.data.company_size, described.data.industry)
            reaching.append((done + 2 - changed.count(None), points))
    fewest = [len(way.changes) for way in wanted.ways]
    assert fewest[:1] == [min(reaching)[0]] if reaching else fewest == []
    assert fewest == sorted(fewest)
    assert wanted.attainable or not reaching


def _wanted(criteria: Criteria, *events: Envelope) -> Missing:
    view = explain(LEAD, [a_fact(event) for event in events], criteria, at(LAST))
    assert view.missing is not None
    return view.missing


def test_engagements_that_are_there_are_counted() -> None:
    visits = several(2, "page_viewed", "pricing")
    wanted = _wanted(CLASSIC, a_description(company_size=600), *visits)
    assert (wanted.band, wanted.points, wanted.least.n) == ("nurture", 10, 30)
    assert [way.changes for way in wanted.ways] == [
        (Engagements("content_downloaded", "case_study", 1, 0),),
        (Attribute("company_size", between=((10, 500),)),),
        (Attribute("industry", one_of=("financial_services",)),),
    ]
    wanted = _wanted(CLASSIC, a_description(company_size=100, industry="Financial Services"), *visits)
    assert (Engagements("page_viewed", "pricing", 2, 2),) in [way.changes for way in wanted.ways]


def test_a_changed_attribute_replaces_the_points_that_it_gave() -> None:
    """600 people give 20 points, 100 would give 30: that is 10 more, so it takes something else beside."""
    wanted = _wanted(CLASSIC, a_description(company_size=600), *several(1, "content_downloaded", "pricing"))
    assert (wanted.band, wanted.points) == ("pass", 16)
    small = Attribute("company_size", between=((10, 500),))
    assert all(way.changes != (small,) for way in wanted.ways)


@pytest.mark.parametrize(
    ("rules", "events", "way"),
    [
        pytest.param(
            [a_rule(-20, id="student", attribute={"name": "industry", "is": ["education"]}), a_rule(20)],
            [a_description(industry="education"), an_engagement("seen")],
            Way(20, (Attribute("industry", none_of=("education",)),)),
            id="points taken away are given back",
        ),
        pytest.param(
            [
                a_rule(1, id="first", exclusive="x", attribute={"name": "industry", "is": ["a"]}),
                a_rule(20, exclusive="x"),
            ],
            [a_description(industry="a"), an_engagement("seen")],
            Way(20, (Attribute("industry", none_of=("a",)),)),
            id="a rule that shuts out a better one",
        ),
        pytest.param(
            [a_rule(15, 3, id="about", engagement={"kind": "seen", "content": "x"}), a_rule(5, 5)],
            [],
            Way(20, (Engagements("seen", "x", 5, 0),)),
            id="what counts for two rules",
        ),
        pytest.param(
            [
                a_rule(10, id="x", engagement={"kind": "seen", "content": "x"}),
                a_rule(-10, 2, id="xx", engagement={"kind": "seen", "content": "x"}),
                a_rule(10, 3, id="three"),
                a_rule(-10, 4, id="four"),
            ],
            [],
            Way(20, (Engagements("seen", "x", 1, 0), Engagements("seen", None, 2, 0))),
            id="one of a content is one of its kind",
        ),
        pytest.param(
            [
                a_rule(10, id=f"within-{high}", attribute={"name": "company_size", "between": [1, high]})
                for high in (9, 5)
            ],
            [a_description(company_size=7)],
            Way(20, (Attribute("company_size", between=((1, 5),)),)),
            id="ranges that overlap",
        ),
        pytest.param(
            [a_rule(20, attribute={"name": "country", "is": [""]})],
            [],
            Way(20, (Attribute("country", one_of=("",)),)),
            id="an empty code",
        ),
    ],
)
def test_the_nearest_way_is(rules: list[dict[str, Any]], events: list[Envelope], way: Way) -> None:
    assert _wanted(criteria_of(rules, (">=", 20)), *events).ways[0] == way


def test_no_engagement_more_than_it_takes() -> None:
    """A fifth would earn the other rule's points as well."""
    rules = [a_rule(20, 3, id="about", engagement={"kind": "seen", "content": "x"}), a_rule(5, 5)]
    ways = _wanted(criteria_of(rules, (">=", 20)), an_engagement("seen", "x")).ways
    assert ways == (Way(20, (Engagements("seen", "x", 2, 1),)),)


def test_a_long_way_is_told_from_none() -> None:
    five = [a_rule(10, id=f"r{n}", engagement={"kind": f"kind_{n}"}) for n in range(5)]
    long, none = (_wanted(criteria_of(five, (">=", least))) for least in (50, 51))
    assert (long.ways, long.attainable, none.ways, none.attainable) == ((), True, (), False)
    assert _wanted(criteria_of(five, (">=", 40))).ways[0].score == 40
    either = [a_rule(10, id=f"r{n}", exclusive="one", engagement={"kind": f"kind_{n}"}) for n in range(2)]
    assert not _wanted(criteria_of(either, (">=", 20))).attainable


def test_a_policy_of_thirty_rules_is_searched_in_no_time() -> None:
    """As many sets of changes as there can be, of which four are just enough."""
    rules = [a_rule(5 + n % 7, id=f"r{n}", engagement={"kind": f"kind_{n % 20}", "content": f"{n}"}) for n in range(30)]
    began = monotonic()
    assert len(_wanted(criteria_of(rules, (">=", 42))).ways[0].changes) == 4
    assert monotonic() - began < 5


def _told(criteria: Criteria, *events: Envelope) -> list[str]:
    return tell_missing(explain(LEAD, [a_fact(event) for event in events], criteria, at(LAST)))


def test_it_reads_as_lines() -> None:
    visits = several(2, "page_viewed", "pricing")
    lines = _told(CLASSIC, a_description(company_size=100, industry="financial_services"), *visits)
    assert lines == [
        "11 more points to pass (more than 50), by any one of",
        "  downloading the price list once: 55 points",
        "  viewing the pricing page 2 more times: 55 points",
        "  a company in technology: 55 points",
    ]
    two = [a_rule(20, attribute={"name": "company_size", "between": [500, 10_000_000]}), a_rule(4.5, id="b", count=2)]
    assert _told(criteria_of(two, (">", 20)), an_engagement("seen")) == [
        "20.001 more points to band-0 (more than 20), for example by",
        '  an engagement of the kind "seen" once more and a company of 500 people or more: 24.5 points',
    ]
    assert _told(criteria_of(two, (">", 24.5))) == [
        "24.501 more points to band-0 (more than 24.5): no rule could bring it there, all together give too little."
    ]
    five = [a_rule(10, id=f"r{n}", engagement={"kind": f"kind_{n}"}) for n in range(5)]
    assert _told(criteria_of(five, (">=", 50))) == [
        "50 more points to band-0 (at least 50): no 4 changes could bring it there."
    ]
    top = a_description(company_size=100, industry="technology")
    assert _told(CLASSIC, top) == ["pass is the top band: nothing is missing."]
