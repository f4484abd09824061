"""Which rules can pay and which overlap, as dates, decay and bounds allow; and that the scorer says the same."""

from datetime import datetime, timedelta
from functools import cache
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.policy import paying
from desk.policy.overlap import Overlap
from schemas.engagements import SizeRange
from schemas.envelope import Envelope, Fact
from schemas.scoring import Scoring
from scorer.rules import Criteria, Verdict, fold, score
from scorer.rules.order import text_of
from tests.builders import a_description, a_fact, a_policy, an_engagement, at
from tests.unit.scorer import small
from tests.unit.scorer.drafts import a_draft, a_rule, a_scoring, coded, done, of_rules, remarks, sized
from tests.unit.scorer.driver import LATER


def dated(since: int | None = None, until: int | None = None) -> dict[str, Any]:
    """Dates of a rule, in days from the policy's beginning."""
    days = {"valid_from": since, "valid_to": until}
    return {name: str(BEGINNING + timedelta(days=day)) for name, day in days.items() if day is not None}


BEGINNING = a_policy("classic-50").effective_from
WINDOW: dict[str, Any] = {"count": {"op": ">=", "n": 2, "window": "30d"}}
WIDER: dict[str, Any] = {"count": {"op": ">=", "n": 2, "window": "31d"}}
TWICE: dict[str, Any] = {"count": {"op": ">=", "n": 2}}
VISITS: dict[str, Any] = {"count_by": "session"}
EACH: dict[str, Any] = {"award": "per_event", "total_cap": 30}
FADES: dict[str, Any] = {"decay": {"half_life": "30d"}}


@pytest.mark.parametrize(
    ("earlier", "rule", "never"),
    [
        (a_rule("a"), a_rule("b", **WINDOW), True),
        (a_rule("a"), a_rule("b", **FADES), True),
        (a_rule("a"), a_rule("b", **EACH), True),
        (a_rule("a"), a_rule("b", **TWICE, **VISITS), True),
        (a_rule("a", **FADES), a_rule("b"), False),
        (a_rule("a", **FADES), a_rule("b", **FADES), False),
        (a_rule("a", **WINDOW), a_rule("b", **TWICE), False),
        (a_rule("a", **WINDOW), a_rule("b", **WINDOW), True),
        (a_rule("a", **WIDER), a_rule("b", **WINDOW), True),
        (a_rule("a", **WINDOW), a_rule("b", **WIDER), False),
        (a_rule("a", **EACH), a_rule("b", **TWICE), True),
        (a_rule("a", **EACH, **FADES), a_rule("b"), False),
        (a_rule("a", **VISITS), a_rule("b"), True),
        (a_rule("a", **TWICE, **VISITS), a_rule("b", **TWICE), False),
        (a_rule("a", **TWICE, **VISITS), a_rule("b", **TWICE, **VISITS), True),
        (a_rule("a", **TWICE, **VISITS), done("b", "docs", (">=", 2), **VISITS), False),
        (a_rule("a", count={"op": ">=", "n": 1, "window": "30d"}, **VISITS), a_rule("b", **WINDOW), False),
        (a_rule("a", **dated(0)), a_rule("b"), True),
        (a_rule("a", **dated(1)), a_rule("b"), False),
        (a_rule("a", **dated(1)), a_rule("b", **dated(1)), True),
        (a_rule("a", **dated(until=9)), a_rule("b"), False),
        (a_rule("a", **dated(until=9)), a_rule("b", **dated(until=9)), True),
        (a_rule("a", **dated(until=9)), a_rule("b", **dated(until=10)), False),
        (sized("a", 1, 9, **dated(1)), sized("b", 1, 9), False),
        (sized("a", 1, 9), sized("b", 1, 9, **dated(1)), True),
    ],
)
def test_what_may_have_gone_by_then_keeps_no_rule_from_paying(
    earlier: dict[str, Any], rule: dict[str, Any], never: bool
) -> None:
    found = of_rules({**earlier, "exclusive": "w"}, {**rule, "exclusive": "w"})
    assert [text.split(":")[0] for _, text in found] == (["b can never pay"] if never else [])


@pytest.mark.parametrize("rule", [sized, done])
def test_a_rule_that_ends_before_the_policy_begins_can_never_pay(rule: Any) -> None:
    over = (1, 9) if rule is sized else ("docs",)
    told = f"a can never pay: it ends at {paying.instant(BEGINNING)}, before the policy begins"
    assert of_rules(rule("a", *over, **dated(until=0))) == [("scoring.rules.0", told)]
    assert of_rules(rule("a", *over, **dated(until=1))) == []
    twice = of_rules(rule("a", *over, **dated(until=0)), rule("b", *over))
    assert twice == [("scoring.rules.0", told)], "and overlaps nothing"


@pytest.mark.parametrize(
    ("one", "other", "overlaps"),
    [(dated(until=5), dated(5), False), (dated(5), dated(until=5), False), (dated(until=5), dated(4), True)],
)
def test_rules_overlap_only_while_both_pay(one: dict[str, Any], other: dict[str, Any], overlaps: bool) -> None:
    assert bool(of_rules(sized("a", 1, 9, **one), sized("b", 1, 9, **other))) is overlaps
    assert bool(of_rules(done("a", **one), done("b", **other))) is overlaps


