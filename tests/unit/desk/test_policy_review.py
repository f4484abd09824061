"""Oddities of valid policies are reported, and nothing else."""

from typing import Any

import pytest

from tests.unit.scorer.drafts import a_draft, a_rule, coded, done, of_rules, remarks, sized


@pytest.mark.parametrize(
    ("earlier", "rule", "never"),
    [
        (sized("a", 10, 500), sized("b", 10, 500), True),
        (sized("a", 10, 500), sized("b", 11, 499), True),
        (sized("a", 10, 500), sized("b", 10, 501), False),
        (sized("a", 10, 500), sized("b", 9, 500), False),
        (coded("a", "Financial Services", "retail"), coded("b", "financial_services"), True),
        (coded("a", "technology"), coded("b", "technology", "retail"), False),
        (coded("a", "cto", attribute="title"), coded("b", "cto"), False),
        (done("a"), done("b"), True),
        (done("a"), done("b", "pricing"), True),
        (done("a", "pricing"), done("b"), False),
        (done("a", "pricing"), done("b", "case_study"), False),
        (done("a", count=(">", 2)), done("b", count=(">=", 3)), True),
        (done("a", count=(">", 3)), done("b", count=(">=", 3)), False),
        (done("a", count=(">=", 2)), done("b", "pricing", count=(">", 5)), True),
        (a_rule("a", engagement={"kind": "webinar_attended"}), done("b"), False),
    ],
)
def test_a_rule_can_never_pay_if_an_earlier_one_of_its_word_is_true_whenever_it_is(
    earlier: dict[str, Any], rule: dict[str, Any], never: bool
) -> None:
    told = 'b can never pay: whenever it is true, so is a before it, and of "w" only the first pays'
    found = of_rules({**earlier, "exclusive": "w"}, {**rule, "exclusive": "w"})
    assert (("scoring.rules.1", told) in found) is never
    assert not any("never pay" in text for _, text in of_rules(earlier, rule))


def test_several_earlier_rules_together_can_keep_one_from_paying() -> None:
    rules = [coded("a", "x"), coded("b", "y"), coded("c", "x", "y")]
    [(_, told)] = of_rules(*({**rule, "exclusive": "size"} for rule in rules))
    assert told == 'c can never pay: whenever it is true, so is a or b before it, and of "size" only the first pays'
    rules[2] = coded("c", "x", "y", "z")
    assert not any("never pay" in text for _, text in of_rules(*({**rule, "exclusive": "size"} for rule in rules)))


def test_a_rule_can_pay_for_a_range_that_is_within_none_of_the_earlier_ones() -> None:
    rules = [sized("a", 10, 99), sized("b", 100, 500), sized("c", 50, 200)]
    assert not any("never pay" in text for _, text in of_rules(*({**rule, "exclusive": "size"} for rule in rules)))
    rules[0] = sized("a", 10, 200)
    assert any("never pay" in text for _, text in of_rules(*({**rule, "exclusive": "size"} for rule in rules)))


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (sized("b", 10_000_001, 20_000_000), "'a company of 10000001 to 20000000 people' is true of no lead"),
    ],
)
def test_a_rule_that_is_true_of_no_lead_is_told(rule: dict[str, Any], why: str) -> None:
    assert of_rules(rule) == [("scoring.rules.0", f"b can never pay: {why}")]
    assert of_rules(sized("b", 10_000_000, 20_000_000)) == []


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (sized("a", 10, 500), sized("b", 500, 2000), "a company of exactly 500 people"),
        (sized("a", 10, 500), sized("b", 400, 2000), "a company of 400 to 500 people"),
        (sized("a", 10, 500), sized("b", 501, 2000), None),
        (coded("a", "technology", "retail"), coded("b", "Technology"), "a company in technology"),
        (coded("a", "technology"), coded("b", "retail"), None),
        (done("a"), done("b", "pricing"), "viewing the pricing page"),
        (done("a", "pricing"), done("b"), "viewing the pricing page"),
        (done("a", "pricing"), done("b", "pricing", count=(">", 9)), "viewing the pricing page"),
        (done("a", "pricing"), done("b", "case_study"), None),
        (done("a"), a_rule("b", engagement={"kind": "email_opened"}), None),
    ],
)
def test_what_two_rules_pay_for_is_told_unless_they_exclude_each_other(
    one: dict[str, Any], other: dict[str, Any], common: str | None
) -> None:
    told = [("scoring.rules.1", f"b overlaps a: {common} counts for both")] if common else []
    assert of_rules(one, other) == told
    together = of_rules({**one, "exclusive": "w"}, {**other, "exclusive": "w"})
    assert not any("overlaps" in text for _, text in together)


