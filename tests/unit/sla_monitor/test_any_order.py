"""The verdict of each clock is the same whatever the order of arrival and wherever the ticks fall (B.5, N1, N2)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import Envelope
from schemas.handoffs import LeadQualified
from schemas.policy import ClockRule
from schemas.sales import (
    FeedbackSubmitted,
    OpportunityCreated,
    SalesAccepted,
    SalesActivity,
    SalesContacted,
    SalesDisqualified,
    SalesQualified,
)
from tests.builders import a_handoff, a_qualification, a_sales_activity, at
from tests.unit.sla_monitor.driver import Play, is_start, shipped

US, MIN, HOUR, DAY = timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
OFFSETS = [-DAY, -5 * MIN - US, -5 * MIN, -MIN, 0 * DAY, 30 * MIN, HOUR - US, HOUR, HOUR + US, 2 * HOUR]
OFFSETS += [DAY - US, DAY, DAY + US, 5 * DAY, 5 * DAY + US, 10 * DAY, 10 * DAY + US]
STOPS: dict[str, tuple[type[SalesActivity], ...]] = {
    "contacted": (SalesContacted,),
    "decided": (SalesQualified, OpportunityCreated, SalesDisqualified),
    "feedback": (SalesQualified, OpportunityCreated, SalesDisqualified, FeedbackSubmitted),
}


Life = list[tuple[Envelope, datetime]]
"""A lead's facts, each with when it was published."""


class Oracle:
    """Judges a lead whose facts all arrive in order and at once; written from the requirements alone."""

    def __init__(self, rules: Sequence[ClockRule]) -> None:
        self.rules = rules
        self.verdicts: dict[tuple[int, str], str] = {}
        self.open: dict[tuple[int, str], tuple[Any, datetime]] = {}
        self.seen: list[tuple[datetime, Any]] = []
        self.current: int | None = None
        self.published: dict[int, datetime] = {}

    def judge(self, life: Life) -> dict[tuple[int, str], str]:
        facts, self.published = [fact for fact, _ in life], {id(fact): published for fact, published in life}
        for fact in sorted(facts, key=lambda fact: (instant(fact), not is_start(fact), fact.source, fact.id)):
            now = instant(fact)
            for key in [key for key, (_, due) in self.open.items() if due < now]:
                self.end(key, "breached")
            self.stop(fact)
            self.seen.append((now, fact))
            if is_start(fact):
                self.start(fact, now)
        for key in list(self.open):
            self.end(key, "breached")
        return self.verdicts

    def start(self, fact: Any, now: datetime) -> None:
        begins = "handed_off" if hasattr(fact.data, "owner") else "qualified"
        self.current = fact.data.episode if begins == "handed_off" else self.current
        for rule in self.rules:
            key = (fact.data.episode, rule.id)
            if rule.start != begins or rule.intent not in (None, fact.data.intent.level):
                continue
            if key in self.verdicts or key in self.open:
                continue
            self.open[key] = (rule, self.published[id(fact)] + rule.target)
            for time, earlier in self.seen:
                named = earlier.data.episode
                since = min(fact.data.qualified_at, now) - 5 * MIN
                if key in self.open and (named == key[0] or (named is None and since <= time)):
                    self.apply(key, earlier)

    def stop(self, fact: Any) -> None:
        episode = fact.data.episode if fact.data.episode is not None else self.current
        for key in [key for key in self.open if key[0] == episode]:
            self.apply(key, fact)

    def apply(self, key: tuple[int, str], fact: Any) -> None:
        stop = self.open[key][0].stop
        if stop == "handed_off":
            if hasattr(fact.data, "owner"):
                self.end(key, "met")
        elif isinstance(fact, STOPS[stop]) and getattr(fact.data, "human", True):
            self.end(key, "met")
        elif stop == "contacted" and getattr(fact.data, "reason", None) == "duplicate":
            self.end(key, "cancelled")

    def end(self, key: tuple[int, str], verdict: str) -> None:
        self.verdicts[key] = verdict
        del self.open[key]


