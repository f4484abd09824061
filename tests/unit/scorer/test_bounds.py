"""Every part of the scorer's state is bounded; a lead reaches each bound."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chassis.service import At
from schemas.scoring import MOST_EVENTS, MOST_KEPT, Rule
from schemas.terms import Bound
from scorer.rules import Criteria, fold
from scorer.rules.background import ATTRIBUTES, TOUCHPOINTS
from scorer.rules.criteria import CODE_LENGTH
from tests.builders import LEAD, NOON, a_description, a_fact, an_engagement
from tests.unit.scorer.drafts import a_draft, a_rule
from tests.unit.scorer.driver import a_scorer

DAY = timedelta(days=1)
LONG = "x" * 1024


def each(kind: str, **fields: object) -> dict[str, object]:
    return a_rule(kind, 1, engagement={"kind": kind}, award="per_event", **fields)


def test_a_lead_that_reaches_every_bound_keeps_so_much() -> None:
    rules = [each(f"k{n}", total_cap=MOST_EVENTS, decay={"half_life": "30d"}) for n in range(9)]
    seen = a_rule("seen", engagement={"kind": "seen"}, count={"op": ">=", "n": MOST_EVENTS, "window": "300d"})
    scorer = a_scorer(a_draft(scoring__rules=[*rules, seen]))
    described = {name: 10_000_000 if name == "company_size" else LONG for name in ATTRIBUTES}
    events = [
        an_engagement(kind, LONG, id=f"{kind}-{n}", campaign=LONG, time=NOON + n * timedelta(minutes=31))
        for n in range(MOST_EVENTS + 50)
        for kind in (*(f"k{n}" for n in range(9)), "seen")
    ]
    facts = [a_fact(a_description(**described, time=NOON - DAY)), *map(a_fact, events)]
    now = NOON + 9 * DAY
    state = scorer.recall(scorer.new(LEAD), [], facts, At(now, now)).state
    basis, background = state.tally.basis, state.tally.background
    assert {len(paid.shares) for paid in basis.paid.values()} == {MOST_EVENTS}
    assert sum(len(paid.shares) for paid in basis.paid.values()) + len(basis.kept["seen latest"].places) == MOST_KEPT
    assert (len(background.touches), len(background.contact)) == (TOUCHPOINTS, len(ATTRIBUTES))
    assert all(len(str(stated.value)) <= CODE_LENGTH for stated in basis.values.values())
    assert len(basis.held) <= len(rules) + 1 + 3 + 2
    assert len(scorer.dump(state)) < 200_000


def test_a_policy_that_asks_for_more_is_refused() -> None:
    with pytest.raises(ValidationError, match="more than 200 engagements"):
        a_draft(scoring__rules=[each("a", total_cap=10, per_day_cap=0.001)])
    with pytest.raises(ValidationError, match="more than 2000 engagements together, not 2200"):
        a_draft(scoring__rules=[each(f"k{n}", total_cap=MOST_EVENTS) for n in range(11)])
    with pytest.raises(ValidationError, match="at most 500 items"):
        a_draft(scoring__rules=[a_rule(f"r{n}") for n in range(501)])


@given(
    points=st.sampled_from([0.3, 1, 2.5, 7]),
    total=st.sampled_from([1, 3, 10, 12.5]),
    day=st.sampled_from([0.5, 1, 2, 3, 8]),
    times=st.lists(st.integers(0, 40), min_size=30, max_size=90),
)
def test_no_lead_holds_more_for_a_rule_than_is_said_of_it(
    points: float, total: float, day: float, times: list[int]
) -> None:
    rule = a_rule("a", points, engagement={"kind": "seen"}, award="per_event", total_cap=total, per_day_cap=day)
    facts = [a_fact(an_engagement("seen", id=f"{n}", time=NOON + hour * DAY / 3)) for n, hour in enumerate(times)]
    basis = fold(facts, Criteria.of(a_draft(scoring__rules=[rule]))).basis
    assert len(basis.paid["a"].shares) <= Rule.model_validate(rule).most_events


def test_a_band_begins_at_the_least_thousandth_that_passes() -> None:
    for n in (0.501, 5, 29.9999, 50):
        for op in (">", ">="):
            bands = [{"name": "low", "least": {"op": ">=", "n": 0}}, {"name": "high", "least": {"op": op, "n": n}}]
            criteria = Criteria.of(a_draft(scoring__rules=[a_rule()], scoring__bands=bands, gate__band="high"))
            [floor] = criteria.floors
            holds = Bound.model_validate(bands[1]["least"]).holds
            assert (holds(floor / 1000), holds((floor - 1) / 1000)) == (True, False)
            assert [criteria.bands_at(milli)[-1] for milli in (floor - 1, floor)] == ["low", "high"]
