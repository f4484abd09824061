"""People with two addresses that are merged, unmerged and merged again, judged by the oracle of the chaos suite.

That oracle shares no code with the services, and the simulation finds orders of arrival that take a real relay days.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from schemas.engagements import LeadMerged, LeadUnmerged, Merge
from schemas.envelope import Envelope
from schemas.identity import Identifiers, lead_id_of
from schemas.sales import SalesContacted, SalesQualified
from tests.builders import a_description, an_engagement
from tests.chaos import verdict as chaos
from tests.chaos.evidence import OUTPUTS, Evidence, stored, take
from tests.chaos.model import Oracle
from tests.chaos.raw import is_barrier
from tests.simulation.scenario import (
    ENGAGEMENTS,
    Arrival,
    Scenario,
    _activity,
    _arrival,
    again,
    scenario_of,
)
from tests.simulation.world import QUICK, World


def merging_of(seed: int) -> Scenario:
    """The seed's scenario with one or two people who have two addresses each, and the seed's faults."""
    whole, chance = scenario_of(seed), Random(f"merging {seed}")
    arrivals = [arrival for number in range(chance.randint(1, 2)) for arrival in _life(number, chance)]
    arrivals += [again(one, chance) for one in arrivals if chance.random() < 0.2]
    faults = tuple(fault for fault in whole.faults if fault.kind != "clock")  # the oracle knows one clock only
    return replace(whole, arrivals=tuple(sorted(arrivals, key=lambda one: one.at)), faults=faults)


def _life(number: int, chance: Random) -> Iterator[Arrival]:
    emails = [f"{which}-{number}@example.com" for which in ("old", "new")]
    old, new = leads = [lead_id_of(email=email) for email in emails]
    size = chance.choice((5, 50, 900))
    told: list[tuple[str, float, float, Callable[..., Envelope]]] = []
    for email, lead in zip(emails, leads, strict=True):
        known: dict[str, Any] = {"identifiers": Identifiers(email=email)}
        told.append((lead, chance.uniform(0, 8), 0, partial(a_description, company_size=size, **known)))
        for fields in chance.choices(ENGAGEMENTS, k=chance.randint(0, 4)):
            did = partial(an_engagement, **known, **fields)
            told.append((lead, chance.uniform(0, 14), chance.choice((0, 5, 600)), did))
        for _ in range(chance.randint(0, 2)):
            follow_up = _activity(chance.choice((SalesContacted, SalesContacted, SalesQualified)))
            told.append((lead, chance.uniform(4, 40), chance.uniform(0, 16), follow_up))
    for index in range(chance.randint(1, 5)):
        kind: Any = LeadUnmerged if index % 2 and chance.random() < 0.9 else LeadMerged
        at = 3 + 4 * index + chance.choice((chance.uniform(0, 4), chance.uniform(0, 20)))
        late = chance.choice((0, chance.uniform(0, 2), chance.uniform(0, 20), 3600))
        told.append((old, at, late, partial(_merge, kind, Merge(alias=old, lead=new))))
    for index, (lead, at, late, build) in enumerate(told):
        yield _arrival(lead, f"{number}-{index}", at, late, build)


def _merge(kind: Any, data: Merge, **about: Any) -> Envelope:
    event: Envelope = kind(data=data, source="crm", **about)
    return event


def judge(world: World) -> list[str]:
    """What the oracle of the chaos suite finds wrong."""
    return [f"{one.text}: {one.examples}" for one in chaos.judge(evidence_of(world)).violations]


def evidence_of(world: World) -> Evidence:
    """What the oracle of the chaos suite is told."""
    found = Evidence(Oracle(QUICK / "1.yaml"), world.now(), world.now())
    for record in world.log.topic("engagements"):
        found.oracle.engagement(record)
    for record in world.log.topic("sales-activities"):
        if not is_barrier(record):
            found.oracle.activity(record)
    for topic in OUTPUTS:
        for record in world.log.topic(topic):
            if not is_barrier(record):
                take(topic, record, found)
    scorer = world.stores["scorer"]
    for lead, (_, row) in scorer.leads.items():
        found.states[lead] = stored(found.oracle, json.loads(row.state))
    for lead, source, id_ in scorer.facts:
        found.facts[lead].add((source, id_))
    return found
