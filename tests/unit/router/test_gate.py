"""Which leads qualify, since when, on what evidence."""

from datetime import timedelta

import pytest

from router.rules.gate import examine, intent_of_episode, qualified_at
from schemas.handoffs import GateReport
from schemas.scores import Intent, Person, PolicyRef, Score
from tests.builders import NOON, a_policy, a_score, at

STRICT = PolicyRef(name="strict-70", version=1)
ASKED = Intent(level="high", since=at(7), event="demo")


def evidence(report: GateReport) -> dict[str, str]:
    return {predicate.name: predicate.evidence for predicate in report.predicates}


def false_ones(report: GateReport) -> list[str]:
    return [predicate.name for predicate in report.predicates if not predicate.holds]


def strict_score(score: float, **facts: object) -> Score:
    return a_score(score, policy=STRICT, facts={"double_opt_in": at(1), "fit_profile": at(2), **facts}).data


@pytest.mark.parametrize(("score", "qualifies"), [(49.999, False), (50, False), (50.001, True), (120, True)])
def test_classic_50_passes_only_above_50(score: float, qualifies: bool) -> None:
    assert examine(a_score(score).data, a_policy("classic-50")).holds is qualifies


@pytest.mark.parametrize(("score", "qualifies"), [(69.999, False), (70, True), (70.001, True)])
def test_strict_70_passes_from_70_on(score: float, qualifies: bool) -> None:
    assert examine(strict_score(score), a_policy("strict-70")).holds is qualifies


@pytest.mark.parametrize("lacking", ["double_opt_in", "fit_profile", "contactable"])
def test_strict_70_takes_every_predicate(lacking: str) -> None:
    report = examine(strict_score(100, **{lacking: None}), a_policy("strict-70"))

    assert not report.holds
    assert false_ones(report) == [lacking]


def test_strict_70_knows_no_fast_track() -> None:
    report = examine(a_score(20, policy=STRICT, intent=ASKED).data, a_policy("strict-70"))

    assert not report.holds
    assert not report.fast_track
    assert "high_intent" not in evidence(report)


def test_nobody_qualifies_without_an_address_in_any_policy() -> None:
    report = examine(a_score(120, intent=ASKED, facts={"contactable": None}).data, a_policy("classic-50"))

    assert not report.holds
    assert false_ones(report) == ["contactable"]


def test_an_engagement_floor_stops_the_perfect_fit_that_did_nothing() -> None:
    floor = a_policy("classic-50", engaged=True)

    assert examine(a_score(55, facts={"engaged": NOON}).data, floor).holds
    assert false_ones(examine(a_score(55, facts={"engaged": None}).data, floor)) == ["engaged", "high_intent"]


def test_the_fast_track_qualifies_at_any_score() -> None:
    report = examine(a_score(5, intent=ASKED).data, a_policy("classic-50"))

    assert report.holds
    assert report.fast_track
    assert qualified_at(report) == at(7)


def test_by_the_fast_track_a_lead_qualifies_once_it_can_be_reached() -> None:
    report = examine(a_score(5, intent=ASKED, facts={"contactable": at(9)}).data, a_policy("classic-50"))

    assert qualified_at(report) == at(9)


@pytest.mark.parametrize(
    ("email", "of"),
    [
        ("ada@rival.example", "rival.example"),
        ("ada@mail.rival.example", "rival.example"),
        ("ada@mit.edu", "edu"),
        ("ada@mit.edu.", "edu"),
        ("<ada@mit.edu>", "edu"),
        ("ada@mit.\uff45du;", "edu"),
        ("ada@notrival.example", None),
        ("ada@rival.example.com", None),
        ("edu@example.com", None),
        (None, None),
    ],
)
def test_nobody_qualifies_by_any_way_whose_address_is_of_a_suppressed_domain(email: str | None, of: str | None) -> None:
    policy = a_policy("classic-50", suppressed_domains=("rival.example", "edu"))
    for score in (
        a_score(80, contact=Person(email=email)).data,
        a_score(5, intent=ASKED, contact=Person(email=email)).data,
    ):
        report = examine(score, policy)
        assert report.holds is (of is None)
        said = "no e-mail address of a suppressed domain" if of is None else f"the e-mail address is of {of}"
        assert evidence(report)["not_suppressed"] == said


def test_a_request_that_an_earlier_episode_answered_is_no_fast_track() -> None:
    policy, score = a_policy("classic-50"), a_score(5, intent=ASKED).data

    assert not examine(score, policy, answered=at(7)).holds
    assert examine(score, policy, answered=at(6)).fast_track


def test_a_lead_has_qualified_since_the_last_predicate_came_true() -> None:
    score = strict_score(80, double_opt_in=at(3), fit_profile=at(8), **{"band:pass": at(5)})

    assert qualified_at(examine(score, a_policy("strict-70"))) == at(8)


@pytest.mark.parametrize(("in_band", "fast", "since"), [(at(3), False, at(3)), (at(9), True, at(7))])
def test_where_both_ways_are_open_the_earlier_one_qualifies(in_band: object, fast: bool, since: object) -> None:
    report = examine(a_score(65, intent=ASKED, facts={"band:pass": in_band}).data, a_policy("classic-50"))

    assert (report.fast_track, qualified_at(report)) == (fast, since)


def test_the_evidence_is_in_plain_words() -> None:
    report = examine(a_score(65.5, intent=ASKED).data, a_policy("classic-50"))

    assert evidence(report) == {
        "band": "score 65.5 is in band pass (> 50) since 2026-03-02 12:00",
        "contactable": "an e-mail address is known since 2026-03-02 12:00",
        "high_intent": "asked for sales at 2026-03-02 12:07 (event demo)",
    }


def test_the_evidence_says_what_a_lead_lacks() -> None:
    report = examine(a_score(65, policy=STRICT, facts={"contactable": None}).data, a_policy("strict-70"))

    assert evidence(report) == {
        "band": "score 65 is in band nurture, below pass (>= 70)",
        "contactable": "no e-mail address is known",
        "double_opt_in": "the e-mail address is not confirmed",
        "fit_profile": "does not fit the target company profile, or too little is known",
    }


def test_a_band_above_the_gates_is_in_too() -> None:
    report = examine(a_score(65).data, a_policy("classic-50", band="nurture"))

    assert report.holds
    assert evidence(report)["band"] == "score 65 is in band pass, above nurture (>= 30), since 2026-03-02 12:00"


@pytest.mark.parametrize(
    ("asked", "level"),
    [
        (NOON - timedelta(days=7, seconds=1), "low"),
        (NOON - timedelta(days=7), "high"),
        (NOON, "high"),
        (NOON + timedelta(minutes=1), "high"),
    ],
)
def test_intent_is_high_for_a_request_within_seven_days_before_qualification(asked: object, level: str) -> None:
    intent = Intent(level="high", since=asked, event="demo")

    assert intent_of_episode(intent, NOON, a_policy("classic-50").gate).level == level
