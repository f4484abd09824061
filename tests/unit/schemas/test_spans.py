"""The times of a lead among those of its alias are the times that `lead_at` gives it."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas.links import Links, Spans, common, linked, within
from tests.builders import at

minutes = st.integers(0, 12).map(at)
leads = st.sampled_from("abc")


@st.composite
def all_links(draw: st.DrawFn) -> Links:
    links = linked(None, draw(leads), draw(minutes))
    for lead, time in draw(st.lists(st.tuples(leads, minutes), max_size=5)):
        links = linked(links, lead, time)
    return links


@given(all_links(), st.sets(leads), minutes)
def test_a_time_is_in_a_leads_spans_if_it_is_the_leads(links: Links, of: set[str], time: datetime) -> None:
    assert within(links.spans_of(of), time) == (links.lead_at(time) in of)


@given(all_links(), all_links(), minutes)
def test_the_common_spans_are_in_both(one: Links, other: Links, time: datetime) -> None:
    both: list[Spans] = [links.spans_of({"a"}) for links in (one, other)]
    assert within(common(*both), time) == all(within(spans, time) for spans in both)
