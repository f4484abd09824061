"""A backtest counts the results of fold and score, lead by lead, in whatever order facts are read."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from desk.__main__ import main
from desk.policy import sheet
from desk.policy.backtest import Backtest, BandLine, Named, Paid, Report, RuleLine
from schemas.envelope import Envelope, Fact
from schemas.identity import lead_id_of
from schemas.policy import Policy
from schemas.scoring import Rule
from scorer.rules import Criteria, State, fold, score
from scorer.rules.order import text_of
from tests.builders import EMAIL, LEAD, a_description, a_fact, a_policy, an_engagement, at
from tests.unit.scorer.driver import CLASSIC, LATER, Play, a_scorer
from tests.unit.scorer.test_scores_any_order import events

LIVE, STRICT = a_policy("classic-50"), a_policy("strict-70")
OTHER = lead_id_of(email="other@example.com")
FIT = a_description(company_size=100, industry="technology")
DOWNLOAD = an_engagement("content_downloaded", "pricing")
Files = dict[str, list[Envelope]]


def with_rules(*rules: Rule, policy: Policy = LIVE) -> Policy:
    """The policy with other rules."""
    return policy.model_copy(update={"scoring": policy.scoring.model_copy(update={"rules": rules})})


def with_points(**points: float) -> Policy:
    """classic-50 with other points for some rules."""
    rules = LIVE.scoring.rules
    return with_rules(*(rule.model_copy(update={"points": points.get(rule.id, rule.points)}) for rule in rules))


def report_on(files: Files, candidate: Policy, page: int = 1000, most: int = 1000) -> Report:
    """The files, each lead's facts in the order given, read by pages of this size."""
    test = Backtest(LIVE, candidate, LATER, most)
    facts = [a_fact(event.model_copy(update={"subject": lead})) for lead, those in files.items() for event in those]
    for start in range(0, len(facts), page):
        test.read(facts[start : start + page])
    return test.report()


def leads(count: int) -> Iterator[str]:
    return (lead_id_of(email=f"person-{number}@example.com") for number in range(count))


def test_bands_rules_and_who_crosses_the_gate_s_band() -> None:
    report = report_on({LEAD: [FIT], OTHER: [DOWNLOAD]}, with_points(ind_tech=0, dl_pricing=50.5))
    assert report.bands == (BandLine("cold", 1, 0), BandLine("nurture", 0, 1), BandLine("pass", 1, 1))
    assert (report.before.reached, report.after.reached) == (1, 1)
    assert (report.newly, report.no_longer) == (Named(1, (OTHER,)), Named(1, (LEAD,), {LEAD: EMAIL}))
    assert f"  {EMAIL}, {LEAD}" in sheet.as_text(report).splitlines()
    paid = {line.rule: (line.before, line.after) for line in report.rules}
    assert paid["dl_pricing"] == (Paid(1, 15), Paid(1, 50.5))
    assert paid["ind_tech"] == (Paid(1, 25), Paid(0, 0))
    assert paid["webinar"] == (Paid(0, 0), Paid(0, 0))
    assert (report.leads, report.unheard, report.facts, report.differing) == (2, 0, 2, None)


def test_a_candidate_that_asks_for_other_facts_is_folded_for_itself() -> None:
    rule = Rule.model_validate(
        {"id": "blog", "group": "engagement", "points": 99, "engagement": {"kind": "page_viewed"}}
    )
    report = report_on({LEAD: [FIT], OTHER: [an_engagement(content="blog")]}, with_rules(rule))
    assert report.newly.leads == (OTHER,)
    assert report.rules[0] == RuleLine("size_small", Paid(1, 30), None)
    assert report.rules[-1] == RuleLine("blog", None, Paid(1, 99))


def test_the_gate_s_band_is_each_policy_s_own_and_bands_above_it_count() -> None:
    nurture = LIVE.model_copy(update={"gate": LIVE.gate.model_copy(update={"band": "nurture"})})
    report = report_on({LEAD: [FIT], OTHER: [a_description(company_size=100)]}, nurture)
    assert (report.before.reached, report.after.reached) == (1, 2)
    assert (report.newly, report.no_longer) == (Named(1, (OTHER,), {OTHER: EMAIL}), Named(0, ()))


def test_who_is_known_by_nothing_that_counts_is_in_no_band() -> None:
    report = report_on({LEAD: [an_engagement("email_opened", machine=True)], OTHER: [DOWNLOAD]}, STRICT)
    assert (report.leads, report.unheard, report.facts) == (1, 1, 2)
    assert sum(line.before or 0 for line in report.bands) == 1


@settings(max_examples=40)
@given(files=st.lists(events(most=8), min_size=1, max_size=6), data=st.data())
def test_no_order_of_leads_or_facts_and_no_page_can_be_told_from_the_report(
    files: list[list[Envelope]], data: st.DataObject
) -> None:
    given_files: Files = dict(zip(leads(len(files)), files, strict=False))
    shuffled = {
        lead: data.draw(st.permutations(given_files[lead])) for lead in data.draw(st.permutations([*given_files]))
    }
    candidate, most = data.draw(st.sampled_from([STRICT, with_points(webinar=60, size_mid=0)])), 2
    one = report_on(given_files, candidate, most=most)
    other = report_on(shuffled, candidate, page=data.draw(st.integers(1, 9)), most=most)
    assert one == other
    assert [write(one) for write in (sheet.as_json, sheet.as_text, sheet.as_html)] == [
        write(other) for write in (sheet.as_json, sheet.as_text, sheet.as_html)
    ]


