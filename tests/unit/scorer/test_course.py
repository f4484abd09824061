"""The search gives the same as evaluating every day: since when conditions are true, and when a lead is due."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import Envelope, Fact
from schemas.scoring import Scoring
from scorer.rules import Criteria, add, fold, score
from scorer.rules.course import Course, Stretch, course_of
from scorer.rules.memo import EMPTY
from scorer.rules.order import instant_of, later, micros_of, text_of
from scorer.rules.tally import NOTHING_KNOWN, Tally, held_untimed
from scorer.rules.verdict import changed_at, next_publication, settled_at, verdict_of, worth
from tests.builders import NOON, a_description, a_fact, a_policy, an_engagement
from tests.unit.desk import ways
from tests.unit.scorer import small, walk
from tests.unit.scorer.drafts import a_draft, a_rule
from tests.unit.scorer.driver import CLASSIC

DAY, RESOLUTION = timedelta(days=1), timedelta(microseconds=1)
BALANCED = Criteria.of(a_policy("balanced"))
PRICING = [("content_downloaded", "pricing"), ("page_viewed", "pricing")]
DONE = [("webinar_attended", None), *PRICING, ("unsubscribed", None)]
WAITS = [timedelta(days=days, minutes=minutes) for days in (0, 1, 7, 30, 89) for minutes in (0, 1, 700)]
OPENED = {"kind": "email_opened"}
CAPPED = [
    {"id": "opened", "group": "fit", "points": 4, "award": "per_event", "total_cap": 10, "engagement": OPENED},
    ways.a_rule(-3, engagement={"kind": "webinar_attended"}, id="taken", group="negative"),
    ways.a_rule(6, attribute={"name": "company_size", "between": [1, 100]}, id="small", exclusive="size"),
    ways.a_rule(5, attribute={"name": "company_size", "between": [1, 700]}, id="middle", exclusive="size"),
]


def criteria_of(scoring: Scoring) -> Criteria:
    return Criteria.of(a_policy().model_copy(update={"scoring": scoring}))


def check(tally: Tally, criteria: Criteria, instants: Sequence[str], far: str) -> None:
    """Compares search and walk at the instants: with the tally's memo, with the memo of the search before, without."""
    walked, basis, memo = walk.walk(tally.basis, criteria, far), tally.basis, tally.memo
    for instant in (*sorted(instants), *sorted(instants, reverse=True)):
        *_, place = (n for n, each in enumerate(walked) if n == 0 or each.at <= instant)
        right = walked[place]
        for known in (tally.memo, memo, EMPTY):
            settled, memo = settled_at(basis, criteria, instant, known)
            assert settled.held == right.held
            assert worth(basis, criteria, instant, known) == right.milli
        course = course_of(basis, criteria)
        assert changed_at(course, instant) == right.at
        for milli in (right.milli, right.milli + 999, right.milli - 400):
            assert due(course, instant, milli, far) == walk.first_told(walked[place:], milli)


def due(course: Course, instant: str, published: int, far: str) -> str | None:
    """The next instant, up to `far`, at which a score is published; where a search ends early, the next search's."""
    read = reading(course, instant)
    while (found := next_publication(course, instant, published)) is not None and found <= far:
        milli = course.payment(micros_of(found)).milli
        if reading(course, found) != read or abs(milli - published) >= 1000:
            return found
        assert found > instant
        instant = found
    return None


def reading(course: Course, instant: str) -> tuple[list[str], str]:
    settled, _ = settled_at(course.basis, course.criteria, instant)
    names = [name for name in settled.held if not name.startswith("rule:")]
    return names, (verdict_of(course, settled, instant).engaged_at or "")[:10]


def check_all(events: list[Envelope], criteria: Criteria, after: list[timedelta], far: datetime) -> None:
    """As the facts are gathered in their order; and after the last of them."""
    tally, end = NOTHING_KNOWN, text_of(far)
    for event in sorted(events, key=lambda event: (event.time, event.source, event.id)):
        before, tally = tally.basis, add(tally, a_fact(event), criteria)
        at = instant_of(tally.basis.at)
        if before.at and at != instant_of(before.at):
            held = walk.walk(before, criteria, later(at, -RESOLUTION))[-1].held
            assert tally.basis.held == held
    if tally.basis.at:
        instants = [later(tally.basis.at, wait) for wait in (timedelta(0), *after)]
        check(tally, criteria, [instant for instant in instants if instant <= end], end)


