"""Plays facts and ticks to sla-monitor as its worker would, and keeps what it publishes."""

from collections import Counter
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from chassis.policy import Policies, load_policies
from chassis.service import At, Decision, Erase, Forward, Keep, Recall
from schemas.envelope import Envelope
from schemas.handoffs import LeadHandedOff, LeadQualified
from schemas.policy import Policy
from schemas.sales import SalesActivity, SalesContacted
from sla_monitor.app import SlaMonitor
from sla_monitor.rules.clock import WatchedLead
from tests.builders import LEAD, a_fact, a_handoff, a_sales_activity, at

POLICIES = Path(__file__).parents[3] / "deploy" / "policies"
PATIENCE = timedelta(seconds=60)


@cache
def shipped(policy: str) -> Policies[Policy]:
    """A policy as it is shipped."""
    return load_policies(POLICIES / policy, Policy)


def a_monitor(policy: str = "classic-50") -> SlaMonitor:
    """sla-monitor under a policy that is shipped."""
    return SlaMonitor(shipped(policy), PATIENCE)


class Play:
    """One lead's way through sla-monitor. The state goes through its text after each step, as in a restart."""

    def __init__(self, policy: str = "classic-50") -> None:
        self.monitor = a_monitor(policy)
        self.lead: WatchedLead = self.monitor.new(LEAD)
        self.events: list[Any] = []
        self.counts: Counter[str] = Counter()
        self.due: datetime | None = None

    def hear(self, event: Envelope, now: datetime | None = None, received: datetime | None = None) -> list[str]:
        """One new fact, at its own time unless said; answers with what was published, in words.

        A handoff was published when it was decided, unless said (`received`).
        """
        now = now or event.time
        if received is None and isinstance(event, LeadHandedOff):
            received = event.data.handed_off_at
        return self._follow(self.monitor.decide(self.lead, a_fact(event, received), At(now, now)))

    def tick(self, now: datetime, known: datetime | None = None) -> list[str]:
        """Time alone, the feed known up to now unless said; answers with what was published, in words."""
        return self._follow(self.monitor.tick(self.lead, At(now, known or now)))

    def standing(self) -> dict[tuple[int, str], str]:
        """(episode, clock) -> verdict so far."""
        return {(clock.episode, clock.clock): clock.standing for clock in self.lead.clocks}

    def about(self, clock: str) -> list[Any]:
        """Every event of this clock so far."""
        return [event for event in self.events if event.data.clock == clock]

    def _follow(self, decision: Decision[WatchedLead]) -> list[str]:
        assert not isinstance(decision, Recall | Forward)
        text = self.monitor.dump(decision.state)
        self.lead = self.monitor.load(LEAD, text)
        assert self.lead == decision.state
        assert self.monitor.dump(self.lead) == text
        match decision:
            case Keep():
                self.due = decision.due
            case Erase():
                self.due = None
        self.events += decision.events
        self.counts.update(decision.counts)
        return [in_words(event) for event in decision.events]


def in_words(event: Any) -> str:
    """`CK-S1 met`: the clock, and what the event says of it."""
    return f"{event.data.clock} {event.type.split('.')[2]}"


def is_start(event: Envelope) -> bool:
    return isinstance(event, LeadQualified | LeadHandedOff)


def handed_off(intent: str = "high") -> Play:
    """Ada is handed to Grace at NOON."""
    play = Play()
    play.hear(a_handoff(intent=intent))
    return play


def contacted(minutes: float, **fields: Any) -> SalesActivity:
    """Somebody tried to reach Ada so many minutes after NOON."""
    return a_sales_activity(SalesContacted, **{"time": at(minutes), "id": f"contact-{minutes}", **fields})
