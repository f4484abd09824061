"""The composition root of the scorer: its rules as the chassis wants them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from pydantic import TypeAdapter

from chassis.policy import Policies, load_policies
from chassis.service import At, Decision
from schemas.envelope import Decoder, Fact
from schemas.policy import Policy
from schemas.topics import TOPICS
from scorer.rules import Criteria, State, decide
from scorer.settings import Settings


class Scorer:
    """Implements chassis.service.Service: an adapter without decisions of its own."""

    name = "scorer"
    own: Collection[str] = ()
    shared: Sequence[str] = ()

    def __init__(self, policies: Policies[Policy]) -> None:
        self._policies = policies
        self._criteria = {policy.version: Criteria.of(policy) for policy in policies.versions}
        self._states = TypeAdapter(State)
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

    def new(self, lead_id: str) -> State:  # noqa: ARG002 - nothing is known of any of them
        return State()

    def load(self, lead_id: str, state: str) -> State:  # noqa: ARG002 - one lead's is like another's
        return self._states.validate_json(state)

    def dump(self, state: State) -> str:
        return self._states.dump_json(state).decode()

    def decide(self, state: State, fact: Fact, at: At) -> Decision[State]:
        after, scored = decide(state, fact, self.criteria(at.now), at.now)
        if scored is None:
            return Decision(after)
        return Decision(after, (scored,), counts={f"scores:{scored.data.band}": 1})

    def tick(self, state: State, at: At) -> Decision[State]:  # noqa: ARG002 - no score changes by time alone yet
        return Decision(state)


def build(settings: Settings) -> Scorer:
    """The service under the policy that the settings name. Raises chassis.policy.PolicyError."""
    return Scorer(load_policies(settings.policies, Policy))
