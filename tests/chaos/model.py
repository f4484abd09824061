"""The oracle: what must be true of leads, handoffs and clocks, from the raw records and the policy's file alone.

Written a second time from the requirements and schemas/README.md, sharing no code with services or schemas: a
mistake would have to be made twice. It knows what the load of the chaos suite uses: no links, no time of sending, one
episode per lead, no cancelled clocks; of a rule that fades only events so old that nothing is left of their points.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.chaos.raw import Json, Poison, Record, appended, derived, kind_of, print_of, read

DISORDER = timedelta(minutes=5)
"""How long before the qualification a follow-up may lie that is still meant for it."""
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
FADING = {"award": "per_event", "total_cap": 30, "decay": {"half_life": "1d"}}
"""The one rule that fades: after 30 days less than a thousandth of its points is left, which is nothing."""
FADED_AFTER = timedelta(days=30)
MEANINGS = {"sales.contacted": {"contacted"}, "sales.qualified": {"decided", "feedback"}}


class Agreement:
    """A policy's file, as far as it uses what this model knows. Raises NotImplementedError where it uses more."""

    def __init__(self, path: Path) -> None:
        policy = yaml.safe_load(path.read_text())
        self.rules, self.bands = policy["scoring"]["rules"], policy["scoring"]["bands"]
        self.high_intent = set(policy["scoring"]["high_intent"])
        self.gate, self.clocks = policy["gate"], policy["clocks"]
        known = {"id", "group", "points", "exclusive", "attribute", "engagement", "count", "because"}
        self.faded = {rule["engagement"]["kind"] for rule in self.rules if rule.get("decay") == FADING["decay"]}
        unknown = self.gate.keys() - {"band", "fast_track", "intent_window", "cool_off"}
        fields = {field for rule in self.rules for field in rule if (field, rule[field]) not in FADING.items()}
        unknown |= fields - known
        unknown |= policy["scoring"].keys() - {"rules", "bands", "profile", "high_intent"}
        if unknown:
            raise NotImplementedError(f"the model knows no policy with {sorted(unknown)}")

    def worth(self, counts: Mapping[str, int], attributes: Mapping[str, Any]) -> tuple[float, str]:
        """Points and band of so many engagements by `kind` and `kind/content`, and of these attributes."""
        points, paid = 0.0, set()
        for rule in self.rules:
            group = rule.get("exclusive")
            if group not in paid and self._pays(rule, counts, attributes):
                points += rule["points"]
                paid |= {group} - {None}
        return points, [band["name"] for band in self.bands if _holds(band["least"], points)][-1]

    def reaches(self, band: str) -> bool:
        """Whether the gate is open for this band."""
        names = [one["name"] for one in self.bands]
        return names.index(band) >= names.index(self.gate["band"])

    def target(self, clock: Json) -> timedelta:
        """How long the promise may take."""
        return timedelta(**{UNITS[clock["target"][-1]]: int(clock["target"][:-1])})

    def _pays(self, rule: Json, counts: Mapping[str, int], attributes: Mapping[str, Any]) -> bool:
        if "decay" in rule:
            return False
        if wanted := rule.get("engagement"):
            key = "/".join(filter(None, (wanted["kind"], wanted.get("content"))))
            return _holds(rule.get("count", {"op": ">=", "n": 1}), counts.get(key, 0))
        test = rule["attribute"]
        value = attributes.get(test["name"])
        if value is None:
            return False
        low, high = test.get("between", (1, 0))
        return low <= value <= high if "between" in test else re.sub(r"[\s_-]+", "_", value.lower()) in test["is"]


@dataclass
class Lead:
    """What the raw records tell of one lead; attributes with the place in time of who stated them."""

    facts: dict[tuple[str, str], int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    attributes: dict[str, tuple[tuple[datetime, str, str], Any]] = field(default_factory=dict)
    reachable: bool = False
    asked: bool = False
    handoffs: dict[str, Json] = field(default_factory=dict)
    published: dict[str, datetime] = field(default_factory=dict)
    stops: list[tuple[datetime, datetime, set[str]]] = field(default_factory=list)


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
        if kind_of(event) in ("lead.qualified", "lead.handed_off"):
            lead = self.leads[event["subject"]]
            lead.handoffs[event["id"]] = event
            lead.published.setdefault(event["id"], published)

    def scored(self, lead_id: str) -> tuple[float, str]:
        """The lead's points and band."""
        lead = self.leads[lead_id]
        return self.policy.worth(lead.counts, {name: value for name, (_, value) in lead.attributes.items()})

    def must_be_handed_off(self, lead_id: str) -> bool:
        """Whether the gate is open: the band, or having asked for sales; never without an address."""
        lead, (_, band) = self.leads[lead_id], self.scored(lead_id)
        return lead.reachable and (self.policy.reaches(band) or (lead.asked and bool(self.policy.gate["fast_track"])))

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
        if identity not in lead.facts:
            self._gather(lead, event, (time, *identity))
        if lead.facts.setdefault(identity, print_of(event)) != print_of(event):
            raise Poison("id_conflict")

    def _clock(self, name: str, event: Json, rule: Json) -> Clock:
        data, lead = event["data"], self.leads[name]
        decided, qualified = (datetime.fromisoformat(data[name]) for name in ("known_at", "qualified_at"))
        handed = "handed_off_at" in data
        start = max(datetime.fromisoformat(data["handed_off_at"]), lead.published[event["id"]]) if handed else decided
        start = start if handed else max(start, qualified)
        since, due = min(qualified, decided) - DISORDER, start + self.policy.target(rule)
        ends = [(time, heard) for time, heard, means in lead.stops if rule["stop"] in means]
        if rule["stop"] == "handed_off":
            stops = [e["data"] for e in lead.handoffs.values() if "handed_off_at" in e["data"]]
            ends = [(datetime.fromisoformat(e["handed_off_at"]),) * 2 for e in stops]
        met, heard = min((end for end in ends if since <= end[0] <= due), default=(None, None))
        return Clock(derived("clock", name, data["episode"], rule["id"]), name, rule["id"], due, met, heard)

    def _gather(self, lead: Lead, event: Json, place: tuple[datetime, str, str]) -> None:
        data, kind = event["data"], kind_of(event)
        if data.get("machine"):
            return
        lead.reachable |= bool(data.get("identifiers", {}).get("email"))
        if kind == "engagement.recorded":
            lead.asked |= data["kind"] in self.policy.high_intent
            lead.counts.update({data["kind"], "/".join(filter(None, (data["kind"], data.get("content"))))})
        for name in ("company_size", "industry") if kind == "lead.described" else ():
            if data.get(name) is not None:
                lead.attributes[name] = max(lead.attributes.get(name, (place, data[name])), (place, data[name]))


def _holds(bound: Json, value: float) -> bool:
    return bool(value > bound["n"] if bound["op"] == ">" else value >= bound["n"])
