"""A further episode takes news: something that the lead did, and never time alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.rules.lead import Lead
from router.rules.route import Result, route, wake
from schemas.envelope import Envelope
from schemas.handoffs import Handoff
from tests.builders import LEAD, NOON, a_description, a_fact, a_policy, an_engagement, an_opt_in, at
from tests.unit.router.journeys import a_context, a_step, handoffs
from tests.unit.scorer.driver import Play, a_scorer

DAY = 24 * 60
LONG_AFTER = at(200 * DAY)
BALANCED = a_policy("balanced")


class Relay:
    """Ada's scorer, and the router that hears of her scores, under `balanced`."""

    def __init__(self) -> None:
        self.play = Play(a_scorer(BALANCED))
        self.result = Result(Lead(LEAD))
        self.handoffs: list[Handoff] = []

    def engaged(self, *events: Envelope) -> None:
        """Each event at its own time."""
        for event in events:
            self.happened(event, event.time)

    def happened(self, event: Envelope, now: datetime) -> None:
        self._hear(*self.play.play([event], now=now), now=now)

    def sales(self, event: Envelope) -> None:
        self._follow(route(self.result.lead, a_fact(event), a_context(event.time, BALANCED)))

    def until(self, end: datetime, every: timedelta = timedelta(0)) -> None:
        """Time alone: every due of either service, or those of as long as `every` in one."""
        due = NOON
        while (due := max(due + every, min(filter(None, (self.play.due, self.result.due)), default=end))) < end:
            self._hear(*self.play.tick(due), now=due)
            self._follow(wake(self.result.lead, a_context(due, BALANCED)))

    def _hear(self, *scores: Envelope, now: datetime) -> None:
        for score in scores:
            self._follow(route(self.result.lead, a_fact(score), a_context(now, BALANCED)))

    def _follow(self, result: Result) -> None:
        self.result = result
        self.handoffs += handoffs(result)


def days(number: float) -> datetime:
    return at(number * DAY)


FIT = a_description(company_size=100, industry="technology", time=at(-3))
WEBINAR = an_engagement("webinar_attended", time=at(-1))
UNSUBSCRIBED = an_engagement("unsubscribed", time=days(2))


def a_recycled(*events: Envelope) -> Relay:
    """Ada, handed off at NOON, given back a day later."""
    relay = Relay()
    relay.engaged(FIT, an_opt_in(time=at(-2)), WEBINAR, *events)
    relay.sales(a_step("recycled", DAY))
    assert [handoff.episode for handoff in relay.handoffs] == [1]
    return relay


def test_who_unsubscribed_is_not_handed_off_again_as_the_points_taken_fade() -> None:
    relay = a_recycled()
    relay.engaged(UNSUBSCRIBED)
    assert relay.result.lead.score is not None
    assert relay.result.lead.score.band == "nurture"

    relay.until(LONG_AFTER)

    assert relay.result.lead.score.band == "pass"
    assert relay.result.lead.score.facts["band:pass"] > days(61)
    assert len(relay.handoffs) == 1


@pytest.mark.parametrize(
    "deed",
    [
        an_engagement("content_downloaded", "pricing", time=days(9)),
        an_engagement("webinar_attended", id="again", time=days(9)),
        an_engagement("demo_requested", time=days(9)),
    ],
)
def test_who_comes_back_is_handed_off_again_after_the_cool_off(deed: Envelope) -> None:
    relay = a_recycled()
    relay.engaged(deed)

    relay.until(LONG_AFTER)

    assert [handoff.handed_off_at for handoff in relay.handoffs[1:]] == [days(31)]


def test_a_confirmed_address_is_news() -> None:
    relay = Relay()
    relay.engaged(FIT, WEBINAR, an_engagement("demo_requested", time=at(0)))
    relay.sales(a_step("recycled", DAY))
    relay.engaged(an_opt_in(time=days(9)))

    relay.until(LONG_AFTER)

    assert [handoff.handed_off_at for handoff in relay.handoffs[1:]] == [days(31)]


def no_deed(number: int, what: int, day: int) -> Envelope:
    """Something that happens to a lead after its episode and is no news."""
    time = days(2 + day / 3)
    return (
        an_engagement("unsubscribed", id=f"u{number}", time=time),
        a_description(company_size=(100, 600)[day % 2], industry="technology", id=f"d{number}", time=time),
        an_engagement("email_opened", id=f"m{number}", machine=True, time=time),
        an_engagement("page_viewed", "home", id=f"p{number}", time=time),
        an_engagement("trade_show_visited", id=f"t{number}", time=time),
        an_engagement("content_downloaded", "case_study", id=f"c{number}", time=at(-60 * day - 5)),
    )[what]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 90)), max_size=6))
def test_time_alone_opens_no_further_episode(happened: Sequence[tuple[int, int]]) -> None:
    relay = a_recycled()
    heard = [(no_deed(number, *each), days(2 + each[1] / 3)) for number, each in enumerate(happened)]
    for event, now in sorted(heard, key=lambda pair: pair[1]):
        relay.until(now, every=timedelta(days=7))
        relay.happened(event, now)

    relay.until(LONG_AFTER, every=timedelta(days=7))

    assert len(relay.handoffs) == 1


def test_news_is_as_old_as_what_the_lead_did() -> None:
    play = Play(a_scorer(BALANCED))
    play.play([FIT], now=NOON)
    assert play.published[-1].data.engaged_at is None
    play.play([WEBINAR], now=NOON)
    play.tick(days(100))
    play.play([UNSUBSCRIBED, an_engagement("email_opened", time=days(3))], now=days(100))
    assert play.published[-1].data.engaged_at == at(-1)
    play.play([an_engagement("webinar_attended", id="again", time=days(50))], now=days(100))
    assert play.published[-1].data.engaged_at == days(50)


def test_news_of_another_day_is_published_where_the_points_stay_the_same() -> None:
    play = Play(a_scorer(a_policy("classic-50")))
    visits = [an_engagement("page_viewed", "pricing", id=f"v{day}", time=days(day)) for day in range(6)]
    assert [score.data.engaged_at for score in play.play(visits, now=days(7))] == [days(3)]
    late = an_engagement("page_viewed", "pricing", id="late", time=days(0.5))
    assert [score.data.engaged_at for score in play.play([late], now=days(7))] == [days(2)]
