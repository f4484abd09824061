"""Plays events to the scorer as its worker would, and keeps what it publishes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chassis.policy import Policies
from chassis.service import At, Drop, Erase, Forward, Keep, Move, Recall
from schemas.engagements import EngagementRecorded
from schemas.envelope import Envelope, Fact
from schemas.policy import Policy
from schemas.scores import LeadScored
from scorer.app import Scorer
from scorer.rules import Criteria, State, Verdict, fold, score
from scorer.rules.order import text_of
from tests.builders import LEAD, a_fact, a_policy, an_engagement, at

LATER = at(minutes=10_000)
CLASSIC = Criteria.of(a_policy("classic-50"))
STRICT = Criteria.of(a_policy("strict-70"))


def a_scorer(policy: Policy | None = None) -> Scorer:
    return Scorer(Policies("policies", (policy or a_policy("classic-50"),)))  # type: ignore[arg-type]


def verdict_on(*events: Envelope, criteria: Criteria = CLASSIC, now: datetime = LATER) -> Verdict:
    return score(fold(map(a_fact, events), criteria).basis, criteria, text_of(now))


def several(number: int, kind: str, content: str | None = None, **fields: Any) -> list[EngagementRecorded]:
    """So many engagements, a minute apart."""
    return [an_engagement(kind, content, id=f"{kind}-{n}", time=at(n), **fields) for n in range(number)]


class Play:
    """One lead's scorer, from nothing."""

    def __init__(self, scorer: Scorer | None = None) -> None:
        self.scorer = scorer or a_scorer()
        self.state = self.scorer.new(LEAD)
        self.due: datetime | None = None
        self.facts: list[Fact] = []
        self.published: list[LeadScored] = []
        self.counts: list[dict[str, int]] = []

    def play(self, events: Sequence[Envelope], now: datetime = LATER) -> list[LeadScored]:
        """What the events, one by one, made it publish."""
        before = len(self.published)
        for event in events:
            fact, at = a_fact(event), At(now, now)
            decision = self.scorer.decide(self.state, fact, at)
            self._follow(
                self.scorer.recall(self.state, self.facts, [fact], at) if isinstance(decision, Recall) else decision
            )
            self.facts.append(fact)
        return self.published[before:]

    def tick(self, now: datetime) -> list[LeadScored]:
        """What time alone made it publish."""
        before = len(self.published)
        decision = self.scorer.tick(self.state, At(now, now))
        assert not isinstance(decision, Move)
        self._follow(
            self.scorer.recall(self.state, self.facts, [], At(now, now)) if isinstance(decision, Recall) else decision
        )
        return self.published[before:]

    def _follow(self, decision: Keep[State] | Drop[State] | Erase[State] | Forward[State]) -> None:
        assert not isinstance(decision, Forward)
        self.state = decision.state
        if isinstance(decision, Keep):
            self.due = decision.due
        self.published += [event for event in decision.events if isinstance(event, LeadScored)]
        self.counts.append(dict(decision.counts))
