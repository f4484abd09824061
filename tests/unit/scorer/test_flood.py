"""The flood limit: engagements of a kind in a day, whatever kinds a sender invents."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from desk.lead.explanation import explain, tell
from schemas.engagements import Erasure, LeadErased, LeadLinked, LeadSuppressed, Link, Suppression
from schemas.envelope import Envelope, UnknownEvent
from scorer.rules import flood
from tests.builders import LEAD, NOON, a_description, a_fact, an_engagement, an_opt_in, at
from tests.unit.scorer.driver import CLASSIC, Play

DAY = timedelta(days=1)


def _sort(event: Envelope) -> tuple[Hashable, ...] | None:
    return flood.sort_of(a_fact(event), CLASSIC.kinds)


@given(st.lists(st.tuples(st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), st.integers(0, 4)), max_size=40))
def test_invented_kinds_find_no_more_room_than_one_of_them(drawn: list[tuple[str, int]]) -> None:
    events = [an_engagement(kind, time=NOON + day * DAY) for kind, day in drawn]
    sorts = {_sort(event) for event in events if event.data.kind not in CLASSIC.kinds}
    assert len(sorts) == len({event.time for event in events if event.data.kind not in CLASSIC.kinds})


def test_kinds_that_the_policy_names_are_counted_apart() -> None:
    named = {_sort(an_engagement(kind)) for kind in CLASSIC.kinds}
    assert len(named) == len(CLASSIC.kinds) > 5
    assert _sort(an_engagement("never_heard_of")) not in named
    assert {"demo_requested", "page_viewed"} <= CLASSIC.kinds


def test_machines_and_public_keys_use_up_nobody_s_room() -> None:
    said: list[dict[str, Any]] = [{}, {"machine": True}, {"sentby": "public"}, {"sentby": "public", "machine": True}]
    assert len({_sort(an_engagement("webinar_attended", **how)) for how in said}) == 4
    assert _sort(an_engagement("webinar_attended", sentby="server")) == _sort(an_engagement("webinar_attended"))
    assert _sort(an_opt_in(sentby="public")) != _sort(an_opt_in())


def test_a_day_is_one_of_utc() -> None:
    midnight = NOON.replace(hour=0) + DAY
    before, after = (an_engagement("page_viewed", time=midnight + n * timedelta(microseconds=1)) for n in (-1, 0))
    assert _sort(before) != _sort(after)
    assert _sort(after) == _sort(an_engagement("page_viewed", "home", time=midnight + timedelta(hours=23)))


def test_every_sort_of_fact_has_its_own_room_and_only_an_erasure_is_never_dropped() -> None:
    envelope: dict[str, Any] = {"source": "tests", "subject": LEAD, "time": NOON}
    link = LeadLinked(id="l", data=Link(alias=LEAD, lead=LEAD), **envelope)
    suppressed = LeadSuppressed(id="s", data=Suppression(), **envelope)
    unknown = [UnknownEvent(id=f"u{n}", type=f"baton.invented_{n}.v1", **envelope) for n in range(3)]
    facts = [a_description(company_size=9), an_opt_in(), link, suppressed, *unknown, an_engagement("never_heard_of")]
    sorts = [_sort(event) for event in facts]
    assert None not in sorts
    assert len(set(sorts)) == len(sorts) - 2, "types are free strings too"
    assert _sort(LeadErased(id="e", data=Erasure(), **envelope)) is None


def test_explain_says_how_many_were_dropped() -> None:
    play = Play()
    play.play([an_engagement("webinar_attended")])
    view = replace(explain(LEAD, play.facts, CLASSIC, at(10_000), play.state), dropped={"flood": 3})
    assert "3 events were dropped as flood: of one sort, 500 a day are kept" in tell(view)
    assert Counter(tell(explain(LEAD, play.facts, CLASSIC, at(10_000), play.state)))["dropped"] == 0
