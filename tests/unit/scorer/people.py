"""All leads of a scorer, joined by the topic `engagements` as the chassis joins them, in an order that a test picks."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chassis.partition.pending import ALWAYS
from chassis.service import At, Drop, Erase, Forward, Keep, Move, Recall
from schemas.engagements import LeadLinked, Link
from schemas.envelope import Envelope, Fact, forwarded
from schemas.identity import Identifiers, derived_id, neighbours
from schemas.links import within
from schemas.scores import LeadScored
from scorer.app import Scorer
from scorer.rules import State
from tests.builders import at
from tests.unit.scorer.driver import LATER, a_scorer

SLICE = 3
"""Facts that one tick moves."""


def links_of(names: Identifiers, time: float, source: str = "web") -> list[LeadLinked]:
    """The links of an event with these names, as ingest makes them."""
    (strongest, lead), *weaker = names.lead_ids().items()
    return [a_link(alias, lead, kind, strongest, time=time, source=source) for kind, alias in weaker]


def a_link(  # noqa: PLR0913 - a link's fields
    alias: str, lead: str, alias_by: Any, lead_by: Any, *, time: float = 0, source: str = "web"
) -> LeadLinked:
    """The alias is the lead, from `time` minutes after NOON on."""
    return LeadLinked(
        id=derived_id("link", alias, lead),
        source=source,
        subject=alias,
        time=at(time),
        finaltime=True,
        data=Link(alias=alias, lead=lead, alias_by=alias_by, lead_by=lead_by),
    )


@dataclass
class One:
    """What the scorer keeps of one lead."""

    state: State
    facts: dict[tuple[str, str], Fact] = field(default_factory=dict)
    due: bool = False
    erased: bool = False
    waiting: deque[bytes] = field(default_factory=deque)


class People:
    """`pick(n)` chooses among n leads that have something to do; what is for one lead stays in order."""

    def __init__(self, pick: Callable[[int], int] = lambda _: 0, scorer: Scorer | None = None) -> None:
        self.scorer = scorer or a_scorer()
        self.pick = pick
        self.leads: dict[str, One] = {}
        self.published: list[Envelope] = []
        self.totals: Counter[str] = Counter()

    def one(self, lead_id: str) -> One:
        if lead_id not in self.leads:
            self.leads[lead_id] = One(self.scorer.new(lead_id))
        return self.leads[lead_id]

    def send(self, *events: Envelope) -> None:
        """Puts the events on the topic."""
        for event in events:
            self.one(event.subject).waiting.append(event.encode())

    def step(self) -> bool:
        """One record or tick of one lead; False where there is nothing to do."""
        busy = [lead_id for lead_id, one in self.leads.items() if one.waiting or one.due]
        if not busy:
            return False
        lead_id = busy[self.pick(len(busy))]
        one = self.leads[lead_id]
        if one.waiting and not (one.due and self.pick(2)):
            self._take(lead_id, one)
        else:
            self._tick(one)
        return True

    def settle(self, *events: Envelope) -> "People":
        """Sends the events, and does all there is to do."""
        self.send(*events)
        while self.step():
            pass
        return self

    def killed(self) -> None:
        """Forgets what is in memory only."""
        for lead_id, one in self.leads.items():
            if one.facts:
                one.state = self.scorer.load(lead_id, self.scorer.dump(one.state))

    def scores(self, lead_id: str) -> list[LeadScored]:
        return [event for event in self.published if isinstance(event, LeadScored) and event.subject == lead_id]

    def _take(self, lead_id: str, one: One) -> None:
        value = one.waiting.popleft()
        fact = self.scorer.inputs["engagements"].fact(lead_id.encode(), value, self._appended())
        known = one.facts.get(fact.key)
        if known is not None or any((fact.event.source, other) in one.facts for other in neighbours(fact)):
            assert known is None or known.fingerprint == fact.fingerprint, "id conflict"
            self.totals["duplicates"] += 1
            return
        now = At(LATER, LATER)
        decision: Any = (self.scorer.after_erasure if one.erased else self.scorer.decide)(one.state, fact, now)
        if isinstance(decision, Recall):
            decision = self.scorer.recall(one.state, list(one.facts.values()), [fact], now)
        if isinstance(decision, Erase):
            spans, one.erased = decision.spans or ALWAYS, not decision.spans
            for key in [key for key, fact in one.facts.items() if within(spans, fact.time)]:
                del one.facts[key]
        if isinstance(decision, Drop):
            self.totals[f"dropped:{decision.reason}"] += 1
        else:
            one.facts[fact.key] = fact
        if isinstance(decision, Forward):
            self.totals["forwarded"] += 1
            self._copy([(fact, decision.to)])
        self._follow(one, decision)

    def _appended(self) -> datetime:
        """The append time of the next record, another one for each."""
        self.totals["records"] += 1
        return LATER + timedelta(milliseconds=self.totals["records"])

    def _tick(self, one: One) -> None:
        now = At(LATER, LATER)
        decision: Any = self.scorer.tick(one.state, now)
        if isinstance(decision, Recall):
            decision = self.scorer.recall(one.state, list(one.facts.values()), [], now)
        if isinstance(decision, Move):
            after = sorted(key for key in one.facts if key > decision.after)
            facts = [one.facts[key] for key in after[:SLICE]]
            decision = self.scorer.move(one.state, facts, now, last=len(facts) < SLICE)
        self._follow(one, decision)

    def _follow(self, one: One, decision: Any) -> None:
        one.state = decision.state
        if isinstance(decision, Keep):
            self.totals["moved"] += len(decision.copies)
            self._copy(decision.copies)
        one.due = False if one.erased else one.due
        if isinstance(decision, Keep):
            one.due = decision.due is not None and decision.due <= LATER
        if isinstance(decision, Forward):
            return
        self.totals.update(decision.counts)
        for event in decision.events:
            if event.topic == "engagements":
                self.send(event)
            else:
                self.published.append(event)

    def _copy(self, copies: Sequence[tuple[Fact, str]]) -> None:
        for fact, to in copies:
            for _ in range(1 + (self.pick(5) == 1)):  # a killed owner publishes once more
                self.one(to).waiting.append(forwarded(fact, to))
