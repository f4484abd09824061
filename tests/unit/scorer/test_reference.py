"""The scorer against a slow reference that shares nothing with its rules, over the whole language of rules."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import cycle, groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import Envelope
from schemas.policy import Policy
from schemas.scores import Score
from schemas.scoring import Scoring
from scorer.rules import Criteria, Verdict, fold, score
from scorer.rules.order import text_of
from tests.builders import LEAD, NOON, a_fact, a_policy, an_engagement
from tests.unit.scorer.drafts import a_draft, a_rule
from tests.unit.scorer.driver import Play, a_scorer, verdict_on
from tests.unit.scorer.reference import Answer, history
from tests.unit.scorer.small import END, facts, instants, scorings

OFTEN = settings(max_examples=2000)
WAITS = st.sampled_from([timedelta(minutes=-2), timedelta(0), *(timedelta(days=n) for n in (1, 2, 5))])
"""How long after an event it is heard; a sender's clock may be a little ahead."""
Told = tuple[int, dict[str, datetime]]
"""A published score in thousandths, and its facts but for the lowest band, which is told with others only."""
STRANGER: Told = (0, {})


def _policy(scoring: Scoring) -> Policy:
    return a_policy().model_copy(update={"scoring": scoring})


@OFTEN
@given(scoring=scorings(), events=facts(), instant=instants | st.just(END))
def test_score_band_dates_and_points_of_each_rule_are_those_of_the_reference(
    scoring: Scoring, events: list[Envelope], instant: datetime
) -> None:
    known = [event for event in events if event.time <= instant]
    criteria = Criteria.of(_policy(scoring))
    verdict = score(fold(map(a_fact, known), criteria).basis, criteria, text_of(instant))
    answer = Answer(verdict.milli, verdict.band, dict(verdict.facts), _pays(verdict))
    assert answer == history(known, scoring, instant)[-1][1]
    _check_sums(verdict, scoring)


@OFTEN
@given(scoring=scorings(), events=facts())
def test_any_order_of_arrival_ends_in_the_tally_of_all_facts(scoring: Scoring, events: list[Envelope]) -> None:
    play = Play(a_scorer(_policy(scoring)))
    for event in events:
        play.play([event], END)
        play.state = play.scorer.load(LEAD, play.scorer.dump(play.state))
    assert play.state.tally == fold(map(a_fact, events), Criteria.of(_policy(scoring)))
    _check_told(_told(play, scoring), _tellable(history(events, scoring, END)[-1][1], scoring))


@OFTEN
@given(scoring=scorings(), events=facts())
def test_what_was_published_last_is_true_at_every_instant_and_no_tick_comes_for_nothing(
    scoring: Scoring, events: list[Envelope]
) -> None:
    play = Play(a_scorer(_policy(scoring)))
    told: dict[datetime, Told] = {}
    ticks: set[datetime] = set()
    for now, happened in _by_time(events):
        ticks |= (before := _ticks(play, scoring, now)).keys()
        play.play(happened, now)
        told |= {**before, now: _told(play, scoring)}
    ticks |= (before := _ticks(play, scoring, END)).keys()
    told |= before
    published = STRANGER
    for instant, answer in history(events, scoring, END)[:-1]:
        published = told.pop(instant, published)
        _check_told(published, _tellable(answer, scoring))
    assert not told
    assert ticks <= _changes(scoring, events)


@OFTEN
@given(scoring=scorings(), events=facts())
def test_a_fact_tells_what_a_tick_before_it_should_have(scoring: Scoring, events: list[Envelope]) -> None:
    play, true = Play(a_scorer(_policy(scoring))), dict(history(events, scoring, END))
    for now, happened in _by_time(events):
        play.play(happened, now)
        _check_told(_told(play, scoring), _tellable(true[now], scoring))


