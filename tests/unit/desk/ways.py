"""Strategies for leads, small policies and changes, for the tests of `missing`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from hypothesis import strategies as st

from desk.lead.changes import Attribute, Change, Engagements
from schemas.envelope import Envelope, Fact
from schemas.scoring import Scoring
from scorer.rules import Criteria, Tally, add, score
from scorer.rules.order import text_of
from tests.builders import a_description, a_fact, a_policy, an_engagement, an_opt_in, at
from tests.unit.scorer.driver import CLASSIC

LAST = 12
"""Minutes after NOON of the latest fact."""
SOME = [
    a_description(company_size=9),
    a_description(company_size=100),
    a_description(company_size=600, industry="Technology"),
    a_description(industry="technology"),
    a_description(industry="Financial Services"),
    a_description(industry="mining"),
    an_engagement("content_downloaded", "pricing"),
    an_engagement("content_downloaded", "case_study"),
    an_engagement("webinar_attended"),
    *[an_engagement("page_viewed", "pricing")] * 4,
    *[an_engagement("email_opened")] * 3,
    an_engagement("email_opened", machine=True),
    an_engagement("demo_requested"),
    an_opt_in(),
]
OTHERS = [
    *(a_description(company_size=size, industry=industry) for size in (None, 1, 5) for industry in (None, "a", "x")),
    *(an_engagement(kind, content) for kind in ("seen", "done") for content in (None, "x", "y", "z")),
]


def criteria_of(rules: Sequence[dict[str, Any]], *floors: tuple[str, float]) -> Criteria:
    """A policy of these rules, with a band for each floor above `low`."""
    bands = [{"name": f"band-{place}", "least": {"op": op, "n": n}} for place, (op, n) in enumerate(floors)]
    low = {"name": "low", "least": {"op": ">=", "n": -10_000}}
    scoring = Scoring.model_validate({"rules": rules, "bands": [low, *bands]})
    return Criteria.of(a_policy().model_copy(update={"scoring": scoring}))


def a_rule(points: float = 10, count: int = 1, **fields: Any) -> dict[str, Any]:
    """A rule on engagements of the kind `seen`, unless said."""
    asked = {} if "attribute" in fields else {"engagement": {"kind": "seen"}, "count": {"op": ">=", "n": count}}
    return {"id": "r", "group": "fit", "points": points, **asked, **fields}


def facts(pool: Sequence[Envelope], most: int) -> st.SearchStrategy[list[Fact]]:
    """Facts of one lead, some at the same instant."""
    one = st.tuples(st.sampled_from(pool), st.integers(0, LAST))
    return st.lists(one, max_size=most).map(
        lambda drawn: [
            a_fact(event.model_copy(update={"id": f"{number}", "time": at(minute)}))
            for number, (event, minute) in enumerate(drawn)
        ]
    )


def conditions(contents: Sequence[str | None], kinds: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    """What a rule asks for."""
    sizes = st.sampled_from([(1, 1), (1, 5), (4, 9), (5, 5), (8, 99)])
    size = sizes.map(lambda pair: {"attribute": {"name": "company_size", "between": list(pair)}})
    codes = st.sampled_from([["a"], ["b"], ["a", "c"]])
    industry = codes.map(lambda codes: {"attribute": {"name": "industry", "is": codes}})
    engagement = st.tuples(st.sampled_from(kinds), st.sampled_from(contents), st.integers(1, 3)).map(
        lambda drawn: {"engagement": {"kind": drawn[0], "content": drawn[1]}, "count": drawn[2]}
    )
    return st.one_of(size, industry, engagement, engagement)


@st.composite
def policies(
    draw: st.DrawFn, contents: Sequence[str | None] = (None, "x", "y"), kinds: Sequence[str] = ("seen", "done")
) -> Criteria:
    """Small policies with all that the language of rules has: points taken, exclusive rules, overlapping ones."""
    points, word = st.sampled_from([5, 10, 10, 20, 2.5, -10]), st.sampled_from([None, None, "one", "two"])
    drawn = draw(st.lists(st.tuples(points, word, conditions(contents, kinds)), min_size=1, max_size=6))
    made = [a_rule(worth, id=f"r{n}", exclusive=word, **asked) for n, (worth, word, asked) in enumerate(drawn)]
    floors = sorted(draw(st.sets(st.sampled_from([2.5, 7.5, 10, 20, 30]), min_size=1, max_size=2)))
    return criteria_of(made, *((draw(st.sampled_from([">", ">="])), floor) for floor in floors))


@st.composite
def leads(draw: st.DrawFn) -> tuple[Criteria, list[Fact]]:
    """A lead under the shipped policy or under another."""
    if draw(st.booleans()):
        return CLASSIC, draw(facts(SOME, 14))
    return draw(policies()), draw(facts(OTHERS, 8))


def values(change: Attribute) -> Iterator[int | str]:
    """Values that the change allows, at every edge."""
    yield from (edge for pair in change.between for edge in pair)
    yield from change.one_of
    if change.none_of:
        yield next(code for code in ("mining", "never heard of") if code not in change.none_of)


def made(changes: Sequence[Change]) -> Iterator[list[Envelope]]:
    """The changes as events, with every choice that they leave."""
    choices: list[list[list[Envelope]]] = []
    for n, change in enumerate(changes):
        if isinstance(change, Engagements):
            id_ = f"change-{n}"
            again = [an_engagement(change.kind, change.content, id=f"{id_}-{i}") for i in range(change.more)]
            choices.append([[*again]])
        else:
            choices.append([[a_description(**{change.attribute: v}, id=f"change-{n}")] for v in values(change)])
    for choice in product(*choices):
        yield [event.model_copy(update={"time": at(LAST + 1)}) for events in choice for event in events]


def lesser(changes: tuple[Change, ...]) -> Iterator[tuple[Change, ...]]:
    """The changes without one of them, and with one engagement fewer."""
    for place, change in enumerate(changes):
        yield (*changes[:place], *changes[place + 1 :])
        if isinstance(change, Engagements) and change.more > 1:
            yield (*changes[:place], replace(change, more=change.more - 1), *changes[place + 1 :])


def with_more(tally: Tally, events: Sequence[Envelope], criteria: Criteria) -> Tally:
    """What is known with these events too."""
    for event in events:
        tally = add(tally, a_fact(event), criteria)
    return tally


def after(tally: Tally, events: Sequence[Envelope], criteria: Criteria) -> float:
    """The score with these events too."""
    return score(with_more(tally, events, criteria).basis, criteria, text_of(at(LAST + 1))).points