@settings(max_examples=40)
@given(files=st.lists(events(most=12), min_size=1, max_size=6))
def test_the_report_is_the_sum_of_the_leads_verdicts(files: list[list[Envelope]]) -> None:
    given_files: Files = dict(zip(leads(len(files)), files, strict=False))
    candidate = with_points(size_small=10, dl_case=45)
    report = report_on(given_files, candidate)
    tallies = {lead: fold(map(a_fact, those), CLASSIC) for lead, those in given_files.items()}
    known = {lead: tally.basis for lead, tally in tallies.items() if tally.basis.first is not None}
    for side, criteria in (("before", CLASSIC), ("after", Criteria.of(candidate))):
        bases = [fold(map(a_fact, given_files[lead]), criteria).basis for lead in known]
        verdicts = [score(basis, criteria, text_of(LATER)) for basis in bases]
        assert getattr(report, side).reached == sum(verdict.milli > 50_000 for verdict in verdicts)
        given_points = sum(verdict.milli for verdict in verdicts)
        assert sum(round(getattr(line, side).points * 1000) for line in report.rules) == given_points
        assert sum(getattr(line, side) for line in report.bands) == len(known) == report.leads


def test_stored_states_are_held_against_the_facts_in_both_directions() -> None:
    play = Play()
    play.play([FIT, DOWNLOAD])
    facts = [a_fact(event.model_copy(update={"subject": lead})) for lead in (LEAD, OTHER) for event in (FIT, DOWNLOAD)]

    def differing(stored: dict[str, State], read: list[Fact]) -> tuple[str, ...] | None:
        test = Backtest(LIVE, LIVE, LATER)
        test.expect(stored.items())
        test.read(read)
        found = test.report().differing
        return None if found is None else found.leads

    assert differing({LEAD: play.state, OTHER: play.state}, facts) == ()
    assert differing({LEAD: play.state, OTHER: State()}, facts) == (OTHER,)
    assert differing({LEAD: play.state}, facts) == (OTHER,)  # facts without a state
    assert differing({LEAD: play.state, OTHER: play.state}, facts[:2]) == (OTHER,)  # a state without facts
    assert differing({LEAD: play.state, OTHER: play.state}, facts[:3]) == (OTHER,)  # a fact is gone
    waiting = Play(a_scorer(STRICT))
    waiting.play([FIT])
    assert differing({LEAD: waiting.state, OTHER: play.state}, facts) == ()  # the policy in force has not judged it yet


def test_people_are_told_the_first_twenty_and_programs_all() -> None:
    named = sorted(leads(25))
    report = report_on({lead: [FIT] for lead in named}, with_points(ind_tech=0))
    text, page = sheet.as_text(report), sheet.as_html(report)
    assert json.loads(sheet.as_json(report))["no_longer"] == {
        "count": 25,
        "emails": dict.fromkeys(named, EMAIL),
        "leads": named,
    }
    for told in (text, page):
        assert re.findall("[0-9a-f-]{36}", told) == named[:20]
        assert "25 leads." in told
    assert text.count(EMAIL) == 20
    assert [word for word in ("<script", "http", "@") if word in page] == []


def test_json_has_sorted_keys_and_a_dash_stands_for_a_rule_that_is_not_there() -> None:
    report = report_on({LEAD: [FIT]}, with_rules(*LIVE.scoring.rules[1:]))
    told = json.loads(sheet.as_json(report))
    assert list(told) == sorted(told)
    assert re.search(r"^size_small +1 +- +30 +-$", sheet.as_text(report), re.MULTILINE)


def test_without_facts_it_is_said_so() -> None:
    assert "There are no leads yet." in sheet.as_text(report_on({}, STRICT))
    assert "There are no leads yet." in sheet.as_html(report_on({}, STRICT))
    empty = Backtest(LIVE, STRICT, LATER).report(at(0), None)
    assert "There are no facts from 2026-03-02 12:00:00 UTC." in sheet.as_text(empty)


POLICY = "deploy/policies/classic-50/1.yaml"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([POLICY, "--from", "yesterday"], "expected an instant with its time zone"),
        ([POLICY, "--from", "0001-01-01T00:00:00+14:00"], "expected an instant with its time zone"),
        ([POLICY, "--from", "2026-03-01", "--to", "2026-03-01T02:00:00+02:00"], "expected an instant after --from"),
        ([POLICY, "--json", "--html"], "give --json or --html, not both"),
        (["no-such.yaml"], "does not exist"),
        (["deploy/policies"], "has no versions"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_meant_ends_with_2(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["policy", "backtest", *arguments])
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


def test_what_is_wrong_with_a_policy_file_is_told_with_its_line(tmp_path: Path) -> None:
    candidate = tmp_path / "candidate.yaml"
    text = Path(POLICY).read_text("utf-8").replace("fast_track: true", "fast_track: perhaps")
    candidate.write_text(text.replace("points: 30,", "points: many,"), "utf-8")
    result = CliRunner().invoke(main, ["policy", "backtest", str(candidate)])
    assert result.exit_code == 2
    assert f"{candidate}:9: scoring.rules[0].points: " in result.output
    assert "gate.fast_track: " in result.output