@pytest.mark.parametrize(
    ("rules", "scoring", "most"),
    [
        ([a_rule(**EACH)], {}, 30),
        ([a_rule(**EACH, exclusive="w"), sized("b", 1, 9, points=20, exclusive="w")], {}, 30),
        ([a_rule(points=-5, award="per_event", total_cap=50), sized("b", 1, 9, points=20)], {}, 20),
        ([a_rule(), sized("b", 1, 9, points=20)], {"max": 25}, 25),
        ([a_rule(), sized("b", 1, 9, points=20)], {"max": 40}, 30),
        ([a_rule(), sized("b", 1, 9, points=20)], {"groups": {"fit": {"max": 15}}}, 25),
        ([a_rule(), sized("b", 1, 9, points=20)], {"groups": {"fit": {"max": 0}}}, 10),
        ([a_rule(points=-5, group="negative")], {"groups": {"negative": {"min": -3}}}, 0),
        ([a_rule(**dated(until=0)), done("b", "docs", points=3)], {}, 3),
        ([sized("a", 1, 9, points=20), sized("b", 1, 9, points=-5)], {}, 15),
        ([sized("a", 1, 9, points=20), sized("b", 1, 9, points=-5, **dated(1))], {}, 20),
        ([sized("a", 1, 9, points=20), {**sized("b", 1, 9, points=-5), "group": "negative"}], {}, 15),
    ],
)
def test_the_most_that_a_lead_can_have_is_after_caps_and_bounds(
    rules: list[dict[str, Any]], scoring: dict[str, Any], most: float
) -> None:
    policy = a_draft(scoring__rules=rules, **{f"scoring__{name}": value for name, value in scoring.items()})
    assert Overlap(policy).highest == most


def test_bounds_can_put_a_gate_out_of_reach() -> None:
    found = remarks(a_draft(scoring__max=50, gate__fast_track=False))
    assert [place for place, _ in found] == ["scoring.bands.2", "gate.band"]
    assert found[1][1].endswith("pass begins above 50, and the rules give 50 points at most")
    assert remarks(a_draft(scoring__max=50.001)) == []


def test_an_engagement_that_only_takes_points_away_earns_none() -> None:
    policy = a_draft(scoring__rules=[sized("a", 1, 9, points=60), a_rule(points=-5)], gate__engaged=True)
    assert [place for place, _ in remarks(policy)] == ["gate.engaged"]


SIZES = st.integers(0, 3).flatmap(lambda low: st.tuples(st.just(low), st.integers(low, 3)))
CODES = st.lists(st.sampled_from(["x", "y"]), min_size=1, max_size=2, unique=True)
CONDITIONS = st.one_of(
    SIZES.map(lambda size: sized("r", *size)),
    CODES.map(lambda codes: coded("r", *codes)),
    st.builds(
        lambda content, op, n: done("r", content, (op, n)),
        st.sampled_from([None, "pricing", "case_study"]),
        st.sampled_from([">=", ">"]),
        st.integers(1, 2),
    ),
)
RULES = st.lists(
    st.tuples(CONDITIONS, st.sampled_from([None, "v", "w"]), st.integers(-5, 20).filter(bool)), min_size=1, max_size=6
).map(lambda rules: [{**rule, "id": f"r{n}", "points": p, "exclusive": w} for n, (rule, w, p) in enumerate(rules)])


@cache
def everyone() -> tuple[tuple[Fact, ...], ...]:
    """The facts of every lead that such rules can tell apart, in order."""
    leads = []
    sizes: list[dict[str, Any]] = [{}, *({"company_size": size} for size in range(4))]
    sizes += [{"company_size_range": SizeRange(least=a, most=b)} for a, b in combinations(range(4), 2)]
    for size, industry, pricing, case in product(sizes, (None, "x", "y"), range(4), range(3)):
        events: list[Envelope] = [a_description(**size, industry=industry)]
        events += [an_engagement("page_viewed", "pricing", id=f"p{n}", time=at(n)) for n in range(pricing)]
        events += [an_engagement("page_viewed", "case_study", id=f"c{n}", time=at(n)) for n in range(case)]
        leads.append(tuple(map(a_fact, events)))
    return tuple(leads)


def verdicts_on_everyone(criteria: Criteria) -> list[Verdict]:
    return [score(fold(facts, criteria).basis, criteria, text_of(LATER)) for facts in everyone()]


@settings(max_examples=40)
@given(RULES)
def test_what_is_said_of_rules_is_what_the_scorer_does(rules: list[dict[str, Any]]) -> None:
    policy = a_scoring(*rules)
    overlap, verdicts = Overlap(policy), verdicts_on_everyone(Criteria.of(policy))
    paid = {line.rule for verdict in verdicts for line in verdict.lines if line.cut is None}
    can_pay = {rule.id for j, rule in enumerate(overlap.rules) if overlap.instead(j) is None}
    assert paid <= can_pay
    assert {rule.id for rule in overlap.rules if rule.attribute and rule.id in can_pay} <= paid
    assert max(verdict.points for verdict in verdicts) <= overlap.highest


@settings(max_examples=400)
@given(scoring=small.scorings(), events=small.facts(), instant=small.instants | st.just(small.END))
def test_what_is_said_of_rules_that_come_and_go_is_what_the_scorer_does(
    scoring: Scoring, events: list[Envelope], instant: datetime
) -> None:
    policy = a_policy().model_copy(update={"scoring": scoring})
    overlap, criteria = Overlap(policy), Criteria.of(policy)
    known = [a_fact(event) for event in events if event.time <= instant]
    verdict = score(fold(known, criteria).basis, criteria, text_of(instant))
    assert {line.rule for line in verdict.lines if line.cut is None} <= {rule.id for rule in overlap.live}
    assert verdict.points <= overlap.highest
