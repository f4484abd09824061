"""The composition root of sla-monitor: its rules as a Service of the chassis."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from chassis.policy import Policies, load_policies
from chassis.process.failures import OlderPolicy
from chassis.service import At, Decision, Drop, Erase, Keep, Limit
from schemas.engagements import LeadErased, LeadMerged, LeadSuppressed, LeadUnmerged
from schemas.envelope import Decoder, Fact
from schemas.erasure import ERASED
from schemas.handoffs import LeadHandedOff, LeadQualified
from schemas.policy import Policy
from schemas.sales import DAILY, RECALLED, SalesActivity, sort_of
from schemas.topics import TOPICS
from sla_monitor.rules import (
    NotYet,
    Result,
    TickTime,
    erase,
    expire,
    merge,
    start,
    stop,
    stop_erased,
    suppress,
    unchanged,
    unmerge,
)
from sla_monitor.rules.clock import WatchedLead
from sla_monitor.settings import Settings

INPUTS = ("lead-handoffs", "sales-activities")


class SlaMonitor:
    """Implements chassis.service.Service; makes no decisions of its own."""

    name = "sla-monitor"
    own: Collection[str] = ("lead-handoffs",)
    shared: Sequence[str] = ()
    limit: Limit | None = Limit(DAILY, RECALLED, sort_of)
    forwards = "sales-activities"

    def __init__(self, policies: Policies[Policy], feed_patience: timedelta) -> None:
        self.policies = policies
        self._patience = feed_patience
        self._leads = TypeAdapter(WatchedLead)
        self._facts = Decoder(*dict.fromkeys(event for topic in INPUTS for event in TOPICS[topic].events))
        self.inputs: Mapping[str, Decoder] = {topic: Decoder(*TOPICS[topic].events) for topic in INPUTS}

    @property
    def clocks(self) -> tuple[str, ...]:
        """Names of the clocks in all versions of the policy: the values of the label `clock`."""
        return tuple(sorted({rule.id for policy in self.policies.versions for rule in policy.clocks}))

    def new(self, lead_id: str) -> WatchedLead:
        return WatchedLead(lead_id)

    def load(self, lead_id: str, state: str) -> WatchedLead:  # noqa: ARG002 - the state says it too
        return self._leads.validate_json(state)

    def dump(self, state: WatchedLead) -> str:
        return self._leads.dump_json(state).decode()

    def decide(  # noqa: PLR0911 - one for each kind of event
        self, state: WatchedLead, fact: Fact, at: At
    ) -> Decision[WatchedLead]:
        match fact.event:
            case LeadQualified() | LeadHandedOff() as event:
                try:
                    return _kept(start(state, event, fact.received, self.policies, at.now))
                except NotYet as missing:
                    raise OlderPolicy(str(missing)) from missing
            case LeadErased() as event if event.data.spans:  # an alias, which nobody owes anything
                return Erase(state, spans=event.data.spans)
            case LeadErased():
                result = erase(state, fact, at.now)
                return Erase(result.lead, result.events, result.counts)
            case LeadSuppressed():
                return _kept(suppress(state, fact, at.now))
            case LeadMerged():
                return _kept(merge(state, fact, at.now))
            case LeadUnmerged():
                return _kept(unmerge(state, fact, at.now))
            case SalesActivity() as event:
                return _kept(stop(state, event, fact.time, at.now))
            case _:
                return _kept(unchanged(state))

    def stored(self, value: bytes, time: datetime, fingerprint: bytes, received: datetime) -> Fact:
        return self._facts.stored(value, time, fingerprint, received)

    def after_erasure(self, state: WatchedLead, fact: Fact, at: At) -> Drop[WatchedLead]:
        result = stop_erased(state, fact.event, fact.time, at.now)
        return Drop(result.lead, ERASED, result.events, result.counts)

    def recall(self, state: WatchedLead, earlier: Sequence[Fact], new: Sequence[Fact], at: At) -> Keep[WatchedLead]:
        raise NotImplementedError("no decision asks for it")

    def tick(self, state: WatchedLead, at: At) -> Keep[WatchedLead]:
        return _kept(expire(state, TickTime(at.now, at.known, self._patience)))

    def move(self, state: WatchedLead, facts: Sequence[Fact], at: At, *, last: bool) -> Keep[WatchedLead]:
        raise NotImplementedError("no tick asks for it: the router's copies of an alias's activities come here too")


def build(settings: Settings) -> SlaMonitor:
    """The service under the policy that the settings name. Raises chassis.policy.PolicyError."""
    return SlaMonitor(load_policies(settings.policies, Policy), settings.feed_patience)


def _kept(result: Result) -> Keep[WatchedLead]:
    return Keep(result.lead, result.events, result.due, result.counts, inputs_until=result.inputs_until)
