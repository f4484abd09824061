"""The composition root of the scorer: its rules as a Service of the chassis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import datetime

from chassis.policy import Policies, load_policies
from chassis.service import At, Decision, Drop, Erase, Keep, Limit, Recall
from schemas.engagements import LeadErased, LeadSuppressed
from schemas.envelope import Decoder, Envelope, Fact
from schemas.erasure import ERASED
from schemas.policy import Policy
from schemas.topics import TOPICS
from scorer import stored
from scorer.rules import Criteria, Late, Outdated, Result, State, age, decide, erasure, flood, recall
from scorer.settings import Settings


class Scorer:
    """Implements chassis.service.Service; makes no decisions of its own."""

    name = "scorer"
    own: Collection[str] = ()
    shared: Sequence[str] = ()

    def __init__(self, policies: Policies[Policy]) -> None:
        self.policies = policies
        self._criteria: dict[int, Criteria] = {}
        self._kinds: tuple[int, frozenset[str]] = (0, frozenset())
        self.limit: Limit | None = Limit(flood.DAILY, flood.RECALLED, self._sort)
        self.inputs: Mapping[str, Decoder] = {"engagements": Decoder(*TOPICS["engagements"].events)}

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands in all versions of the policy: the values of the label `band`."""
        return tuple(sorted({band.name for policy in self.policies.versions for band in policy.scoring.bands}))

    def policy(self, instant: datetime) -> Policy:
        """The version in force at `instant`. Raises chassis.policy.PolicyError where there is none."""
        return self.policies.at(instant)

    def criteria(self, instant: datetime) -> Criteria:
        """The criteria at `instant`. Raises chassis.policy.PolicyError where no version is in force."""
        return self._criteria_of(self.policy(instant))

    def _criteria_of(self, policy: Policy) -> Criteria:
        if policy.version not in self._criteria:
            self._criteria[policy.version] = Criteria.of(policy)
        return self._criteria[policy.version]

    def _sort(self, fact: Fact) -> Hashable | None:
        versions = self.policies.versions
        if self._kinds[0] != len(versions):
            kinds = frozenset(kind for policy in versions for kind in self._criteria_of(policy).kinds)
            self._kinds = (len(versions), kinds)
        return flood.sort_of(fact, self._kinds[1])

    def new(self, lead_id: str) -> State:
        return State(lead_id)

    def load(self, lead_id: str, state: str) -> State:
        return stored.read(lead_id, state)

    def dump(self, state: State) -> str:
        return stored.write(state)

    def decide(self, state: State, fact: Fact, at: At) -> Decision[State]:
        kind = type(fact.event)
        if kind is LeadErased:
            return Erase(erasure.erased(state), erasure.passed_downstream([fact]))
        passed = erasure.passed_downstream([fact]) if kind is LeadSuppressed else ()
        try:
            return _kept(decide(state, fact, self.criteria(at.now), at.now), passed=passed)
        except Late as late:
            return Recall(late=not isinstance(late, Outdated))

    def after_erasure(self, state: State, fact: Fact, at: At) -> Drop[State]:  # noqa: ARG002 - nothing follows
        return Drop(state, ERASED)

    def tick(self, state: State, at: At) -> Keep[State] | Recall:
        try:
            return _kept(age(state, self.criteria(at.now), at.now))
        except Late:
            return Recall()

    def stored(self, value: bytes, time: datetime, fingerprint: bytes, received: datetime) -> Fact:
        return self.inputs["engagements"].stored(value, time, fingerprint, received)

    def recall(self, state: State, earlier: Sequence[Fact], new: Sequence[Fact], at: At) -> Keep[State]:
        passed = erasure.passed_downstream(new)
        return _kept(*recall(state, earlier, new, self.criteria(at.now), at.now), passed=passed)


def build(settings: Settings) -> Scorer:
    """The service under the policy that the settings name. Raises chassis.policy.PolicyError."""
    return Scorer(load_policies(settings.policies, Policy))


def _kept(*results: Result, passed: Sequence[Envelope] = ()) -> Keep[State]:
    """The decision for successive results, with the events `passed` on."""
    last = results[-1]
    scores = [result.scored for result in results if result.scored is not None]
    if not scores:
        return Keep(last.state, passed, last.due)
    counts = Counter(f"scores:{scored.data.band}" for scored in scores)
    return Keep(last.state, (*scores, *passed), last.due, counts)
