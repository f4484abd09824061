"""The composition root of the scorer: its rules as the chassis wants them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from chassis.policy import Policies, load_policies
from chassis.service import At, Decision
from schemas.envelope import Decoder, Fact
from schemas.policy import Policy
from schemas.topics import TOPICS
from scorer.rules import Criteria, Late, Outcome, State, age, decide, judge
from scorer.settings import Settings

_STATES = TypeAdapter(State)
UNSTORED: Any = {"lead_id": True, "tally": {"basis": {"settled"}}}
"""What a state has from elsewhere."""


class Scorer:
    """Implements chassis.service.Recalling: an adapter without decisions of its own."""

    name = "scorer"
    own: Collection[str] = ()
    shared: Sequence[str] = ()

    def __init__(self, policies: Policies[Policy]) -> None:
        self._policies = policies
        self._changes = [policy.effective_from for policy in policies.versions]
        self._last_change = self._changes[-1]
        self._criteria = {policy.version: Criteria.of(policy) for policy in policies.versions}
        self.inputs: Mapping[str, Decoder] = {"engagements": Decoder(*TOPICS["engagements"].events)}

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands in every version of the policy: the values that the label `band` can have."""
        return tuple(sorted({band.name for criteria in self._criteria.values() for band in criteria.bands}))

    def policy(self, instant: datetime) -> Policy:
        """The version in force at `instant`. Raises chassis.policy.PolicyError where there is none."""
        return self._policies.at(instant)

    def criteria(self, instant: datetime) -> Criteria:
        """What is judged by at `instant`. Raises chassis.policy.PolicyError where no version is in force."""
        return self._criteria[self.policy(instant).version]

    def new(self, lead_id: str) -> State:
        return State(lead_id)

    def load(self, lead_id: str, state: str) -> State:
        return replace(_STATES.validate_json(state), lead_id=lead_id)

    def dump(self, state: State) -> str:
        return _STATES.dump_json(state, exclude=UNSTORED).decode()

    def decide(self, state: State, fact: Fact, at: At) -> Decision[State]:
        try:
            return self._decision(decide(state, fact, self.criteria(at.now), at.now), at)
        except Late:
            return Decision(state, late=True)

    def tick(self, state: State, at: At) -> Decision[State]:
        try:
            return self._decision(age(state, self.criteria(at.now), at.now), at)
        except Late:
            return Decision(state, late=True)

    def stored(self, value: bytes, time: datetime, fingerprint: bytes) -> Fact:
        return self.inputs["engagements"].stored(value, time, fingerprint)

    def again(self, state: State, facts: Sequence[Fact], at: At, cause: Fact | None) -> Decision[State]:
        return self._decision(judge(state, facts, self.criteria(at.now), at.now, cause), at)

    def _decision(self, outcome: Outcome, at: At) -> Decision[State]:
        """Looked at again when time alone changes the score, or another version of the policy comes into force."""
        state, scored, due = outcome
        if at.now < self._last_change:
            change = next(date for date in self._changes if date > at.now)
            due = min(due or change, change)
        if scored is None:
            return Decision(state, due=due)
        return Decision(state, (scored,), due, {f"scores:{scored.data.band}": 1})


def build(settings: Settings) -> Scorer:
    """The service under the policy that the settings name. Raises chassis.policy.PolicyError."""
    return Scorer(load_policies(settings.policies, Policy))
