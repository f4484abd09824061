"""An explanation adds up, names its events, and says when the stored score differs."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

import scorer.__main__
from desk.__main__ import main
from desk.lead.explanation import Explanation, explain, rows, tell
from desk.terminal import instant_named
from scorer.rules import Criteria, State
from scorer.rules.background import Background
from tests.builders import LEAD, a_description, a_fact, a_policy, an_engagement, at
from tests.unit.scorer.drafts import a_draft
from tests.unit.scorer.driver import CLASSIC, LATER, Play, a_scorer, several

EVENTS = [
    a_description(company_size=100, industry="technology", time=at(-5)),
    *several(4, "page_viewed", "pricing"),
    an_engagement("demo_requested", time=at(9)),
]


def _explained(stored: State | None = None) -> Explanation:
    play = Play()
    play.play(EVENTS)
    return explain(LEAD, [a_fact(event) for event in reversed(EVENTS)], CLASSIC, LATER, stored or play.state)


def test_lines_add_up_and_name_their_events_with_times() -> None:
    view = _explained()
    assert (view.score, view.total, view.band, view.band_since) == (70, 70, "pass", at(-5))
    assert [(line.rule, line.points, line.since) for line in view.lines] == [
        ("size_small", 30, at(-5)),
        ("ind_tech", 25, at(-5)),
        ("visit_pricing", 15, at(3)),
    ]
    visits = view.lines[2].events
    assert [(event.id, event.time) for event in visits] == [(f"page_viewed-{n}", at(n)) for n in range(4)]
    assert (view.asked_for_sales, view.facts_read, view.stored_agrees) == (at(9), 6, True)


def test_it_reads_as_lines_and_rows() -> None:
    view = _explained()
    assert tell(view)[1] == ("70 points, band pass since 2026-03-02 11:55:00, asked for sales 2026-03-02 12:09:00")
    told = rows(view)
    assert told[-1] == ("total", "70", "", "")
    assert sum(float(points) for rule, points, *_ in told[:-1] if rule) == view.total
    assert len(told) == 1 + 1 + 4 + 1
    assert told[2] == ("visit_pricing", "15", "2026-03-02 12:03:00", "2026-03-02 12:00:00  page_viewed-0  (tests)")


def test_a_state_that_waits_for_another_version_s_judgement_is_no_disagreement() -> None:
    play = Play(a_scorer(a_policy("strict-70")))
    play.play(EVENTS)
    view = _explained(play.state)
    assert view.stored_agrees is None
    assert "This version has not judged the lead yet: what is stored is an earlier one's" in tell(view)
    assert not any("judged the lead yet" in line for line in tell(_explained()))


def test_a_stored_state_that_the_facts_do_not_come_to_is_told() -> None:
    play = Play()
    play.play(EVENTS[:-1])
    assert not _explained(play.state).stored_agrees
    play.play(EVENTS[-1:])
    assert _explained(play.state).stored_agrees
    assert not _explained(replace(play.state, published=State(LEAD).published)).stored_agrees
    forgetful = replace(play.state.tally, background=Background())
    assert not _explained(replace(play.state, tally=forgetful)).stored_agrees


def test_a_tick_on_its_way_is_no_disagreement_and_one_that_does_not_come_is() -> None:
    attended = {"kind": "webinar_attended"}
    rule = {"id": "w", "group": "engagement", "points": 40, "engagement": attended}
    policy = a_draft(scoring__rules=[{**rule, "count": {"op": ">=", "n": 1, "window": "1h"}}])
    play, event = Play(a_scorer(policy)), an_engagement("webinar_attended", time=at(0))
    play.play([event], now=at(1))
    for minutes, agrees in ((59, True), (60.5, True), (61.5, False)):
        view = explain(LEAD, [a_fact(event)], Criteria.of(policy), at(minutes), play.state)
        assert (view.score, view.stored_agrees) == (40 if minutes < 60 else 0, agrees)


@pytest.mark.parametrize("lead", ["", " ", "null", "ada@", "a b@example.com", "0"])
def test_what_names_no_lead_ends_with_2(lead: str) -> None:
    result = CliRunner().invoke(main, ["explain", lead])
    assert result.exit_code == 2
    assert "expected an e-mail address, a user id, an anonymous id or a lead_id" in _sentence(result.output)


NO_INSTANT = ["", " ", "yesterday", "2026-11-20T10:00", "2026-11-20 10:00:00", "2026-13-01", "2026-02-30", "1763632800"]
ODD = ["0001-01-01T00:00+14:00", "0001-01-01", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:00-02:00"]


@pytest.mark.parametrize("instant", NO_INSTANT + ODD)
def test_what_names_no_instant_ends_with_2(instant: str) -> None:
    result = CliRunner().invoke(main, ["explain", LEAD, "--at", instant])
    assert result.exit_code == 2
    assert "expected an instant with its time zone, as 2026-11-20T10:00Z" in _sentence(result.output)


def test_an_instant_before_the_first_policy_ends_with_2() -> None:
    result = CliRunner().invoke(main, ["explain", LEAD, "--at", "2025-12-31T23:59:59Z"])
    assert result.exit_code == 2
    assert "no version is in force at 2025-12-31T23:59:59+00:00, the first one is from" in _sentence(result.output)


@pytest.mark.parametrize(
    "text",
    ["2026-11-20T10:00Z", "2026-11-20T10:00z", "2026-11-20 11:00+01:00", "2026-11-20T10:00:00.000+00:00"],
)
def test_an_instant_is_read_in_its_own_zone(text: str) -> None:
    assert instant_named(text, "--at") == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert instant_named("2026-11-20", "--at") == datetime(2026, 11, 20, tzinfo=UTC)


def _sentence(output: str) -> str:
    return " ".join(output.replace("│", " ").split())


def test_a_policy_that_cannot_be_used_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_DATABASE__URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("BATON_POLICIES", "deploy/policies/no-such-policy")
    for command, words in ((main, ["explain", LEAD]), (scorer.__main__.main, ["serve"])):
        result = CliRunner().invoke(command, words)
        assert result.exit_code == 1
        assert "deploy/policies/no-such-policy: is no folder" in result.output


def test_before_its_first_fact_nothing_was_known_of_the_lead() -> None:
    view = explain(LEAD, [a_fact(an_engagement("webinar_attended", time=at(5)))], CLASSIC, at(4))
    assert (view.score, view.band, view.band_since, view.facts_read) == (0, "cold", None, 0)
    assert tell(view)[1:4] == [
        "As of 2026-03-02 12:04:00, by what is known today of the time up to then",
        "Nothing was known of the lead then: its first fact is later",
        "0 points, band cold",
    ]
