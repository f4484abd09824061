"""The invariants once nothing is pending, checked on the log and the tables alone."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

from desk.lead.explanation import explain
from router.app import ROTATION
from schemas.engagements import LeadMerged, LeadUnmerged
from schemas.envelope import Fact
from schemas.handoffs import LeadHandedOff, LeadQualified
from schemas.sales import SalesActivity
from schemas.sla import clock_id_of
from sla_monitor.rules import TickTime, expire, merge, start, stop, unmerge
from sla_monitor.rules.clock import Clock, WatchedLead
from tests.simulation.forwarding import links
from tests.simulation.records import Events, books, events_of, one_content, outcome, outputs
from tests.simulation.store import Store
from tests.simulation.world import World, services


def judge(world: World) -> list[str]:
    """Every violation, in a sentence each."""
    events = {
        topic: events_of(world, topic) for topic in ("lead-scores", "lead-handoffs", "sla-clocks", "sla-breaches")
    }
    return [
        *(said for name, store in world.stores.items() for said in books(world, name, store)),
        *outputs(world),
        *_scores(world, events),
        *handoffs(world, events),
        *clocks(world, events),
    ]


def _scores(world: World, events: Events) -> Iterator[str]:
    """I3, I6: a lead's state is what its facts come to in any order; its versions rise one by one."""
    yield from one_content(events)
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


def handoffs(world: World, events: Events) -> Iterator[str]:
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
    own = [event for event in given if event["data"].get("cause") != "merged"]
    if turns["next"] != len(own):
        yield f"router: {turns['next']} turns were taken for {len(own)} handoffs"
    scores = {event["subject"]: event["data"] for event in events["lead-scores"] if "version" in event["data"]}
    for lead_id, (_, row) in store.leads.items():
        lead = router.load(lead_id, row.state)
        if lead.alias is not None:
            continue
        latest = scores.get(lead_id, {"version": None})["version"]
        if (lead.score.version if lead.score else None) != latest:
            yield f"router: {lead_id} goes by a score that is not version {latest}"
        if lead.episode is None and lead.score and {"band:pass", "contactable"} <= lead.score.facts.keys():
            yield f"router: {lead_id} qualifies and was never handed off"


def clocks(world: World, events: Events) -> Iterator[str]:
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
        if outcome(record, decoder, {}, {}) == "facts":
            event = decoder.event(record.value)
            stop = clock.end and (lead_id, clock.end.source, clock.end.id)
            if (event.subject, event.source, event.id) == stop:
                return world.by_database(record) < clock.due - timedelta(milliseconds=1)
    return False


def _in_one_go(world: World, lead_id: str) -> WatchedLead:
    """The lead by all its facts: handoffs and merges in the router's order, activities anywhere among them."""
    monitor: Any = services()["sla-monitor"]
    lead, store = WatchedLead(lead_id), world.stores["sla-monitor"]
    now, facts = store.now(), _shuffled(store, lead_id)
    told = (
        fact for fact in store.facts.values() if fact.lead_id == lead_id and not isinstance(fact.event, SalesActivity)
    )
    for fact in (each if isinstance(each.event, SalesActivity) else next(told) for each in facts):
        match fact.event:
            case LeadQualified() | LeadHandedOff() as event:
                lead = start(lead, event, fact.received, monitor.policies, now).lead
            case LeadMerged():
                lead = merge(lead, fact, now).lead
            case LeadUnmerged():
                lead = unmerge(lead, fact, now).lead
            case SalesActivity() as event:
                lead = stop(lead, event, fact.time, now).lead
    return expire(lead, TickTime(now, now, monitor._patience)).lead


def _shuffled(store: Store, lead_id: str) -> list[Fact]:
    facts = [fact for fact in store.facts.values() if fact.lead_id == lead_id]
    Random(lead_id).shuffle(facts)
    return facts
