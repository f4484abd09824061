"""The oracle: what must be true of leads, handoffs and clocks, from the raw records and the policy's file alone.

Written a second time from the requirements and schemas/README.md, sharing no code with services or schemas: a
mistake would have to be made twice. It knows what the load of the chaos suite uses: no time of sending, one episode per
person, no cancelled clocks; of a rule that fades only events so old that nothing is left of their points.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos.agreement import Agreement
from tests.chaos.aliases import Aliases, means_something
from tests.chaos.raw import Json, Poison, Record, appended, derived, kind_of, print_of, read

DISORDER = timedelta(minutes=5)
"""How long before the qualification a follow-up may lie that is still meant for it."""
FADED_AFTER = timedelta(days=30)
Identity = tuple[str, str]
"""Source and id."""
LINKED = "lead.linked"
MERGES = ("lead.merged", "lead.unmerged")
MEANINGS = {"sales.contacted": {"contacted"}, "sales.qualified": {"decided", "feedback"}}


class Fact(NamedTuple):
    """What an event says; `place` is its own in the order of its lead's facts, `fingerprint` what a retry repeats."""

    place: tuple[datetime, str, str]
    kind: str
    data: Json
    fingerprint: int

    @property
    def content(self) -> tuple[datetime, str, Json]:
        """What a copy for another lead repeats."""
        return self.place[0], self.kind, self.data


class Copy(NamedTuple):
    """A fact that was published again for another lead, `via` the one that it came for."""

    via: str
    fact: Fact


@dataclass
class Lead:
    """What the raw records tell of one lead: `facts` that senders told of it, `copies` that Baton made of others'."""

    facts: dict[Identity, Fact] = field(default_factory=dict)
    copies: defaultdict[Identity, list[Copy]] = field(default_factory=lambda: defaultdict(list))
    handoffs: dict[str, Json] = field(default_factory=dict)
    published: dict[str, datetime] = field(default_factory=dict)
    stops: list[tuple[datetime, datetime, set[str]]] = field(default_factory=list)
    merged: bool = False
    """Whether `lead-handoffs` has said so, up to where it was read."""
    late: list[str] = field(default_factory=list)
    """Qualifications and handoffs that came after that."""


@dataclass
class Known:
    """What a person's facts amount to; attributes with the place of who stated them."""

    counts: Counter[str] = field(default_factory=Counter)
    attributes: dict[str, tuple[tuple[datetime, str, str], Any]] = field(default_factory=dict)
    reachable: bool = False
    asked: list[datetime] = field(default_factory=list)


@dataclass(frozen=True)
class Clock:
    """A promise as it must stand: `met_at` by the follow-up's own time, `heard_at` when the broker had that."""

    clock_id: str
    lead: str
    name: str
    due: datetime
    met_at: datetime | None
    heard_at: datetime | None


