"""A state as the database keeps it: what pydantic wrote of it is read, and what is written now is read by pydantic."""

from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schemas.links import Links
from scorer import stored
from scorer.rules import State, Tally
from scorer.rules.background import Background
from scorer.rules.basis import Basis, Kept, Paid, Statement
from scorer.rules.decision import Published
from scorer.rules.memo import Memo, Watch
from scorer.rules.names import Names

LEAD = "6f9619ff-8b86-5d00-b42d-00c04fc964ff"
RARE: Any = {"memo": True, "basis": {"own_email", "public"}, "background": {"public"}}
"""Stored only where there is something."""
UNSTORED: Any = {"lead_id": True, "tally": RARE, "names": True, "fresh": True}
STATES = TypeAdapter(State)

STATED, NAMED = Statement("o", 1), Statement("o", "a")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.integers(-(2**53), 2**53)
statements = st.builds(Statement, texts, texts | numbers)


def maps(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(texts, values, max_size=3)


def tuples(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(values, max_size=3).map(tuple)


kept = st.builds(Kept, tuples(texts), texts)
paid = st.builds(Paid, tuples(st.tuples(texts, numbers)), numbers, numbers, texts, numbers, numbers)
maybe = st.none() | texts
stated = st.none() | statements
bases = st.builds(
    Basis, texts, texts, maybe, maps(kept), maps(paid), maps(statements), maps(texts), stated, maybe, maybe
)
backgrounds = st.builds(Background, tuples(texts), stated, stated, maps(statements))
published = st.builds(Published, numbers, texts, st.none() | numbers, maybe)
states = st.builds(State, st.just(LEAD), st.builds(Tally, bases, backgrounds), published)
links = st.builds(Links, texts, tuples(st.tuples(st.datetimes(timezones=st.just(UTC)), texts)))
keys = st.none() | st.tuples(texts, texts)
names = st.builds(Names, st.none() | links, st.booleans(), keys, tuples(texts), numbers, tuples(texts), st.booleans())


def older(state: State) -> str:
    """As the version before wrote it."""
    return STATES.dump_json(state, exclude=UNSTORED).decode()


@given(states)
def test_what_was_written_before_is_read_and_what_is_written_now_could_be_read_before(state: State) -> None:
    assert stored.read(LEAD, older(state)) == state
    assert stored.read(LEAD, stored.write(state)) == state
    assert replace(STATES.validate_json(stored.write(state)), lead_id=LEAD) == state
    assert STATES.validate_json(stored.write(state)).lead_id == "", "the row has it"


@given(states)
def test_the_same_state_is_the_same_text_as_before(state: State) -> None:
    assert stored.write(state) == older(state)


@given(states, names, texts, tuples(texts))
def test_what_few_leads_have_is_read_as_it_was_written(
    state: State, names: Names, own: str, public: tuple[str, ...]
) -> None:
    basis = replace(state.tally.basis, own_email=own or None, public=public)
    state = replace(state, names=names, tally=Tally(basis, replace(state.tally.background, public=public)))
    assert stored.read(LEAD, stored.write(state)) == state


@pytest.mark.parametrize(
    "text", ["{}", '{"unkept":{},"erased":null}', '{"tally":{"basis":{"at":""}},"published":{"version":0}}']
)
def test_what_an_older_version_did_not_write_has_its_default(text: str) -> None:
    state = stored.read(LEAD, text)
    assert (state.lead_id, state.tally) == (LEAD, Tally())


@pytest.mark.parametrize(
    ("basis", "read"),
    [
        ('"paid":{"r":{"shares":[["o",1]],"found":1}}', Basis(paid={"r": Paid((("o", 1),), 1)})),
        ('"paid":{"r":{}}', Basis(paid={"r": Paid()})),
        ('"kept":{"k":{"places":["o"]}}', Basis(kept={"k": Kept(("o",))})),
        ('"kept":{"k":{}}', Basis(kept={"k": Kept()})),
        ('"values":{"v":["o",1,"newer"]},"email":["o","a","newer"]', Basis(values={"v": STATED}, email=NAMED)),
    ],
)
def test_so_it_is_within_a_rule_a_key_and_a_statement(basis: str, read: Basis) -> None:
    assert stored.read(LEAD, f'{{"tally":{{"basis":{{{basis}}}}}}}').tally.basis == read


def test_a_memo_is_neither_written_nor_compared() -> None:
    basis = Basis(at="2026-11-01T00:00:00.000000\ta\tb", paid={"r": Paid()})
    plain, with_memo = State(LEAD, Tally(basis)), State(LEAD, Tally(basis, memo=Memo(watch=Watch(None))))
    assert stored.write(with_memo) == stored.write(plain)
    assert with_memo == plain
