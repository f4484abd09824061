"""The oracle: what must be true of leads, handoffs and clocks, from the raw records and the policy's file alone.

Written a second time from the requirements and schemas/README.md, sharing no code with services or schemas: a
mistake would have to be made twice. It knows what the load of the chaos suite uses: no time of sending, episodes that
end by merges and unmerges only; of a rule that fades only events so old that nothing is left of their points.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos.agreement import LARGEST, Agreement
from tests.chaos.aliases import MERGED, UNMERGED, Aliases, means_something
from tests.chaos.promises import HANDED_OFF, MEANINGS, Clock, Course, Stop, Turn, clocks_of, course_of
from tests.chaos.raw import Json, Poison, Record, appended, kind_of, print_of, read

FADED_AFTER = timedelta(days=30)
Identity = tuple[str, str]
"""Source and id."""
LINKED = "lead.linked"
MERGES = (MERGED, UNMERGED)
TURNS = ("lead.qualified", HANDED_OFF, *MERGES)


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
    """What the raw records tell of one lead: `facts` that senders told of it, `copies` that Baton made of others'.

    `turns` are its events on `lead-handoffs` by their ids, `stops` are those on `sales-activities`, `passed` what
    came to it of each merged lead, as a copy or with the answer.
    """

    facts: dict[Identity, Fact] = field(default_factory=dict)
    copies: defaultdict[Identity, list[Copy]] = field(default_factory=lambda: defaultdict(list))
    turns: dict[str, Turn] = field(default_factory=dict)
    stops: dict[Identity, Stop] = field(default_factory=dict)
    passed: defaultdict[str, set[Identity]] = field(default_factory=lambda: defaultdict(set))

    @property
    def handoffs(self) -> list[Turn]:
        """Its handoffs, in the order of their publication."""
        return [turn for turn in self.turns.values() if turn.kind == HANDED_OFF]


@dataclass
class Known:
    """What a person's facts amount to; attributes with the place of who stated them."""

    counts: Counter[str] = field(default_factory=Counter)
    attributes: dict[str, tuple[tuple[datetime, str, str], Any]] = field(default_factory=dict)
    reachable: bool = False
    asked: list[datetime] = field(default_factory=list)


class Oracle:
    """Fed with the raw records of a topic in the order of each partition."""

    def __init__(self, policy: Path) -> None:
        self.policy = Agreement(policy)
        self.leads: defaultdict[str, Lead] = defaultdict(Lead)
        self.aliases = Aliases()
        self.poison: defaultdict[str, set[bytes]] = defaultdict(set)

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
        identity, lead, kind = (event["source"], event["id"]), self.leads[event["subject"]], kind_of(event)
        if kind == "lead.absorbed":
            done = (event["data"].get("episode") or {}).get("done", ())
            lead.passed[event["data"]["alias"]] |= {(each["source"], each["id"]) for each in done}
            return
        means = MEANINGS.get(kind, set()) if event["data"].get("human", True) else set()
        lead.stops.setdefault(identity, Stop(time, appended(record), means, event.get("via")))
        if "via" in event:
            lead.passed[event["via"]].add(identity)

    def handoff(self, event: Json, published: datetime) -> None:
        """Takes an event of `lead-handoffs` in, and when the broker had it first; a repeat changes nothing."""
        if (kind := kind_of(event)) in TURNS:
            turn = Turn(event["id"], kind, datetime.fromisoformat(event["time"]), event["data"], published)
            self.leads[event["subject"]].turns.setdefault(turn.id, turn)

    def course(self, lead_id: str) -> Course:
        """How the lead's episodes followed each other."""
        return course_of(lead_id, [*self.leads[lead_id].turns.values()])

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

    def merges(self, *, latest: bool = False) -> Iterator[tuple[str, str, str, str]]:
        """What both leads of every merge and unmerge are told, or of the `latest` of each alias: its kind, the lead,
        and both.
        """
        facts = (fact for lead in self.leads.values() for fact in lead.facts.values() if fact.kind in MERGES)
        said = {(fact.kind, fact.data["alias"], fact.data["lead"]) for fact in facts}
        for kind, alias, survivor in self.aliases.latest() if latest else said:
            yield from ((kind, lead, alias, survivor) for lead in (alias, survivor))

    def clocks(self) -> list[Clock]:
        """Every promise that the handoffs started."""
        return [
            clock
            for name, lead in self.leads.items()
            for clock in clocks_of(name, [*lead.turns.values()], [*lead.stops.values()], self.policy)
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
        size, within = data.get("company_size"), data.get("company_size_range")
        size = [within["least"], within.get("most") or LARGEST] if size is None and within else size
        for name, value in (("company_size", size), ("industry", data.get("industry"))):
            if kind == "lead.described" and value is not None and place >= known.attributes.get(name, (place,))[0]:
                known.attributes[name] = (place, value)

    def _qualifies(self, known: Known) -> bool:
        fast = bool(known.asked) and bool(self.policy.gate["fast_track"])
        return known.reachable and (fast or self.policy.reaches(self._worth(known)[1]))

    def _worth(self, known: Known) -> tuple[float, str]:
        return self.policy.worth(known.counts, {name: value for name, (_, value) in known.attributes.items()})
