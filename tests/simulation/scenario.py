"""The scenario of a simulation: inputs and faults with their times, all derived from the seed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, partial
from random import Random
from typing import Any

from schemas.envelope import Envelope
from schemas.identity import Identifiers, lead_id_of, partition_of
from schemas.sales import (
    FeedbackSubmitted,
    SalesAccepted,
    SalesActivity,
    SalesContacted,
    SalesDisqualified,
    SalesQualified,
)
from tests.builders import NOON, a_description, a_sales_activity, an_engagement

PARTS = 2
INPUT_SECONDS = 16.0
SERVICES = ("scorer", "router", "sla-monitor")
PROCESSES = tuple(f"{service}/{number}" for service in SERVICES for number in range(2))
REQUESTS = (
    "claim",
    "leftovers",
    "leads",
    "fingerprints",
    "shared",
    "commit",
    "commit",
    "publish",
    "publish",
    "bounds",
    "offsets",
)
KINDS = (
    *(
        "kill",
        "kill",
        "freeze",
        "freeze",
        "slow",
        "expel",
        "stop",
        "outage",
        "clock",
        "refuse",
        "lose",
        "stale",
        "skip",
        "disk",
        "disk",
        "transaction",
        "transaction",
        "transaction",
    ),
)
SECONDS = {"freeze": 40, "slow": 20, "outage": 15, "clock": 90, "disk": 8, "transaction": 60}
"""How long a fault lasts at the most, or how far the database's clock jumps."""
ENGAGEMENTS: tuple[dict[str, Any], ...] = (
    {"kind": "webinar_attended"},
    {"kind": "content_downloaded", "content": "pricing"},
    {"kind": "content_downloaded", "content": "case_study"},
    {"kind": "page_viewed", "content": "pricing"},
    {"kind": "demo_requested"},
    {"kind": "email_opened"},
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record that comes in from outside at `at`; without a topic's record, the mark of a foreign transaction."""

    at: float
    topic: str
    part: int
    key: bytes = b""
    value: bytes = b""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong from `at` on; `steps` of the process later for a kill or a freeze."""

    at: float
    kind: str
    process: str = ""
    request: str = ""
    steps: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run; `arrivals` and `faults` may be thinned out, the chances taken stay the seed's."""

    seed: int
    arrivals: tuple[Arrival, ...]
    faults: tuple[Fault, ...]
    batch_records: int
    cache_leads: int
    rule_seconds: float = 0
    """How long each decision computes."""
    family: str = "plain"
    """What judges it: see `hunt.FAMILIES`."""
    moved: int = 500
    """Most facts that one commit moves."""


def scenario_of(seed: int) -> Scenario:
    """The scenario of the seed."""
    chance = Random(f"scenario {seed}")
    bursts = [chance.uniform(1, INPUT_SECONDS - 2) for _ in range(3)]
    leads = chance.sample(_people(), chance.randint(2, 4))
    arrivals = [arrival for lead in leads for arrival in _life(lead, bursts, chance)]
    arrivals += [again(one, chance) for one in arrivals if chance.random() < 0.25]
    arrivals += [spoilt(one, chance) for one in arrivals if chance.random() < 0.04]
    faults = tuple(trouble(chance, bursts) for _ in range(chance.randint(2, 9)))
    return Scenario(
        seed,
        tuple(sorted(arrivals, key=lambda one: one.at)),
        tuple(sorted(faults, key=lambda one: one.at)),
        chance.choice((2, 5, 500)),
        chance.choice((1, 100)),
        chance.choice((0, 0, 0.02, 0.3)),
    )


@cache
def _people() -> list[tuple[str, str]]:
    return [(email, lead_id_of(email=email)) for email in (f"person-{number}@example.com" for number in range(8))]


def _life(person: tuple[str, str], bursts: list[float], chance: Random) -> list[Arrival]:
    email, lead = person
    start = chance.choice(bursts)
    known = {"identifiers": Identifiers(email=email), "company_size": chance.choice((50, 900))}
    told: list[tuple[float, float, Callable[..., Envelope]]] = [(start, 0, partial(a_description, **known))]
    for fields in chance.choices(ENGAGEMENTS, k=chance.randint(2, 6)):
        told.append((start + chance.random(), chance.choice((0, 0, 5, 3600)), partial(an_engagement, **fields)))
    for _ in range(chance.randint(0, 2)):
        told.append((start + chance.uniform(0, 20), chance.uniform(0, 16), _activity(SalesContacted)))
    others: tuple[tuple[type[SalesActivity], dict[str, str]], ...] = (
        (SalesAccepted, {}),
        (SalesQualified, {}),
        (SalesDisqualified, {"reason": chance.choice(("no_budget", "competitor"))}),
        (FeedbackSubmitted, {"outcome": "accepted"}),
    )
    for event, fields in others:
        if chance.random() < 0.3:
            told.append((start + chance.uniform(0, 20), chance.uniform(0, 5), _activity(event, **fields)))
    return [_arrival(lead, f"{number}", *one) for number, one in enumerate(told)]


def _activity(event: type[SalesActivity], **fields: Any) -> Callable[..., Envelope]:
    return partial(a_sales_activity, event, source="crm", **fields)


def _arrival(lead: str, id_: str, at: float, late: float, build: Callable[..., Envelope]) -> Arrival:
    event = build(id=id_, subject=lead, time=NOON + timedelta(seconds=at - late))
    key = lead.encode()
    return Arrival(at, event.topic, partition_of(key, PARTS), key, event.encode(), f"{event.type} {id_} of {lead[:8]}")


def again(one: Arrival, chance: Random) -> Arrival:
    """A repeat of the arrival."""
    return replace(one, at=one.at + chance.choice((0.0, chance.uniform(0, 15))))


def spoilt(one: Arrival, chance: Random) -> Arrival:
    """A record like it that no service can read, or a mark in its place."""
    one = replace(one, at=one.at + chance.random(), about=f"bad: {one.about}")
    match chance.randrange(5):
        case 0:
            return replace(one, value=b"{")
        case 1:
            return replace(one, key=b"other")
        case 2:
            return replace(one, part=PARTS - 1 - one.part)
        case 3:
            return replace(one, value=one.value.replace(b"2026-", b"2027-"))
        case _:
            return Arrival(one.at, one.topic, one.part, about="mark")


def trouble(chance: Random, bursts: list[float]) -> Fault:
    """A fault at about the time of a burst."""
    at = max(0.0, chance.choice(bursts) + chance.uniform(-1, 8))
    fault = Fault(at, chance.choice(KINDS), chance.choice(PROCESSES))
    match fault.kind:
        case "kill" | "freeze":
            steps, request = chance.choice(((chance.randint(1, 80), ""), (0, chance.choice(REQUESTS))))
            fault = replace(fault, steps=steps, request=request)
        case "refuse" | "lose" | "slow":
            fault = replace(fault, request=chance.choice(REQUESTS))
        case "outage":
            fault = replace(fault, process="", request=chance.choice(("store", "log")))
        case "disk":
            fault = replace(fault, process=chance.choice(PROCESSES[2:]), request="timer")  # the scorer has none here
        case "transaction":  # of a platform's producer that hangs
            topic, part = (
                chance.choice(("lead-handoffs", "sales-activities", "sales-activities")),
                chance.randrange(PARTS),
            )
            fault = replace(fault, process="", request=f"{topic}/{part}")
        case "stale":
            fault = replace(fault, request="known")
        case "skip":
            fault = replace(fault, request="fetch")
    return replace(fault, seconds=chance.uniform(1, SECONDS[fault.kind])) if fault.kind in SECONDS else fault
