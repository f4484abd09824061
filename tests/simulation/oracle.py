"""The invariants once nothing is pending, checked on the log and the tables alone."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

from chassis.kafka.consumer import Received
from desk.lead.explanation import explain
from router.app import ROTATION
from schemas.barrier import BARRIER_KEY
from schemas.envelope import Decoder, Fact, Refused
from schemas.handoffs import LeadHandedOff, LeadQualified
from schemas.identity import partition_of
from schemas.sales import SalesActivity
from schemas.scores import LeadScored
from schemas.sla import clock_id_of
from schemas.topics import TOPICS
from sla_monitor.rules import TickTime, expire, start, stop
from sla_monitor.rules.clock import Clock, WatchedLead
from tests.simulation.forwarding import links
from tests.simulation.scenario import PARTS
from tests.simulation.store import Store
from tests.simulation.world import World, services

Events = dict[str, list[dict[str, Any]]]


def judge(world: World) -> list[str]:
    """Every violation, in a sentence each."""
    events = {topic: _events(world, topic) for topic in ("lead-scores", "lead-handoffs", "sla-clocks", "sla-breaches")}
    return [
        *(said for name, store in world.stores.items() for said in _books(world, name, store)),
        *_outputs(world),
        *_scores(world, events),
        *_handoffs(world, events),
        *_clocks(world, events),
    ]


def _books(world: World, name: str, store: Store) -> Iterator[str]:
    """I2, I3, I10: each record has one outcome; the facts are the distinct accepted events."""
    expected: dict[tuple[str, str, str], bytes] = {}
    latest: dict[str, Fact] = {}
    for part in range(PARTS):
        counts = Counter(
            outcome
            for topic in services()[name].inputs
            for record in world.log.read(topic, part)
            for outcome in (
                "records",
                _forwarded(name, record, _outcome(record, services()[name].inputs[topic], expected, latest)),
            )
        )
        written = store.partitions[part].progress.totals
        kinds = ("records", "facts", "duplicates", "replaced", "forwarded", "barriers", "dead_letters", "tick_failures")
        booked = {key: count for key, count in written.items() if key.startswith(kinds) and count}
        if part in store.stale:  # the score in force, told again, was not known and is found outdated by its version
            for books in (booked, counts):
                books["duplicates"] = books.pop("replaced", 0) + books.pop("duplicates", 0)
        if booked != counts:
            yield f"{name}/{part}: the books say {booked} and should say {dict(counts)}"
    found = {key: fact.fingerprint for key, fact in store.facts.items()}
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


def _outcome(
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


def _outputs(world: World) -> Iterator[str]:
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


def _events(world: World, topic: str) -> list[dict[str, Any]]:
    """The topic's events partition by partition, repeats dropped; a repeat that differs is kept."""
    records = (record for record in world.log.topic(topic) if record.key != BARRIER_KEY)
    return [json.loads(value) for value in dict.fromkeys(record.value or b"" for record in records)]


def _one_content(events: Events) -> Iterator[str]:
    for topic, found in events.items():
        for id_, times in Counter(event["id"] for event in found).items():
            if times > 1:
                yield f"{topic}: {id_} has {times} contents"


def _scores(world: World, events: Events) -> Iterator[str]:
    """I3, I6: a lead's state is what its facts come to in any order; its versions rise one by one."""
    yield from _one_content(events)
    store, scorer = world.stores["scorer"], services()["scorer"]
    versions: dict[str, list[int]] = defaultdict(list)
    for event in events["lead-scores"]:
        versions[event["subject"]].append(event["data"]["version"])
    for lead_id, (_, row) in store.leads.items():
        state = scorer.load(lead_id, row.state)
        if lead_id in links():
            if versions[lead_id]:
                yield f"scorer: {lead_id} is an alias, and has a score"
            continue
        facts = _shuffled(store, lead_id)
        told = explain(lead_id, facts, scorer.criteria(world.now()), world.now(), state)  # type: ignore[attr-defined]
        if not told.stored_agrees:
            yield f"scorer: the state of {lead_id} is not what its facts come to"
        if versions[lead_id] != list(range(1, state.published.version + 1)):
            yield f"scorer: {lead_id} has version {state.published.version}, published are {versions[lead_id]}"
    if {fact.lead_id for fact in store.facts.values()} != set(store.leads):
        yield "scorer: leads without a row, or rows without a fact"