@settings(max_examples=600)
@given(scoring=small.scorings(), events=small.facts(), after=st.lists(st.sampled_from(WAITS), max_size=2))
def test_search_and_walk_agree_over_the_whole_language_of_rules(
    scoring: Scoring, events: list[Envelope], after: list[timedelta]
) -> None:
    check_all(events, criteria_of(scoring), after, small.END)


@st.composite
def leads(draw: st.DrawFn) -> list[Envelope]:
    """A lead under `balanced` over a year or so: points earned and points taken fade beside each other."""
    time, events = NOON, list[Envelope]()
    for number in range(draw(st.integers(1, 8))):
        time += draw(st.sampled_from(WAITS))
        kind, content = draw(st.sampled_from(DONE))
        events.append(an_engagement(kind, content, id=f"{number}", time=time))
    size, industry = st.sampled_from([None, 9, 100, 600]), st.sampled_from([None, "technology", "financial services"])
    return [a_description(company_size=draw(size), industry=draw(industry)), *events]


@settings(max_examples=20, deadline=None)
@given(events=leads(), days=st.integers(0, 500))
def test_search_and_walk_agree_over_years_of_the_policy_that_we_recommend(events: list[Envelope], days: int) -> None:
    check_all(events, BALANCED, [days * DAY], events[-1].time + 500 * DAY)


def hovering() -> tuple[Tally, Criteria]:
    """Points earned and points taken that fade alike, so that the score keeps near the bound of a band for years."""
    tally = NOTHING_KNOWN
    events = [
        a_description(company_size=100, time=NOON - 36 * DAY),
        an_engagement("unsubscribed", time=NOON - 35 * DAY),
        an_engagement("webinar_attended", time=NOON + timedelta(hours=7)),
    ]
    for event in events:
        tally = add(tally, a_fact(event), BALANCED)
    return tally, BALANCED


def test_a_score_that_points_earned_and_taken_keep_at_a_bound_is_right_each_day() -> None:
    tally, criteria = hovering()
    instants = [text_of(NOON + timedelta(days=days, hours=8)) for days in (1, 2, 40, 41)]
    check(tally, criteria, instants, text_of(NOON + 60 * DAY))
    walked = walk.walk(tally.basis, criteria, text_of(NOON + 60 * DAY))
    assert len({each.held.get("band:nurture") for each in walked}) > 50, "the bound is crossed every day"


@pytest.mark.parametrize("days", [1, 30, 89, 900])
def test_how_far_a_lead_goes_back_does_not_make_its_decision_dearer(days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search looks at spans, and how many is no matter of how many days they have."""
    looked = Counter[str]()
    net = Stretch.net

    def counting(stretch: Stretch, at: int) -> int:
        looked["nets"] += 1
        return net(stretch, at)

    monkeypatch.setattr(Stretch, "net", counting)
    events = [a_description(company_size=100, industry="technology"), *(an_engagement(*done) for done in DONE[:2])]
    tally = fold(map(a_fact, events), BALANCED)
    score(tally.basis, BALANCED, text_of(NOON + days * DAY))
    assert 0 < looked["nets"] < 500


def test_what_lasts_longer_than_the_calendar_is_no_error() -> None:
    decay = {"linear": "36500d", "share": 1e-09}
    criteria = Criteria.of(a_draft(scoring__rules=[a_rule(points=1000, decay=decay)]))
    basis = fold([a_fact(an_engagement("page_viewed"))], criteria).basis
    assert next_publication(course_of(basis, criteria), text_of(NOON), 1_000_000) is None
    assert worth(basis, criteria, text_of(NOON + 40_000 * DAY)) == 1_000_000


@given(ways.facts(ways.SOME, most=20), st.sampled_from([CLASSIC, ways.criteria_of(CAPPED, (">", 5), (">=", 12))]))
def test_where_no_rule_is_timed_what_holds_is_found_without_the_search(facts: list[Fact], criteria: Criteria) -> None:
    basis = fold(facts, criteria).basis
    if basis.at:
        settled, _ = settled_at(basis, criteria, later(basis.at, DAY), just_before=True)
        assert list(held_untimed(basis, criteria).items()) == list(settled.held.items())
