"""Score, lines and dates are functions of the set of facts, whatever the order of arrival."""

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import Envelope
from scorer.rules import Late, add, fold
from tests.builders import LEAD, a_description, a_fact, a_policy, an_engagement, an_opt_in, at
from tests.unit.scorer.driver import STRICT, Play, a_scorer, verdict_on
from tests.unit.scorer.reference import history

DONE: list[tuple[str, str | None]] = [
    *(("content_downloaded", "pricing"), ("content_downloaded", "case_study"), ("webinar_attended", None)),
    *(("page_viewed", "pricing"), ("email_opened", None), ("demo_requested", None), ("page_viewed", "home")),
]


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
            "sentby": draw(st.sampled_from([None, "public", "server"])),
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
    verdict = verdict_on(*given_events, criteria=STRICT, now=at(12))
    answer = history(given_events, a_policy("strict-70").scoring, at(12))[-1][1]
    assert (verdict.milli, verdict.band, dict(verdict.facts)) == (answer.milli, answer.band, answer.facts)
    assert all(line.since <= at(12) and line.evidence for line in verdict.lines)
    assert sum(line.milli for line in verdict.lines) == verdict.milli
    assert round(sum(line.milli for line in verdict.lines if line.group == "fit") / 1000, 3) == verdict.points_of("fit")


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