def _handoffs(world: World, events: Events) -> Iterator[str]:
    """I7: one handoff for each (lead, episode), a turn of the rotation for each; nobody waits who may be handed off."""
    store, router = world.stores["router"], services()["router"]
    given = [event for event in events["lead-handoffs"] if event["type"] == "baton.lead.handed_off.v1"]
    episodes = Counter((event["subject"], event["data"]["episode"]) for event in given)
    expected = Counter(
        (lead_id, episode)
        for lead_id, (_, row) in store.leads.items()
        for episode in range(1, router.load(lead_id, row.state).number + 1)
    )
    if episodes != expected:
        yield f"router: handoffs are {sorted(episodes.items())} and should be {sorted(expected.items())}"
    turns = json.loads(store.shared.get(ROTATION, (0, "null"))[1]) or {"next": 0}
    if turns["next"] != len(given):
        yield f"router: {turns['next']} turns were taken for {len(given)} handoffs"
    scores = {event["subject"]: event["data"] for event in events["lead-scores"]}
    for lead_id, (_, row) in store.leads.items():
        lead = router.load(lead_id, row.state)
        latest = scores.get(lead_id, {"version": None})["version"]
        if (lead.score.version if lead.score else None) != latest:
            yield f"router: {lead_id} goes by a score that is not version {latest}"
        if lead.episode is None and lead.score and {"band:pass", "contactable"} <= lead.score.facts.keys():
            yield f"router: {lead_id} qualifies and was never handed off"


def _clocks(world: World, events: Events) -> Iterator[str]:
    """I8: every clock ends as all its facts say, told version by version; breaches stand or fall rightly."""
    store, monitor = world.stores["sla-monitor"], services()["sla-monitor"]
    told: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for event in (*events["sla-clocks"], *events["sla-breaches"]):
        told[event["data"]["clock_id"]].append((event["data"]["version"], event["type"].split(".", 1)[1]))
    for lead_id, (_, row) in store.leads.items():
        lead: WatchedLead = monitor.load(lead_id, row.state)
        rightly = {(c.clock, c.episode): c.standing for c in _in_one_go(world, lead_id).clocks}
        actually = {(c.clock, c.episode): c.standing for c in lead.clocks}
        if actually != rightly:
            yield f"sla-monitor: clocks of {lead_id} are {actually} and should be {rightly}"
        for clock in lead.clocks:
            history = sorted(told.pop(clock_id_of(lead_id, clock.episode, clock.clock), []))
            kinds = [kind for _, kind in history]
            standing = kinds.count("sla.breached.v1") - kinds.count("sla.breach_retracted.v1")
            if [version for version, _ in history] != list(range(1, clock.version + 1)):
                yield f"sla-monitor: {clock.clock} of {lead_id} has version {clock.version}, published are {history}"
            elif standing != (clock.standing == "breached"):
                yield f"sla-monitor: {clock.clock} of {lead_id} is {clock.standing}, and published are {kinds}"
            elif "sla.breached.v1" in kinds and _came_in_time(world, lead_id, clock):
                yield f"sla-monitor: {clock.clock} of {lead_id} was breached, and its stop was there before its due"
    for clock_id, history in told.items():
        yield f"sla-monitor: published of a clock that is none: {clock_id} {history}"
    handed = {event["id"] for event in events["lead-handoffs"] if "handed_off" in event["type"]}
    known = {fact.event.id for fact in store.facts.values() if isinstance(fact.event, LeadHandedOff)}
    if handed != known:
        yield f"sla-monitor: handoffs that started no clock: {sorted(handed ^ known)}"


def _came_in_time(world: World, lead_id: str, clock: Clock) -> bool:
    """Whether what met the clock was on its topic before the due, by the database's clock."""
    decoder = services()["sla-monitor"].inputs["sales-activities"]
    for record in world.log.topic("sales-activities") if clock.end and clock.standing == "met" else ():
        if _outcome(record, decoder, {}, {}) == "facts":
            event = decoder.event(record.value)
            stop = clock.end and (lead_id, clock.end.source, clock.end.id)
            if (event.subject, event.source, event.id) == stop:
                return world.by_database(record) < clock.due - timedelta(milliseconds=1)
    return False


def _in_one_go(world: World, lead_id: str) -> WatchedLead:
    monitor: Any = services()["sla-monitor"]
    lead = WatchedLead(lead_id)
    now = world.stores["sla-monitor"].now()
    for fact in _shuffled(world.stores["sla-monitor"], lead_id):
        if isinstance(fact.event, LeadQualified | LeadHandedOff):
            lead = start(lead, fact.event, fact.received, monitor.policies, now).lead
        elif isinstance(fact.event, SalesActivity):
            lead = stop(lead, fact.event, fact.time, now).lead
    return expire(lead, TickTime(now, now, monitor._patience)).lead


def _shuffled(store: Store, lead_id: str) -> list[Fact]:
    facts = [fact for fact in store.facts.values() if fact.lead_id == lead_id]
    Random(lead_id).shuffle(facts)
    return facts
