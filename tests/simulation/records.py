"""The invariants of every service's records: each has one outcome, and what was announced is published."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from chassis.kafka.consumer import Received
from schemas.barrier import BARRIER_KEY
from schemas.envelope import Decoder, Fact, Refused
from schemas.identity import partition_of
from schemas.scores import LeadScored
from schemas.topics import TOPICS
from tests.simulation.forwarding import links
from tests.simulation.scenario import PARTS
from tests.simulation.store import Store
from tests.simulation.world import World, services

Events = dict[str, list[dict[str, Any]]]


def books(world: World, name: str, store: Store, as_facts: Sequence[str] = ()) -> Iterator[str]:
    """I2, I3, I10: each record has one outcome; the facts are the distinct accepted events.

    Outcomes that depend on the time of decision are counted `as_facts`; if "replaced" is one, older scores may be kept.
    """
    expected: dict[tuple[str, str, str], bytes] = {}
    latest: dict[str, Fact] = {}
    for part in range(PARTS):
        counts = Counter(
            what
            for topic in services()[name].inputs
            for record in world.log.read(topic, part)
            for what in (
                "records",
                _forwarded(name, record, outcome(record, services()[name].inputs[topic], expected, latest)),
            )
        )
        written = store.partitions[part].progress.totals
        kinds = ("records", "facts", "duplicates", "replaced", "forwarded", "barriers", "dead_letters", "tick_failures")
        booked = Counter({key: count for key, count in written.items() if key.startswith(kinds) and count})
        for kind in as_facts:
            for each in (booked, counts):
                each["facts"] += each.pop(kind, 0)
        if part in store.stale:  # the score in force, told again, was not known and is found outdated by its version
            for each in (booked, counts):
                each["duplicates"] = each.pop("replaced", 0) + each.pop("duplicates", 0)
        if booked != counts:
            yield f"{name}/{part}: the books say {booked} and should say {dict(counts)}"
    kept = {
        key: fact
        for key, fact in store.facts.items()
        if "replaced" not in as_facts or not isinstance(fact.event, LeadScored) or key in expected
    }
    found = {key: fact.fingerprint for key, fact in kept.items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            yield f"{name}: fact {key} is {'lost' if key not in found else 'not the accepted one'}"
    for lead, source, id_ in found if name == "scorer" else ():
        if lead in links() and (links()[lead], source, id_) not in found:
            yield f"{name}: {id_} of {lead} is no fact of {links()[lead]}, whom it was forwarded to"


def _forwarded(name: str, record: Received, outcome: str) -> str:
    """The outcome where it is a fact of an alias."""
    alias = name == "scorer" and outcome == "facts" and (record.key or b"").decode() in links()
    return "forwarded" if alias else outcome


def outcome(
    record: Received, decoder: Decoder, facts: dict[tuple[str, str, str], bytes], latest: dict[str, Fact]
) -> str:
    """What becomes of the next record of a topic, `facts` being those of the earlier ones, `latest` a lead's score."""
    try:
        fact = decoder.fact(record.key, record.value, record.append_time)
    except Refused as refused:
        return "barriers" if record.key == BARRIER_KEY else f"dead_letters:{refused.reason}"
    if partition_of(record.key or b"", PARTS) != record.partition:
        return "dead_letters:wrong_partition"
    key = (fact.lead_id, *fact.key)
    if key not in facts:
        known = latest.get(fact.lead_id)
        if isinstance(fact.event, LeadScored):
            if known is not None and known.event.data.version >= fact.event.data.version:
                return "replaced"
            latest[fact.lead_id] = fact
        facts[key] = fact.fingerprint
        if known is not None and isinstance(fact.event, LeadScored):
            del facts[(known.lead_id, *known.key)]
            return "replaced"
        return "facts"
    return "duplicates" if facts[key] == fact.fingerprint else "dead_letters:id_conflict"


def outputs(world: World) -> Iterator[str]:
    """I5: what was announced is what is published, and the books say how much that is."""
    landed = {
        (topic, part, record.key, record.value)
        for topic in TOPICS
        for part in range(PARTS)
        for record in world.log.read(topic, part)
    }
    for name, store in world.stores.items():
        for record in store.announced:
            part = partition_of(record.key or b"", PARTS) if record.partition is None else record.partition
            if (record.topic, part, record.key, record.value) not in landed:
                yield f"{name}: announced and never published: {record.topic} {(record.value or b'')[:60]!r}"
        announced = sum(row.progress.totals["published"] for row in store.partitions.values())
        if announced != len(store.announced):
            yield f"{name}: published is {announced}, {len(store.announced)} rows were written"


def events_of(world: World, topic: str) -> list[dict[str, Any]]:
    """The topic's events partition by partition, repeats dropped; a repeat that differs is kept."""
    records = (record for record in world.log.topic(topic) if record.key != BARRIER_KEY)
    return [json.loads(value) for value in dict.fromkeys(record.value or b"" for record in records)]


def one_content(events: Events) -> Iterator[str]:
    for topic, found in events.items():
        for id_, times in Counter(event["id"] for event in found).items():
            if times > 1:
                yield f"{topic}: {id_} has {times} contents"
