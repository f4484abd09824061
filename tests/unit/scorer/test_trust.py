"""What anybody may say with the key of a page: it fills gaps, overrules nobody, and opts nobody in."""

import itertools

import pytest

from schemas.envelope import Envelope
from scorer.rules import fold
from tests.builders import a_description, a_fact, an_opt_in, at
from tests.unit.scorer.driver import CLASSIC, Play, verdict_on

CRM = a_description(id="crm", time=at(1), sentby="server", company_size=9, phone="1")
PAGE = a_description(id="page", time=at(2), sentby="public", company_size=100, phone="2", title="CEO")
LATER = a_description(id="later", time=at(3), sentby="public", company_size=120, phone="3", title="CFO")


def known(play: Play) -> dict[str, object]:
    contact = play.state.tally.background.contact
    return {name: contact[name].value for name in ("company_size", "phone", "title")}


@pytest.mark.parametrize("order", [*itertools.permutations([CRM, PAGE, LATER])])
def test_a_public_word_overrules_no_server_s_whichever_came_first(order: tuple[Envelope, ...]) -> None:
    play = Play()
    for event in order:
        play.play([event])
        play.state = play.scorer.load(play.state.lead_id, play.scorer.dump(play.state))
    assert known(play) == {"company_size": 9, "phone": "1", "title": "CFO"}
    assert play.state.tally == fold(map(a_fact, order), CLASSIC)
    assert verdict_on(*order, now=at(9)).milli == 0


def test_among_public_words_the_latest_counts_until_a_server_speaks() -> None:
    assert verdict_on(PAGE, LATER, now=at(9)).milli == 30_000
    spoken = a_description(id="crm", time=at(4), company_size=600)
    assert verdict_on(PAGE, LATER, spoken, now=at(9)).milli == 20_000


def test_a_public_key_opts_nobody_in() -> None:
    assert "double_opt_in" not in verdict_on(an_opt_in(sentby="public"), now=at(9)).facts
    confirmed = an_opt_in(id="again", time=at(5), sentby="server")
    assert verdict_on(an_opt_in(sentby="public"), confirmed, now=at(9)).facts["double_opt_in"] == at(5)