class Oracle:
    """Fed with the raw records of a topic in the order of each partition."""

    def __init__(self, policy: Path) -> None:
        self.policy = Agreement(policy)
        self.leads: defaultdict[str, Lead] = defaultdict(Lead)
        self.aliases = Aliases()
        self.poison: defaultdict[str, set[bytes]] = defaultdict(set)
        self.activities: set[tuple[str, str, str]] = set()

    def engagement(self, record: Record) -> None:
        """Takes a record of `engagements` in, among `poison` when it must become a dead letter."""
        try:
            event, time = read(record)
            if event["data"].get("kind") in self.policy.faded and appended(record) - time < FADED_AFTER:
                raise NotImplementedError("the model knows no event that is still fading")
            self._accept(event, time)
        except Poison as poison:
            self.poison[str(poison)].add(record.value or b"")

    def activity(self, record: Record) -> None:
        """Takes a record of `sales-activities` in."""
        event, time = read(record)
        identity = (event["subject"], event["source"], event["id"])
        if identity not in self.activities and event["data"].get("human", True):
            means = MEANINGS.get(kind_of(event), set())
            self.leads[event["subject"]].stops.append((time, appended(record), means))
        self.activities.add(identity)

    def handoff(self, event: Json, published: datetime) -> None:
        """Takes an event of `lead-handoffs` in, and when the broker had it first; a repeat changes nothing."""
        lead, kind = self.leads[event["subject"]], kind_of(event)
        if kind in MERGES and event["data"]["alias"] == event["subject"]:
            lead.merged = kind == MERGES[0]
        if kind in ("lead.qualified", "lead.handed_off"):
            lead.late += [event["id"]] if lead.merged and event["id"] not in lead.handoffs else []
            lead.handoffs[event["id"]] = event
            lead.published.setdefault(event["id"], published)

    def facts(self, lead_id: str, *, ever: bool = False) -> dict[Identity, Fact]:
        """The facts of the lead and of all its aliases, or all that it `ever` had; an event that came under several
        names is one.

        Links that mean nothing stay where they are.
        """
        return {
            key: fact
            for one in self.aliases.of(lead_id, ever=ever)
            for key, fact in self.leads[one].facts.items()
            if one == lead_id or fact.kind != LINKED or means_something(fact.data)
        }

    def known(self, lead_id: str) -> Known:
        """What the facts of the person amount to; of an alias nothing, for they are its lead's."""
        return self._amount({} if lead_id in self.aliases else self.facts(lead_id))

    def scored(self, lead_id: str) -> tuple[float, str]:
        """The lead's points and band."""
        return self._worth(self.known(lead_id))

    def must_be_handed_off(self, lead_id: str) -> bool:
        """Whether the gate is open: the band, or having asked for sales; never without an address."""
        return self._qualifies(self.known(lead_id))

    def may_be_handed_off(self, lead_id: str) -> bool:
        """Whether the gate was ever open, with all that the lead ever had of others: points only grow."""
        return not self.aliases.linked(lead_id) and self._qualifies(self._ever(lead_id))

    def intents(self, lead_id: str, qualified: datetime) -> set[str]:
        """The possible intents of a handoff: high needs a request within the window, low needs points or an old
        request, for without points only a request can have qualified the lead.
        """
        known, window = self._ever(lead_id), self.policy.duration(self.policy.gate["intent_window"])
        asked = {"high" if time >= qualified - window else "low" for time in known.asked}
        return asked | ({"low"} if self.policy.reaches(self._worth(known)[1]) else set())

    def strays(self, lead_id: str) -> Iterator[str]:
        """Copies that no alias of the lead accounts for, or that say other things."""
        known, others = self.facts(lead_id, ever=True), self.aliases.of(lead_id, ever=True)[1:]
        for identity, copies in self.leads[lead_id].copies.items():
            for via, fact in copies:
                original = known.get(identity)
                if original is None or original.content != fact.content:
                    yield f"{lead_id}: {identity} via {via} is nobody's"
                elif lead_id not in self.aliases.leads(via) or not any(identity in self.leads[o].facts for o in others):
                    yield f"{lead_id}: {identity} via {via}, which is no alias of it"

    def merges(self) -> Iterator[tuple[str, str, str, str]]:
        """What both leads of every merge and unmerge are told: its kind, the lead, and both."""
        for each in [fact for lead in self.leads.values() for fact in lead.facts.values() if fact.kind in MERGES]:
            alias, survivor = each.data["alias"], each.data["lead"]
            yield from ((each.kind, lead, alias, survivor) for lead in (alias, survivor))

    def clocks(self) -> list[Clock]:
        """Every promise that the handoffs started."""
        return [
            self._clock(name, event, rule)
            for name, lead in self.leads.items()
            for event in lead.handoffs.values()
            for rule in self.policy.clocks
            if f"lead.{rule['start']}" == kind_of(event)
            and rule.get("intent") in (None, event["data"]["intent"]["level"])
        ]

    def _accept(self, event: Json, time: datetime) -> None:
        lead, identity = self.leads[event["subject"]], (event["source"], event["id"])
        fact = Fact((time, *identity), kind_of(event), event["data"], print_of(event))
        if "via" in event:
            lead.copies[identity].append(Copy(event["via"], fact))
            return
        if identity not in lead.facts and fact.kind == LINKED:
            self.aliases.link(fact.data)
        if identity not in lead.facts and fact.kind in MERGES:
            self.aliases.merge(fact.kind, fact.place, fact.data)
        if lead.facts.setdefault(identity, fact).fingerprint != fact.fingerprint:
            raise Poison("id_conflict")

    def _clock(self, name: str, event: Json, rule: Json) -> Clock:
        data, lead = event["data"], self.leads[name]
        decided, qualified = (datetime.fromisoformat(data[name]) for name in ("known_at", "qualified_at"))
        handed = "handed_off_at" in data
        start = max(datetime.fromisoformat(data["handed_off_at"]), lead.published[event["id"]]) if handed else decided
        start = start if handed else max(start, qualified)
        since, due = min(qualified, decided) - DISORDER, start + self.policy.duration(rule["target"])
        ends = [(time, heard) for time, heard, means in lead.stops if rule["stop"] in means]
        if rule["stop"] == "handed_off":
            stops = [e["data"] for e in lead.handoffs.values() if "handed_off_at" in e["data"]]
            ends = [(datetime.fromisoformat(e["handed_off_at"]),) * 2 for e in stops]
        met, heard = min((end for end in ends if since <= end[0] <= due), default=(None, None))
        return Clock(derived("clock", name, data["episode"], rule["id"]), name, rule["id"], due, met, heard)

    def _ever(self, lead_id: str) -> Known:
        return self._amount(self.facts(lead_id, ever=True))

    def _amount(self, facts: dict[Identity, Fact]) -> Known:
        known = Known()
        for fact in facts.values():
            self._gather(known, fact)
        return known

    def _gather(self, known: Known, fact: Fact) -> None:
        place, kind, data, _ = fact
        if data.get("machine"):
            return
        known.reachable |= bool(data.get("identifiers", {}).get("email"))
        if kind == "engagement.recorded":
            known.asked += [place[0]] if data["kind"] in self.policy.high_intent else []
            known.counts.update({data["kind"], "/".join(filter(None, (data["kind"], data.get("content"))))})
        for name in ("company_size", "industry") if kind == "lead.described" else ():
            if data.get(name) is not None:
                known.attributes[name] = max(known.attributes.get(name, (place, data[name])), (place, data[name]))

    def _qualifies(self, known: Known) -> bool:
        fast = bool(known.asked) and bool(self.policy.gate["fast_track"])
        return known.reachable and (fast or self.policy.reaches(self._worth(known)[1]))

    def _worth(self, known: Known) -> tuple[float, str]:
        return self.policy.worth(known.counts, {name: value for name, (_, value) in known.attributes.items()})
