"""The invariants of promises to people under many names: one handoff each, none lost or given twice by a merge."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from router.rules.lead import Lead
from tests.simulation.oracle import clocks, handoffs
from tests.simulation.persons import People, survivors
from tests.simulation.records import Events, books, events_of, one_content, outputs
from tests.simulation.world import World, services

KINDS = {"lead-scores": "scored", "lead-handoffs": "handed_off"}
"""What is told of a lead only while it is none of others."""
AS_FACTS: Mapping[str, Sequence[str]] = {
    "scorer": ("forwarded",),  # else the link, or the merge, was not there yet
    "router": ("forwarded", "replaced", "duplicates"),  # a score that is decided with a merge replaces none
    "sla-monitor": (),
}


def judge_names(world: World) -> list[str]:
    """Every violation, in a sentence each."""
    people = People(world)
    events = {
        topic: events_of(world, topic) for topic in ("lead-scores", "lead-handoffs", "sla-clocks", "sla-breaches")
    }
    return [
        *(said for name, store in world.stores.items() for said in books(world, name, store, AS_FACTS[name])),
        *outputs(world),
        *one_content(events),
        *people.forwarded(),
        *people.states(world),
        *_told(events),
        *handoffs(world, events),
        *_promises(world, people),
        *_second_handoffs(world, events),
        *clocks(world, events),
    ]


def _told(events: Events) -> Iterator[str]:
    """Versions rise one by one; after its link, and while it is merged, an alias has neither score nor handoff."""
    for topic, kind in KINDS.items():
        linked, versions = set[str](), Counter[str]()
        words: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)
        for event in events[topic]:
            what, lead = event["type"].split(".")[2], event["subject"]
            own = event["data"].get("alias") == lead
            if what == "linked" and own:
                linked.add(lead)
            elif what in ("merged", "unmerged") and own:
                words[lead].append((datetime.fromisoformat(event["time"]), what))
            elif what == kind:
                if lead in linked or (words[lead] and max(words[lead])[1] == "merged"):
                    yield f"{topic}: {what} of {lead}, which is an alias"
                if kind == "scored":
                    versions[lead] += 1
                    if event["data"]["version"] != versions[lead]:
                        yield f"scorer: {lead} has version {event['data']['version']} after {versions[lead] - 1}"


def _leads(world: World) -> dict[str, Lead]:
    router = services()["router"]
    return {lead: router.load(lead, row.state) for lead, (_, row) in world.stores["router"].leads.items()}


def _promises(world: World, people: People) -> Iterator[str]:
    """What was open at a merge is the survivor's, with its owner; what an unmerge gives back is open where it was."""
    leads, merged = _leads(world), survivors(people)
    for name, lead in leads.items():
        if lead.waits and name not in merged:
            yield f"router: {name} waits for an answer that never comes"
        if lead.episode is None:
            continue
        end, inherited = lead.episode.end, lead.episode.through
        if lead.episode.inherited is not None:
            inherited = (lead.episode.inherited, *inherited)
        if name in merged:
            survivor = _survivor(name, merged)
            after = leads[survivor].episode
            if end is None or end.stage != "merged" or after is None or after.end is not None:
                yield f"router: the promise to {name} was lost in the merge into {survivor}"
            elif after.inherited == name and after.owner != lead.episode.owner:
                yield f"router: the owner of {name} has changed by its merge"
        elif end is not None and end.stage == "merged":
            yield f"router: {name} is nobody else, and its episode ended as merged"
        elif end is None and any(_survivor(alias, merged) != name for alias in inherited):
            yield f"router: {name} has an episode of somebody that it is not: {inherited}"


def _survivor(lead: str, merged: Mapping[str, str]) -> str:
    """The lead that it is after all merges."""
    while lead in merged:
        lead = merged[lead]
    return lead


def _second_handoffs(world: World, events: Events) -> Iterator[str]:
    """One handoff each; none of a survivor while a merged lead has answered that it had an owner."""
    answers = {}
    for record in world.log.topic("sales-activities"):
        if b"baton.lead.absorbed" in (record.value or b""):
            data = json.loads(record.value or b"")["data"]
            answers[data["alias"], datetime.fromisoformat(data["merged_at"])] = "episode" in data
    standing: dict[str, dict[str, tuple[datetime, str]]] = defaultdict(dict)
    given = Counter[str]()
    for event in events["lead-handoffs"]:
        what, lead, data = event["type"].split(".")[2], event["subject"], event["data"]
        if what == "merged" and data["alias"] != lead:
            standing[lead][data["alias"]] = (datetime.fromisoformat(event["time"]), data["lead"])
        elif what == "unmerged" and data["alias"] != lead:
            gone = {data["alias"]}
            for alias, (_, to) in sorted(standing[lead].items()) * 3:
                gone |= {alias} if to in gone else set()
            standing[lead] = {alias: word for alias, word in standing[lead].items() if alias not in gone}
        elif what == "handed_off" and data.get("cause") != "merged":
            given[lead] += 1
            if any(answers.get((alias, at)) for alias, (at, _) in standing[lead].items()):
                yield f"router: {lead} was handed off, though it is also somebody who had an owner"
    yield from (f"router: {lead} was handed off {times} times" for lead, times in given.items() if times > 1)
