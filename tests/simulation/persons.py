"""The invariants of people under many names, once nothing is pending.

Who is whom is read from the topic and worked out a second time, without the scorer's rules. Whatever the order and the
kills, a person has the facts and the score that it would have had if each event had named its address at once.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from desk.lead.explanation import explain
from schemas.engagements import LeadLinked, LeadMerged, LeadUnmerged
from schemas.envelope import Fact
from schemas.links import STRENGTH
from scorer.rules.tally import NOTHING_KNOWN
from tests.simulation.records import outcome
from tests.simulation.scenario import PARTS
from tests.simulation.store import Store
from tests.simulation.world import World, services

Key = tuple[str, str]
Word = tuple[datetime, str, str]
"""The place of a merge or an unmerge among what is said of its alias."""


@dataclass
class Name:
    """What was first told under one name: its events, each with the number of links that were there before it."""

    events: dict[Key, tuple[Fact, int]] = field(default_factory=dict)
    links: list[tuple[datetime, str]] = field(default_factory=list)
    words: dict[Word, str | None] = field(default_factory=dict)

    @property
    def survivor(self) -> str | None:
        """The lead that it was merged into, by the latest word."""
        return self.words[max(self.words)] if self.words else None

    def leads_at(self, time: datetime, links: int) -> set[str]:
        """The leads to which what happened then may have been forwarded, so many links having come before it."""
        counts = range(max(1, links), len(self.links) + 1)
        return {_lead_at(self.links[:count], time) for count in counts}


def _lead_at(links: list[tuple[datetime, str]], time: datetime) -> str:
    """That of the latest link up to then; what was before all links belongs to the first one to come."""
    earlier = [link for link in links if link[0] <= time]
    return max(earlier, key=lambda link: link[0])[1] if earlier else links[0][1]


class People:
    """All names, and what each of them comes to."""

    def __init__(self, world: World) -> None:
        self.store: Store = world.stores["scorer"]
        self.names: defaultdict[str, Name] = defaultdict(Name)
        decoder, accepted = services()["scorer"].inputs["engagements"], dict[tuple[str, str, str], bytes]()
        for part in range(PARTS):
            for record in world.log.read("engagements", part):
                if outcome(record, decoder, accepted, {}) == "facts":
                    fact = decoder.fact(record.key, record.value, record.append_time)
                    if fact.event.via is None:
                        self._take(fact)

    def _take(self, fact: Fact) -> None:
        name, event = self.names[fact.lead_id], fact.event
        match event:
            case LeadLinked():
                by, to = event.data.alias_by, event.data.lead_by
                if by and to and STRENGTH[by] < STRENGTH[to]:
                    name.links.append((fact.time, event.data.lead))
                    self.names[event.data.lead]  # which may have nothing but what is forwarded
            case LeadMerged() | LeadUnmerged():
                name.words[fact.order] = event.data.lead if isinstance(event, LeadMerged) else None
            case _:
                name.events[fact.key] = (fact, len(name.links))

    def is_alias(self, lead: str) -> bool:
        return bool(self.names[lead].links) or self.names[lead].survivor is not None

    def facts(self, lead: str) -> dict[Key, Fact]:
        """All that counts for the lead."""
        found = {key: fact for key, (fact, _) in self.names[lead].events.items()}
        for alias, name in list(self.names.items()):
            if name.survivor == lead:
                found |= self.facts(alias)
            elif any(lead == to for _, to in name.links):
                found |= {key: fact for key, fact in self.facts(alias).items() if lead in self.holders(alias, key)}
        return found

    def holders(self, alias: str, key: Key) -> set[str]:
        """The leads that have got the event from the alias."""
        leads = {lead for _, lead in self.names[alias].links}
        return {lead for lead in leads if (fact := self.store.facts.get((lead, *key))) and fact.event.via == alias}

    def forwarded(self) -> Iterator[str]:
        """Each event of an alias has come to one lead, and to one that may have it."""
        for alias, name in list(self.names.items()):
            for key, fact in self.facts(alias).items() if name.links else ():
                holders, (_, links) = self.holders(alias, key), name.events.get(key, (fact, 0))
                if len(holders) != 1 or not holders <= name.leads_at(fact.time, links):
                    yield f"scorer: {key[1]} of {alias} came to {sorted(holders)}"

    def states(self, world: World) -> Iterator[str]:
        """An alias has no score, and nothing left to move; another lead has that of all its names."""
        scorer, now = services()["scorer"], world.now()
        for lead, (_, row) in self.store.leads.items():
            state = scorer.load(lead, row.state)
            if (state.names.links is not None) != self.is_alias(lead):
                yield f"scorer: {lead} is {'an' if self.is_alias(lead) else 'no'} alias, and its state says otherwise"
            elif self.is_alias(lead):
                if state.tally != NOTHING_KNOWN or state.names.after is not None:
                    yield f"scorer: the alias {lead} has a score, or is not moved"
            else:
                facts = self.facts(lead)
                lost = [id_ for source, id_ in facts if (lead, source, id_) not in self.store.facts]
                as_told = [_as_told(fact, lead) for fact in facts.values()]
                told = explain(lead, as_told, scorer.criteria(now), now, state)  # type: ignore[attr-defined]
                if lost or not told.stored_agrees:
                    yield f"scorer: {lead} has not the score of all its names, {told.score}; lost: {lost}"
        if missing := {lead for lead in self.names if self.names[lead].events} - self.store.leads.keys():
            yield f"scorer: there is no row of {missing}"


def _as_told(fact: Fact, lead: str) -> Fact:
    """The fact as if it had named the lead at once."""
    return fact._replace(event=fact.event.model_copy(update={"subject": lead, "via": None, "mergedvia": None}))


def survivors(people: People) -> Mapping[str, str]:
    """Every merged lead, with the lead that it was merged into."""
    return {lead: name.survivor for lead, name in people.names.items() if name.survivor is not None}
