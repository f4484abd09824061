"""The composition root of the router: its rules as a Service of the chassis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pydantic import TypeAdapter

from chassis.policy import Policies, load_policies
from chassis.service import REPLACED, At, Decision, Drop, Erase, Forward, Keep, Limit, Move, Recall
from router.rules.alias import erase_in_part, gone, move, passing, told_again
from router.rules.answer import answer
from router.rules.handoff import Context
from router.rules.lead import Lead
from router.rules.merging import heard, names_itself
from router.rules.route import Result, rejoin, route, wake
from router.rules.suppression import erase
from router.settings import Settings
from schemas.engagements import LeadErased, LeadMerged, LeadUnmerged
from schemas.envelope import Decoder, Envelope, Fact
from schemas.erasure import ERASED
from schemas.handoffs import LeadHandedOff
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
    shared: Sequence[str] = (ROTATION,)
    limit: Limit | None = Limit(DAILY, RECALLED, sort_of)
    forwards = "sales-activities"

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
            spans = fact.event.data.spans or ()
            return Erase(*(erase_in_part if spans else erase)(state, fact), spans=spans)
        if isinstance(fact.event, LeadMerged | LeadUnmerged) and names_itself(fact):
            return Recall()
        if state.alias is not None and told_again(fact):
            if gone(state, fact):
                return Drop(state, ERASED)
            if passing(state, fact):
                return Keep(state, due=at.now)
            return Forward(heard(state, fact), state.alias.links.lead_at(fact.time))
        result = route(state, fact, self._context(at))
        return Drop(result.lead, REPLACED) if result.outdated else _kept(result)

    def stored(self, value: bytes, time: datetime, fingerprint: bytes, received: datetime) -> Fact:
        return self._facts.stored(value, time, fingerprint, received)

    def after_erasure(self, state: Lead, fact: Fact, at: At) -> Drop[Lead]:  # noqa: ARG002 - the time is the fact's
        """The survivor of a merge is answered, or it would wait for ever."""
        asked = isinstance(fact.event, LeadMerged) and names_itself(fact)
        return Drop(state, ERASED, (answer(fact),) if asked else ())

    def recall(self, state: Lead, earlier: Sequence[Fact], new: Sequence[Fact], at: At) -> Keep[Lead]:
        """For a merge or unmerge of the lead itself; others came with it."""
        facts, kept, context = [*earlier], Keep(state), self._context(at)
        for fact in new:
            if state.alias is not None and told_again(fact):
                if not passing(state, fact):
                    to, state = state.alias.links.lead_at(fact.time), heard(state, fact)
                    kept = kept._replace(state=state, copies=(*kept.copies, (fact, to)))
            else:
                own = isinstance(fact.event, LeadMerged | LeadUnmerged) and names_itself(fact)
                result = rejoin(state, fact, [*facts, *new], context) if own else route(state, fact, context)
                kept, state = _with(kept, _kept(result)), result.lead
                context = replace(context, turn=context.turn if result.turn is None else result.turn)
        return kept

    def tick(self, state: Lead, at: At) -> Keep[Lead] | Move:
        if state.alias is not None and state.alias.moved is not None:
            return Move(state.alias.moved)
        return _kept(wake(state, self._context(at)))

    def move(self, state: Lead, facts: Sequence[Fact], at: At, *, last: bool) -> Keep[Lead]:
        lead, copies = move(state, facts, last=last)
        return Keep(lead, due=at.now if lead.moving else None, copies=copies)

    def _context(self, at: At) -> Context:
        rotation = at.shared.get(ROTATION) or {"next": 0}
        return Context(at.now, self.policies, rotation["next"])


def inherited(event: Envelope) -> bool:
    """Whether the handoff is none of its own: it was taken over."""
    return isinstance(event, LeadHandedOff) and event.data.cause == "merged"


def build(settings: Settings) -> Router:
    """The service under the policy that the settings name. Raises chassis.policy.PolicyError."""
    return Router(load_policies(settings.policies, Policy))


def _with(kept: Keep[Lead], more: Keep[Lead]) -> Keep[Lead]:
    """Both, one after the other; no fact of `recall` replaces another one."""
    counts = Counter(kept.counts) + Counter(more.counts)
    shared = {**kept.shared, **more.shared}
    return more._replace(
        events=(*kept.events, *more.events), counts=counts, shared=shared, copies=kept.copies, replaces=()
    )


def _kept(result: Result) -> Keep[Lead]:
    counts = Counter(COUNTED[event.type] for event in result.events if event.type in COUNTED and not inherited(event))
    shared = {} if result.turn is None else {ROTATION: {"next": result.turn}}
    replaces = [] if result.replaces is None else [result.replaces]
    return Keep(result.lead, result.events, result.due, counts, shared, replaces)
