"""The score, its reasons and their dates follow from the set of facts: no order of arrival can be told from them."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.engagements import EngagementRecorded, LeadDescribed
from schemas.envelope import Envelope
from scorer.rules import Late, Verdict, add, fold
from tests.builders import LEAD, a_description, a_fact, an_engagement, an_opt_in, at
from tests.unit.scorer.driver import STRICT, Play, a_scorer, verdict_on

SIZES = [(10, 500, 30), (501, 2000, 20)]
INDUSTRIES = {"technology": 25, "financial_services": 10}
COUNTED: list[tuple[str, str | None, int, int]] = [
    ("content_downloaded", "pricing", 1, 15),
    ("content_downloaded", "case_study", 1, 10),
    ("webinar_attended", None, 1, 20),
    ("page_viewed", "pricing", 4, 15),
    ("email_opened", None, 5, 5),
]
DONE = [(kind, content) for kind, content, *_ in COUNTED] + [("demo_requested", None), ("page_viewed", "home")]


@st.composite
def events(draw: st.DrawFn, most: int = 30) -> list[Envelope]:
    """Events of one lead, few enough descriptions to be kept whole; many share an instant, some a source."""
    made: list[Envelope] = []
    described = 0
    for number in range(draw(st.integers(1, most))):
        fields: dict[str, Any] = {
            "id": f"{draw(st.integers(0, 99)):02}-{number}",
            "source": draw(st.sampled_from(["crm", "web"])),
            "time": at(draw(st.integers(0, 12))),
        }
        what = draw(st.integers(0, 9))
        if what == 0 and described < 8:
            described += 1
            size, industry = st.sampled_from([None, 9, 100, 600]), st.sampled_from([None, "technology", "mining"])
            made.append(a_description(company_size=draw(size), industry=draw(industry), **fields))
        elif what == 1:
            made.append(an_opt_in(**fields))
        else:
            kind, content = draw(st.sampled_from(DONE))
            campaign, machine = draw(st.sampled_from([None, "spring", "autumn"])), draw(st.integers(0, 9)) == 0
            made.append(an_engagement(kind, content, campaign=campaign, machine=machine, **fields))
    return made


@settings(max_examples=60, deadline=None)
@given(given_events=events(), data=st.data())
def test_any_order_of_arrival_leaves_the_same_state(given_events: list[Envelope], data: st.DataObject) -> None:
    plays = Play(), Play()
    plays[0].play(given_events)
    plays[1].play(data.draw(st.permutations(given_events)))
    stored = [play.scorer.dump(play.state) for play in plays]
    assert plays[0].state.tally == plays[1].state.tally
    assert plays[0].state.published.digest == plays[1].state.published.digest
    assert stored[0].split('"published"')[0] == stored[1].split('"published"')[0]


@settings(max_examples=60, deadline=None)
@given(given_events=events())
def test_the_verdict_is_that_of_all_facts_laid_side_by_side(given_events: list[Envelope]) -> None:
    verdict = verdict_on(*given_events, criteria=STRICT)
    assert verdict.milli == _points(given_events, at(12)) * 1000
    assert sum(line.milli for line in verdict.lines) == verdict.milli
    assert round(sum(line.milli for line in verdict.lines if line.group == "fit") / 1000, 3) == verdict.points_of("fit")
    _check_dates(verdict, given_events)


@settings(max_examples=60, deadline=None)
@given(given_events=events())
def test_a_state_reads_back_as_it_was_stored(given_events: list[Envelope]) -> None:
    play, scorer = Play(), a_scorer()
    play.play(given_events)
    stored = play.scorer.dump(play.state)
    assert scorer.load(LEAD, stored) == play.state
    assert scorer.dump(scorer.load(LEAD, stored)) == stored


@settings(max_examples=60, deadline=None)
@given(given_events=events())
def test_a_fact_that_changes_nothing_gives_the_same_object(given_events: list[Envelope]) -> None:
    tally = fold(map(a_fact, given_events), STRICT)
    for event in given_events:
        with contextlib.suppress(Late):
            after = add(tally, a_fact(event.model_copy(update={"id": "new"})), STRICT)
            assert (after is tally) == (after == tally)


def _check_dates(verdict: Verdict, given_events: list[Envelope]) -> None:
    """Each instant by looking at every moment from the last one back."""
    instants = sorted({event.time for event in given_events})
    for band, floor in (("nurture", 30), ("pass", 70)):
        points = {instant: _points(given_events, instant) for instant in instants}
        reached = _since(instants, lambda when, floor=floor, points=points: points[when] >= floor)
        assert verdict.facts.get(f"band:{band}") == reached
    fits = _since(instants, lambda when: _fits(given_events, when))
    assert verdict.facts.get("fit_profile") == fits
    for line in verdict.lines:
        assert line.since <= at(12)
        assert line.evidence


def _since(instants: list[datetime], holds: Any) -> datetime | None:
    since = None
    for instant in reversed(instants):
        if not holds(instant):
            break
        since = instant
    return since


def _points(given_events: list[Envelope], when: datetime) -> int:
    """The points of business.md B.2's table, straight from all events up to `when`."""
    size, industry = _latest(given_events, "company_size", when), _latest(given_events, "industry", when)
    points = sum(worth for low, high, worth in SIZES if size is not None and low <= size <= high)
    points += INDUSTRIES.get(industry, 0)
    done = [e for e in given_events if isinstance(e, EngagementRecorded) and not e.data.machine and e.time <= when]
    for kind, content, needed, worth in COUNTED:
        matching = [e for e in done if e.data.kind == kind and content in (None, e.data.content)]
        points += worth if len(matching) >= needed else 0
    return points


def _fits(given_events: list[Envelope], when: datetime) -> bool:
    size, industry = _latest(given_events, "company_size", when), _latest(given_events, "industry", when)
    return size is not None and 10 <= size <= 2000 and industry in INDUSTRIES


def _latest(given_events: list[Envelope], attribute: str, when: datetime) -> Any:
    stated = [
        ((e.time, e.source, e.id), value)
        for e in given_events
        if isinstance(e, LeadDescribed) and e.time <= when and (value := getattr(e.data, attribute)) is not None
    ]
    return max(stated)[1] if stated else None
