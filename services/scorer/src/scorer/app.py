"""The composition root of the scorer: its rules as a Service of the chassis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from chassis.policy import Policies, load_policies
from chassis.service import At, Decision, Drop, Erase, Forward, Keep, Limit, Move, Recall
from schemas.engagements import LeadErased, LeadLinked, LeadMerged, LeadSuppressed, LeadUnmerged
from schemas.envelope import Decoder, Envelope, Fact
from schemas.erasure import ERASED
from schemas.links import Spans
from schemas.policy import Policy
from schemas.topics import TOPICS
from scorer import stored
from scorer.rules import Criteria, Late, Outdated, Result, State, age, decide, erasure, flood, linking, recall
from scorer.rules.tally import NOTHING_KNOWN
from scorer.settings import Settings


class Scorer:
    """Implements chassis.service.Service; makes no decisions of its own."""

    name = "scorer"
    own: Collection[str] = ()
    forwards = "engagements"
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
        return State(lead_id, fresh=True)

    def load(self, lead_id: str, state: str) -> State:
        return stored.read(lead_id, state)

    def dump(self, state: State) -> str:
        return stored.write(state)

    def decide(self, state: State, fact: Fact, at: At) -> Decision[State]:
        kind, names = type(fact.event), state.names
        if kind is LeadErased:
            return _erased(erasure.erase(state, fact))
        if names.unread or kind in (LeadMerged, LeadUnmerged):
            return Recall()
        if kind is LeadLinked:
            return self._linked(state, fact, at)
        if names.links is not None:
            return _of_alias(state, fact, at)
        counts = kind is LeadSuppressed and not names.hides(fact)
        passed = erasure.passed_downstream([fact]) if counts else ()
        return self._scored(state, fact, at, passed)

    def _linked(self, state: State, fact: Fact, at: At) -> Decision[State]:
        if fact.event.data.alias in state.names.masked:
            return Recall()
        told = linking.named(state, fact)
        if told.names.links is not None:
            return _alias(state, told, at, empty=state.fresh and state.tally == NOTHING_KNOWN)
        named = state if told.names is state.names else replace(state, names=told.names)
        decision = self._scored(named, fact, at, ())
        return decision._replace(counts={**decision.counts, **told.counts}) if isinstance(decision, Keep) else decision

    def _scored(self, state: State, fact: Fact, at: At, passed: Sequence[Envelope]) -> Keep[State] | Recall:
        try:
            result = decide(state, fact, self.criteria(at.now), at.now)
        except Late as late:
            return Recall(late=not isinstance(late, Outdated))
        if state.fresh and (result.state is not state or state.tally == NOTHING_KNOWN):  # the fact is stored
            result = result._replace(state=replace(result.state, fresh=False))
        return _kept(result, passed=passed)

    def after_erasure(self, state: State, fact: Fact, at: At) -> Drop[State]:  # noqa: ARG002 - the time is the fact's
        """The alias that the fact came by is erased as far as it is the lead, unless it is the lead's no longer."""
        if state.names.hides(fact) or isinstance(fact.event, LeadUnmerged):
            return Drop(state, ERASED)
        return Drop(state, ERASED, _erased_at(fact))

    def tick(self, state: State, at: At) -> Keep[State] | Recall | Move:
        names = state.names
        if names.links is not None:
            return Keep(state) if names.after is None else Move(names.after)
        try:
            return Recall() if names.unread else _kept(age(state, self.criteria(at.now), at.now))
        except Late:
            return Recall()

    def move(self, state: State, facts: Sequence[Fact], at: At, *, last: bool) -> Keep[State]:
        state, copies = linking.moved(state, facts, last=last)
        return Keep(state, due=_due(state, at), copies=copies)

    def stored(self, value: bytes, time: datetime, fingerprint: bytes, received: datetime) -> Fact:
        return self.inputs["engagements"].stored(value, time, fingerprint, received)

    def recall(self, state: State, earlier: Sequence[Fact], new: Sequence[Fact], at: At) -> Keep[State]:
        told = linking.named_anew(state, earlier, new, at.now)
        if told.names.links is not None:
            return _alias(state, told, at)
        unmerged = any(isinstance(fact.event, LeadUnmerged) for fact in new)  # even if it is merged again at once
        if unmerged or told.names.masked != state.names.masked:
            state = linking.untold(state)  # the router waits for the score without, or with, the other
        if told.names != state.names or state.fresh:
            state = replace(state, names=told.names, fresh=False)
        results = recall(state, earlier, new, self.criteria(at.now), at.now)
        mine = [fact for fact in new if not state.names.hides(fact)]
        kept = _kept(*results, passed=erasure.passed_downstream(mine))
        # names first: downstream a score before an unmerge would be an alias's, and one before a merge another lead's
        events = (*told.events, *kept.events)
        return kept._replace(events=events, copies=told.copies, counts={**kept.counts, **told.counts})


def build(settings: Settings) -> Scorer:
    """The service under the policy that the settings name. Raises chassis.policy.PolicyError."""
    return Scorer(load_policies(settings.policies, Policy))


def _erased(told: erasure.Erased) -> Decision[State]:
    if told.whole or told.spans:
        return Erase(told.state, told.events, spans=told.spans)
    return Drop(told.state, ERASED)


def _erased_at(fact: Fact, spans: Spans | None = None) -> Sequence[Envelope]:
    """The erasure for the alias that the fact came by: nothing of it may stay there."""
    return () if fact.event.via is None else (erasure.erasure(fact.event.via, fact, spans),)


def _of_alias(state: State, fact: Fact, at: At) -> Decision[State]:
    """The decision for what comes of an alias: it is its lead's, who may be erased."""
    names = state.names
    if names.links is not None and names.is_gone(fact):
        return Drop(state, ERASED, _erased_at(fact, names.links.spans_of(names.gone)))
    if names.is_passing(fact):
        return Keep(state, due=at.now)
    copy, to = names.copy(fact)
    return Forward(state, to) if copy is fact else Keep(state, due=_due(state, at), copies=[(copy, to)])


def _alias(state: State, told: linking.Named, at: At, *, empty: bool = False) -> Keep[State]:
    """The decision for a lead that is another one; what it has done is moved there, unless it is `empty`."""
    names = replace(told.names, after=None) if empty else told.names
    state = state if names is state.names else linking.as_alias(state, names)
    return Keep(state, told.events, _due(state, at), told.counts, copies=told.copies)


def _due(state: State, at: At) -> datetime | None:
    return None if state.names.after is None else at.now


def _kept(*results: Result, passed: Sequence[Envelope] = ()) -> Keep[State]:
    """The decision for successive results, with the events `passed` on."""
    last = results[-1]
    scores = [result.scored for result in results if result.scored is not None]
    if not scores:
        return Keep(last.state, passed, last.due)
    counts = Counter(f"scores:{scored.data.band}" for scored in scores)
    return Keep(last.state, (*scores, *passed), last.due, counts)
