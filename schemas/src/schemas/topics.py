"""The wiring table: which topic carries what, from whom to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from schemas.engagements import (
    EngagementRecorded,
    LeadDescribed,
    LeadErased,
    LeadLinked,
    LeadMerged,
    LeadOptedIn,
    LeadSuppressed,
    LeadUnmerged,
)
from schemas.envelope import Envelope
from schemas.handoffs import LeadHandedOff, LeadQualified, LeadStageChanged, StageRejected
from schemas.merging import LeadAbsorbed
from schemas.sales import SALES_ACTIVITIES
from schemas.scores import LeadIdentityConflict, LeadScored
from schemas.sizes import MAX_RECORD, REJECTED, dead_letter_topic, record_limit
from schemas.sla import (
    ClockCancelled,
    ClockMet,
    ClockStarted,
    ClockUnknown,
    ClockWarned,
    SlaBreached,
    SlaBreachRetracted,
)

SERVICES = ("ingest", "scorer", "router", "sla-monitor")
"""Baton's own producers and consumers; all others are the company's."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: all person topics have one partition count, and the lead's id for a key."""

    name: str
    events: tuple[type[Envelope], ...]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    config: Mapping[str, str] = field(
        default_factory=lambda: {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(MAX_RECORD)}
    )
    """A record's time stamp is the broker's append time: no decision may depend on a producer's clock."""


_SET_ASIDE = {"max.message.bytes": str(record_limit(REJECTED))}


def _own(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name in SERVICES)


PASSED_ON = (LeadErased, LeadSuppressed, LeadLinked, LeadMerged, LeadUnmerged)
"""Events of `engagements` that each service passes on after its own, so that they arrive in order."""
_CARRYING = (
    Topic(
        "engagements",
        (EngagementRecorded, LeadDescribed, LeadOptedIn, *PASSED_ON),
        ("ingest", "marketing platforms", "operators", "scorer"),
        ("scorer",),
    ),
    Topic(
        "sales-activities", (*SALES_ACTIVITIES, LeadAbsorbed), ("ingest", "CRM", "router"), ("router", "sla-monitor")
    ),
    Topic("lead-scores", (LeadScored, LeadIdentityConflict, *PASSED_ON), ("scorer",), ("router",)),
    Topic(
        "lead-handoffs",
        (LeadQualified, LeadHandedOff, LeadStageChanged, StageRejected, *PASSED_ON),
        ("router",),
        ("sla-monitor", "CRM"),
    ),
    Topic(
        "sla-clocks",
        (ClockStarted, ClockWarned, ClockMet, ClockUnknown, ClockCancelled),
        ("sla-monitor",),
        ("sales", "marketing"),
    ),
    Topic("sla-breaches", (SlaBreached, SlaBreachRetracted), ("sla-monitor",), ("on-call", "sales")),
)
_ASIDE = (
    Topic(REJECTED, (), SERVICES, ("operators",), _SET_ASIDE),
    *(
        Topic(dead_letter_topic(topic.name), (), _own(topic.consumers), ("operators",), _SET_ASIDE)
        for topic in _CARRYING
        if _own(topic.consumers)
    ),
)

TOPICS: Mapping[str, Topic] = MappingProxyType({topic.name: topic for topic in (*_CARRYING, *_ASIDE)})
"""Every topic by name."""
