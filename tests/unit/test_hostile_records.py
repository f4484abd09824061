"""Every hostile record that a decoder accepts is decided by each service's rules, and can be stored."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chassis.partition.pending import ALWAYS
from chassis.policy import load_policies
from chassis.service import At, Decision, Drop, Erase, Forward, Keep, Recall
from router.app import Router
from schemas.envelope import Decoder, Fact, Refused, UnknownEvent
from schemas.links import within
from schemas.policy import Policy
from schemas.topics import TOPICS
from scorer.app import Scorer
from sla_monitor.app import SlaMonitor
from tests.builders import LEAD
from tests.hostile import Hostile, examples, records

POLICIES = Path(__file__).parents[2] / "deploy" / "policies"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LATER = (timedelta(minutes=10), timedelta(days=40), timedelta(days=800), timedelta(days=365 * 60))


@cache
def the_service(name: str, policy: str) -> Any:
    policies = load_policies(POLICIES / policy, Policy)
    if name == "sla-monitor":
        return SlaMonitor(policies, timedelta(minutes=10))
    return Scorer(policies) if name == "scorer" else Router(policies)


class Lead:
    """One lead of a service, driven as the chassis drives it, from memory."""

    def __init__(self, of: Any) -> None:
        self.service = of
        self.state = of.new(LEAD)
        self.facts: dict[tuple[str, str], Fact] = {}
        self.shared: dict[str, Any] = {}
        self.erased = False

    def hear(self, record: Hostile, now: datetime) -> None:
        try:
            fact = self.service.inputs[record.topic].fact(record.key, record.value, now)
        except Refused:
            return
        again = self.service.stored(fact.value, fact.time, fact.fingerprint, fact.received)
        assert (type(again.event), again.key, again.order) == (type(fact.event), fact.key, fact.order)
        assert fact.time.utcoffset() == timedelta()
        if fact.key in self.facts:
            return
        decide = self.service.after_erasure if self.erased else self.service.decide
        decision = decide(self.state, fact, self.at(now))
        if isinstance(decision, Recall):
            decision = self.service.recall(self.state, list(self.facts.values()), [fact], self.at(now))
        if isinstance(decision, Erase):
            spans, self.erased = decision.spans or ALWAYS, not decision.spans
            self.facts = {key: fact for key, fact in self.facts.items() if not within(spans, fact.time)}
        if not isinstance(decision, Drop):
            self.facts[fact.key] = fact
        self.take(decision)

    def tick(self, now: datetime) -> None:
        if self.erased:
            return
        decision = self.service.tick(self.state, self.at(now))
        if isinstance(decision, Recall):
            decision = self.service.recall(self.state, list(self.facts.values()), [], self.at(now))
        self.take(decision)

    def at(self, now: datetime) -> At:
        return At(now, now, self.shared)

    def take(self, decision: Decision[Any]) -> None:
        """What is stored and published can be: Postgres and the next service can read it."""
        assert not isinstance(decision, Recall | Forward)
        if isinstance(decision, Keep):
            self.shared |= json.loads(json.dumps(dict(decision.shared)))
        text = self.service.dump(decision.state)
        assert "\\u0000" not in text.replace("\\\\", "")
        json.loads(text, parse_constant=pytest.fail)
        text.encode()
        self.state = self.service.load(LEAD, text)
        assert self.service.dump(self.state) == text
        due = decision.due if isinstance(decision, Keep) else None
        assert due is None or due.utcoffset() == timedelta()
        for event in decision.events:
            read = Decoder(*TOPICS[event.topic].events).event(event.encode())
            assert type(read) is not UnknownEvent
            assert isinstance(event, type(read))


@pytest.mark.parametrize("policy", ["balanced", "demo"])
@pytest.mark.parametrize("name", ["scorer", "router", "sla-monitor"])
@settings(
    deadline=None, max_examples=25, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck)
)
@given(data=st.data())
def test_no_decodable_record_breaks_a_rule(name: str, policy: str, data: st.DataObject) -> None:
    lead, now = Lead(the_service(name, policy)), NOW
    for _ in range(data.draw(st.integers(1, 8))):
        topic = data.draw(st.sampled_from(sorted(lead.service.inputs)))
        known = [key[1] for key in lead.facts]
        lead.hear(data.draw(records(topic, LEAD, NOW, known)), now)
        now += data.draw(st.timedeltas(timedelta(0), timedelta(days=2)))
    for wait in LATER:
        lead.tick(now + wait)
    if lead.facts and name == "scorer" and not lead.erased:
        lead.take(lead.service.recall(lead.state, list(lead.facts.values()), [], lead.at(now + LATER[-1])))


def test_a_handoff_of_another_policy_that_is_older_than_all_of_ours_starts_clocks() -> None:
    lead = Lead(the_service("sla-monitor", "balanced"))
    [event] = [each for each in examples("lead-handoffs") if each["type"] == "baton.lead.handed_off.v1"]
    data = {**event["data"], "known_at": "1970-01-01T00:00:00Z", "policy": {"name": "before-ours", "version": 1}}
    told = {**event, "subject": LEAD, "time": NOW.isoformat(), "data": data}
    lead.hear(Hostile("lead-handoffs", LEAD.encode(), json.dumps(told).encode()), NOW)
    assert lead.state.clocks