def test_ranges_of_one_word_that_cross_are_told_and_a_special_case_before_the_general_one_is_not() -> None:
    crossing = [sized("a", 10, 500, exclusive="w"), sized("b", 500, 2000, exclusive="w")]
    assert of_rules(*crossing) == [
        ("scoring.rules.1", "b gives way to a before it for a company of exactly 500 people")
    ]
    assert of_rules(sized("a", 10, 500, exclusive="w"), sized("b", 10, 2000, exclusive="w")) == []


def test_a_word_that_stands_at_one_rule_only_is_told() -> None:
    found = of_rules(coded("a", "x", exclusive="industry"), coded("b", "y", exclusive="indutsry"), coded("c", "z"))
    assert found == [
        ("scoring.rules.0", 'a excludes nothing: no other rule has the word "industry"'),
        ("scoring.rules.1", 'b excludes nothing: no other rule has the word "indutsry"'),
    ]


@pytest.mark.parametrize(
    ("least", "reachable"),
    [({"op": ">=", "n": 120}, True), ({"op": ">", "n": 120}, False), ({"op": ">", "n": 119.999}, True)],
)
def test_a_gate_is_out_of_reach_above_all_points_that_there_are(least: dict[str, Any], reachable: bool) -> None:
    found = remarks(a_draft(scoring__bands__2__least=least))
    assert found == (
        []
        if reachable
        else [
            ("scoring.bands.2", "no lead can be in pass: it begins above 120, and the rules give 120 points at most"),
            (
                "gate.band",
                "no lead can pass the gate by its score, only by asking for sales: pass begins above 120, "
                "and the rules give 120 points at most",
            ),
        ]
    )


def test_the_lowest_band_is_in_reach_of_everyone_whatever_it_says() -> None:
    found = remarks(a_draft(scoring__bands=[{"name": "all", "least": {"op": ">=", "n": 500}}], gate__band="all"))
    assert [place for place, _ in found] == ["scoring.bands.0.least"]


def test_rules_that_cannot_pay_do_not_make_a_gate_reachable() -> None:
    rules = [sized("a", 10, 500, points=30, exclusive="w"), sized("b", 10, 500, points=99, exclusive="w")]
    rules.append(coded("c", "x", points=9))
    found = remarks(a_draft(scoring__rules=rules, gate__fast_track=False))
    assert found[-1] == (
        "gate.band",
        "no lead can pass the gate by its score: pass begins above 50, and the rules give 39 points at most",
    )


def test_a_floor_of_the_lowest_band_a_profile_and_an_intent_that_nobody_meets_are_told() -> None:
    found = remarks(
        a_draft(
            scoring__bands__0__least={"op": ">", "n": 0},
            scoring__high_intent=[],
            scoring__profile=[
                {"name": "company_size", "between": [1, 9]},
                {"name": "industry", "is": ["x"]},
                {"name": "company_size", "between": [10, 20]},
            ],
        )
    )
    assert found == [
        (
            "scoring.profile.2",
            "no lead can fit the target company profile: 'a company in x, and a company of 1 to 9 people, and a "
            "company of 10 to 20 people' is true of no lead",
        ),
        (
            "scoring.bands.0.least",
            "'least' of cold has no effect: the lowest band takes every score below the next band",
        ),
        ("gate.fast_track", "nobody can take the fast track: scoring.high_intent names no engagement"),
        ("clocks.1", "CK-S1 can never run: scoring.high_intent names no engagement"),
    ]


def test_a_gate_that_asks_for_an_engagement_no_rule_is_about_is_told() -> None:
    policy = a_draft(scoring__rules=[sized("a", 1, 9, points=60)], gate__engaged=True)
    assert remarks(policy) == [("gate.engaged", "no lead can earn points by an engagement: no rule gives any for one")]