def instant(fact: Envelope) -> datetime:
    return max(fact.data.qualified_at, fact.data.known_at) if isinstance(fact, LeadQualified) else fact.time


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """A lead's facts: up to three episodes, close to each other or not, and activities around their deadlines.

    Handoffs are published when they are decided, or later.
    """
    facts: list[Envelope] = []
    later: dict[str, timedelta] = {}
    handoffs, time = [], at(0)
    for episode in range(1, draw(st.integers(1, 3)) + 1):
        time += draw(st.sampled_from([2 * MIN, 20 * HOUR, 3 * DAY, 40 * DAY]))
        intent = draw(st.sampled_from(["high", "low"]))
        began = time - draw(st.sampled_from([-MIN, 0 * MIN, HOUR, DAY, DAY + US]))
        facts.append(a_qualification(episode=episode, qualified_at=began, known_at=began, intent=intent))
        handoffs.append(time)
        handoff = {"episode": episode, "time": time, "intent": intent, "qualified_at": began}
        facts += [a_handoff(**handoff)]
        later[facts[-1].id] = draw(st.sampled_from([0 * MIN, 0 * MIN, MIN, 2 * HOUR, 2 * DAY]))
        if draw(st.booleans()):
            facts.append(a_handoff(**handoff, id=f"again-{episode}"))
            later[facts[-1].id] = later[facts[-2].id]
    activities: list[tuple[type[SalesActivity], dict[str, Any]]] = [
        (SalesContacted, {}),
        (SalesContacted, {"human": False}),
        (SalesAccepted, {}),
        (SalesQualified, {}),
        (OpportunityCreated, {"value": 1000, "close_date": date(2026, 6, 1)}),
        (SalesDisqualified, {"reason": "duplicate"}),
        (SalesDisqualified, {"reason": "no_budget"}),
        (FeedbackSubmitted, {"outcome": "accepted"}),
    ]
    for n in range(draw(st.integers(0, 6))):
        event, fields = draw(st.sampled_from(activities))
        named = draw(st.sampled_from([None, None, *range(1, len(handoffs) + 1)]))
        when = draw(st.sampled_from(handoffs)) + draw(st.sampled_from(OFFSETS))
        facts.append(a_sales_activity(event, id=f"activity-{n}", time=when, episode=named, **fields))
    return [(fact, instant(fact) + later.get(fact.id, 0 * MIN)) for fact in facts]


@given(life=lives(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_order_of_arrival_with_ticks_anywhere_ends_in_the_same_verdicts(life: Life, data: st.DataObject) -> None:
    play = Play()
    now = known = at(-2 * 24 * 60)
    steps = st.sampled_from([0 * DAY, MIN, HOUR, DAY, 6 * DAY])
    for fact, published in data.draw(st.permutations(life)):
        now = max(now, published) + data.draw(steps)
        play.hear(fact, now=now, received=published)
        for _ in range(data.draw(st.integers(0, 2))):
            now += data.draw(steps)
            known = max(known, now - data.draw(st.sampled_from([0 * DAY, MIN, DAY])))
            play.tick(now, known)
    play.tick(now + 60 * DAY)
    assert play.due is None
    assert play.standing() == Oracle(shipped("classic-50").versions[-1].clocks).judge(life)
    consistent(play)


def consistent(play: Play) -> None:
    """Versions rise without a gap, at most one breach stands at any time, totals and verdicts agree with the events."""
    by_clock: dict[str, list[Any]] = defaultdict(list)
    for event in play.events:
        by_clock[event.data.clock_id].append(event)
    assert len({event.id for event in play.events}) == len(play.events)
    breaches = retractions = 0
    for events in by_clock.values():
        assert [event.data.version for event in events] == list(range(1, len(events) + 1))
        kinds = [event.type.split(".")[2] for event in events if event.topic == "sla-breaches"]
        assert kinds == ["breached", "breach_retracted"] * (len(kinds) // 2) + ["breached"] * (len(kinds) % 2)
        key = (events[0].data.episode, events[0].data.clock)
        assert (len(kinds) % 2 == 1) == (play.standing()[key] == "breached")
        breaches += kinds.count("breached")
        retractions += kinds.count("breach_retracted")
    assert sum(n for name, n in play.counts.items() if name.startswith("breaches:")) == breaches
    assert sum(n for name, n in play.counts.items() if name.startswith("retractions:")) == retractions
