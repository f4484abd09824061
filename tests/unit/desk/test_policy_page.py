"""The page of a policy: complete, plain, and no wider than a terminal."""

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from desk.policy.page import WIDTH, page
from schemas.terms import Duration
from tests.builders import a_policy
from tests.unit.scorer.drafts import a_clock, a_draft, a_rule, coded, done, sized

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)

VISIT = ", counted by visit (30 minutes without one end a visit)"


def test_the_page_of_classic_50_tells_an_outsider_every_number() -> None:
    told = " ".join(page(a_policy("classic-50")).split())
    for words in (
        "classic-50, version 1, from 2026-01-01 00:00 UTC on",
        "only the first of these that is true: 30 a company of 10 to 500 people 20 a company of 501 to 2000 people",
        "10 downloading a case study",
        "15 viewing the pricing page, more than 3 times 5 opening an e-mail, at least 5 times",
        "No lead can have more than 120 points.",
        "cold less than 30 points nurture at least 30, at most 50 points pass more than 50 points",
        "requesting a demo - asking sales directly",
        "Or faster: at any score, a lead qualifies by asking for sales",
        "Who passes by a change of this policy alone is handed off with the next event that is scored.",
        "In turn: Grace, then Linus, then Margaret.",
        "CK-S2 sales follows up within 24 hours of the handoff, if the lead is of low intent",
        "For each: a warning when 50% and 80% of the time is gone.",
    ):
        assert words in told, words
    assert "Or faster" not in page(a_policy("strict-70"))


def test_the_page_of_balanced_tells_an_outsider_what_fades_what_is_bounded_and_why() -> None:
    told = page(a_policy("balanced"))
    lines = told.split("\n")
    first = lines.index("     15  downloading the price list; halves every 30 days")
    assert lines[first + 1].startswith("         because: who asks for the price")
    assert "What is negative takes at most 30 points together." in lines
    for words in (
        "Points fade by whole days of 24 hours since the latest engagement that the line is about. Fit",
        f"15 viewing the pricing page, more than 3 times within the last 30 days{VISIT} because: more than three",
        "Engagement gives at most 65 points together.",
        "Negative, what takes points away: -30 unsubscribing from e-mails; halves every 60 days",
        "No lead can have more than 120 points, and none less than 0.",
        "- the e-mail address is not of rival.example, edu or ac.uk",
        "if an e-mail address of the lead is known and is of no suppressed domain.",
    ):
        assert words in " ".join(told.split()), words
    assert "each time" not in told
    assert "SCO-" not in told, "sources are for the file's readers"


def test_a_page_explains_each_time_only_where_a_line_says_it() -> None:
    told = " ".join(page(a_draft(scoring__rules=[a_rule(award="per_event", total_cap=30)])).split())
    assert 'never counts. A line with the words "each time" gives them for every engagement.' in told
    assert "10 viewing a page; each time, at most 30 in all No lead" in told
    assert "Points fade" not in told
    fading = page(a_draft(scoring__rules=[a_rule(award="per_event", total_cap=30, decay={"expire": "9d"})]))
    assert "that the line is about, those given each time since their own." in " ".join(fading.split())


def test_a_page_of_nearly_nothing_says_so() -> None:
    told = page(a_draft(scoring__rules=[], scoring__high_intent=[], clocks=[]))
    assert "No lead can have more than 0 points." in told
    assert "What counts as asking for sales\n-------------------------------\nNothing does." in told
    assert told.endswith("Nothing is.")


def test_rules_of_one_word_stand_together_and_say_where_they_count() -> None:
    rules = [sized("a", 1, 9, exclusive="w"), done("b", points=2.25), done("c", "x", exclusive="w", points=5)]
    [told] = [part for part in page(a_draft(scoring__rules=rules)).split("\n\n") if part.startswith("Fit")]
    assert told.splitlines()[1:] == [
        "    only the first of these that is true:",
        "        10  a company of 1 to 9 people",
        "         5  viewing the x page (counts as engagement)",
    ]


@given(st.text(min_size=1, max_size=300), st.integers(1, 64))
@example("x" * 300, 64)
def test_no_line_of_a_page_is_wider_than_a_terminal(text: str, length: int) -> None:
    rules = [sized("a", 1, 9), done("b", text), coded("c", text, text * 2)]
    clock = {**a_clock().model_dump(mode="json"), "id": "c" * length}
    draft = a_draft(
        about=text,
        policy="p" * length,
        scoring__rules=rules,
        scoring__bands=[{"name": "b" * length, "least": {"op": ">=", "n": 0}}],
        gate__band="b" * length,
        routing__roster=[{"id": text, "name": text}],
        clocks=[clock],
    )
    assert max(map(len, page(draft).split("\n"))) <= WIDTH


@pytest.mark.parametrize("name", ["balanced", "classic-50", "strict-70", "demo"])
def test_the_pages_of_the_policies_that_are_shipped_are_plain_text(name: str) -> None:
    told = page(a_policy(name))
    assert told.isascii()
    assert not [line for line in told.split("\n") if line != line.rstrip()]