@OFTEN
@given(scoring=scorings(), events=facts(), waits=st.lists(st.tuples(WAITS, st.booleans()), min_size=1))
def test_a_lead_kept_in_memory_is_judged_as_one_just_read_from_the_database(
    scoring: Scoring, events: list[Envelope], waits: list[tuple[timedelta, bool]]
) -> None:
    kept, read, now = Play(a_scorer(_policy(scoring))), Play(a_scorer(_policy(scoring))), NOON - timedelta(days=365)
    for event, (wait, timely) in zip(events, cycle(waits), strict=False):
        now = max(now, event.time + wait)
        for play in kept, read:
            if timely and play.due is not None and play.due <= now:
                play.tick(now)
            play.play([event], now)
        read.state = read.scorer.load(LEAD, read.scorer.dump(read.state))
        assert (kept.due, kept.published) == (read.due, read.published)
    for play in kept, read:
        play.tick(END)
    assert (kept.due, kept.published) == (read.due, read.published)


@pytest.mark.parametrize(
    ("points", "period", "share", "days", "left"),
    [
        (7.5, "2d", 0.05, 27, 2438),
        (1.25, "1d", 0.01, 31, 863),
        (-0.47, "3d", 0.05, 57, -24),
        (0.005, "2d", 0.01, 180, 1),
    ],
)
def test_half_a_thousandth_left_by_age_is_rounded_away_from_nought_in_both(
    points: float, period: str, share: float, days: int, left: int
) -> None:
    policy = a_draft(scoring__rules=[a_rule(points=points, decay={"linear": period, "share": share})])
    view, now = an_engagement("page_viewed"), NOON + timedelta(days=days)
    assert _pays(verdict_on(view, criteria=Criteria.of(policy), now=now)) == {"rule": left}
    assert history([view], policy.scoring, now)[-1][1].pays == {"rule": left}


def _by_time(events: list[Envelope]) -> Iterator[tuple[datetime, list[Envelope]]]:
    for now, happened in groupby(sorted(events, key=lambda event: event.time), key=lambda event: event.time):
        yield now, list(happened)


def _pays(verdict: Verdict) -> dict[str, int]:
    """What each rule pays, clamps left out."""
    pays: Counter[str] = Counter()
    for line in verdict.lines:
        pays[line.rule] += 0 if line.cut == "clamp" else line.milli
    return {rule: milli for rule, milli in pays.items() if milli}


def _check_sums(verdict: Verdict, scoring: Scoring) -> None:
    """Lines add up to the score, and stay within every clamp."""
    assert sum(line.milli for line in verdict.lines) == verdict.milli
    assert 0 <= verdict.points <= (scoring.max or verdict.points)
    for group, clamp in scoring.groups.items():
        points = verdict.points_of(group)
        assert (points if clamp.min is None else clamp.min) <= points <= (points if clamp.max is None else clamp.max)


def _changes(scoring: Scoring, events: list[Envelope]) -> set[datetime]:
    """When what some rule by itself pays changes, whether or not another rule or a clamp hides it."""
    apart = scoring.model_copy(
        update={"rules": [rule.model_copy(update={"exclusive": None}) for rule in scoring.rules]}
    )
    pays = [(instant, answer.pays) for instant, answer in history(events, apart, END)]
    return {instant for (_, before), (instant, after) in pairwise(pays) if before != after}


def _ticks(play: Play, scoring: Scoring, until: datetime) -> dict[datetime, Told]:
    """Every tick that is due before `until`, and what was published last after it."""
    told = {}
    while play.due is not None and play.due < until:
        now = play.due
        assert play.tick(now), "no tick comes for nothing"
        assert play.due is None or play.due > now
        told[now] = _told(play, scoring)
    return told


def _told(play: Play, scoring: Scoring) -> Told:
    """What was published last of what a gate can read; a stranger's where nothing was."""
    if not play.published:
        return STRANGER
    last: Score = play.published[-1].data
    assert round(sum(line.points for line in last.explanation), 3) == last.score
    assert f"band:{last.band}" in last.facts
    return round(last.score * 1000), _beyond_the_lowest_band(last.facts, scoring)


def _tellable(answer: Answer, scoring: Scoring) -> Told:
    return answer.milli, _beyond_the_lowest_band(answer.facts, scoring)


def _check_told(told: Told, true: Told) -> None:
    """What a gate can read is exact; the score may have faded by less than a whole point since it was published."""
    assert told[1] == true[1]
    assert abs(told[0] - true[0]) < 1000


def _beyond_the_lowest_band(facts: dict[str, datetime], scoring: Scoring) -> dict[str, datetime]:
    return {name: since for name, since in facts.items() if name != f"band:{scoring.bands[0].name}"}
