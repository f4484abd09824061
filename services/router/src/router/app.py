"""The composition root of the router: its rules as a Service of the chassis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from pydantic import TypeAdapter

from chassis.policy import Policies, load_policies
from chassis.service import REPLACED, At, Decision, Drop, Erase, Keep, Limit
from router.rules.handoff import Context
from router.rules.lead import Lead
from router.rules.route import Result, route, wake
from router.rules.suppression import erase
from router.settings import Settings
from schemas.engagements import LeadErased
from schemas.envelope import Decoder, Fact
from schemas.erasure import ERASED
from schemas.policy import Policy
from schemas.sales import DAILY, RECALLED, sort_of
from schemas.topics import TOPICS

ROTATION = "rotation"
"""The row that all partitions share: {"next": n}, the number of turns taken."""
INPUTS = ("lead-scores", "sales-activities")
COUNTED = {
    "baton.lead.qualified.v1": "qualified",
    "baton.lead.handed_off.v1": "handed_off",
    "baton.stage.rejected.v1": "stage_rejected",
}
"""Published event -> the total that it adds to."""


class Router:
    """Implements chassis.service.Service; makes no decisions of its own."""

    name = "router"
    own: Collection[str] = ("lead-scores",)
    forwards = "sales-activities"
    shared: Sequence[str] = (ROTATION,)
    limit: Limit | None = Limit(DAILY, RECALLED, sort_of)

    def __init__(self, policies: Policies[Policy]) -> None:
        self.policies = policies
        self._leads = TypeAdapter(Lead)
        self._facts = Decoder(*dict.fromkeys(event for topic in INPUTS for event in TOPICS[topic].events))
        self.inputs: Mapping[str, Decoder] = {topic: Decoder(*TOPICS[topic].events) for topic in INPUTS}

    def new(self, lead_id: str) -> Lead:
        return Lead(lead_id)

    def load(self, lead_id: str, state: str) -> Lead:  # noqa: ARG002 - the state says it too
        return self._leads.validate_json(state)

    def dump(self, state: Lead) -> str:
        return self._leads.dump_json(state).decode()

    def decide(self, state: Lead, fact: Fact, at: At) -> Decision[Lead]:
        if isinstance(fact.event, LeadErased):
            return Erase(*erase(state, fact))
        result = route(state, fact, self._context(at))
        return Drop(result.lead, REPLACED) if result.outdated else _kept(result)

    def stored(self, value: bytes, time: datetime, fingerprint: bytes, received: datetime) -> Fact:
        return self._facts.stored(value, time, fingerprint, received)

    def after_erasure(self, state: Lead, fact: Fact, at: At) -> Drop[Lead]:  # noqa: ARG002 - nothing follows
        return Drop(state, ERASED)

    def recall(self, state: Lead, earlier: Sequence[Fact], new: Sequence[Fact], at: At) -> Keep[Lead]:
        raise NotImplementedError("no decision asks for it")

    def move(self, state: Lead, facts: Sequence[Fact], at: At, *, last: bool) -> Keep[Lead]:
        raise NotImplementedError("no decision asks for it")

    def tick(self, state: Lead, at: At) -> Keep[Lead]:
        return _kept(wake(state, self._context(at)))

    def _context(self, at: At) -> Context:
        rotation = at.shared.get(ROTATION) or {"next": 0}
        return Context(at.now, self.policies, rotation["next"])


def build(settings: Settings) -> Router:
    """The service under the policy that the settings name. Raises chassis.policy.PolicyError."""
    return Router(load_policies(settings.policies, Policy))


def _kept(result: Result) -> Keep[Lead]:
    counts = Counter(COUNTED[event.type] for event in result.events if event.type in COUNTED)
    shared = {} if result.turn is None else {ROTATION: {"next": result.turn}}
    replaces = [] if result.replaces is None else [result.replaces]
    return Keep(result.lead, result.events, result.due, counts, shared, replaces)
