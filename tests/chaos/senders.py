"""The senders of the load, each in its own words: a tracker over HTTP, a marketing platform straight onto the topic."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.chaos.people import DEVICE, EMAIL, OLD, USER, Person, link_of
from tests.chaos.raw import derived, lead_id
from tests.chaos.traffic import LINK, NAMING, Doing, Json, Message, Traffic

LINKS, REFUSED, BY_USER = 0.06, 0.3, 0.25
"""Of what the platform tells of people with several names: links; of these ones to be refused; events by user id."""
MERGES, UNMERGED = 0.2, 0.3
"""Of what it tells of people with two addresses: merges; of these ones that are taken back, for every fifth person."""
NAMES = {"userId": "user_id", "anonymousId": "anonymous_id"}
"""A tracker's words for them."""
NOBODY = lead_id("nobody@example.com")
"""Where links lead that must be refused."""


class Tracker(Traffic):
    """Segment calls over HTTP; a bad one is answered with success and lands on `events-rejected`."""

    source = "segment/demo-tracker"

    def __init__(self, seed: int, name: str, per_lead: float, counts: Counter[str]) -> None:
        super().__init__(seed, name, per_lead, counts)
        self._steps: Counter[int] = Counter()

    def known_by(self, person: Person) -> tuple[tuple[str, ...], bool]:
        known_by, identify = person.step(self._steps[person.number], self._chance)
        self._steps[person.number] += 1
        self._counts["by weaker names"] += known_by[0] != EMAIL
        return known_by, identify

    def logins(self, met: Iterable[int]) -> list[Message]:
        """A login of each of these people that gives all names; without, some stay two leads with one device."""
        people = [person for number in sorted(met) if (person := Person(self._seed, number)).anonymous_first]
        self._counts["events"] += len(people)
        known_by, now = (EMAIL, USER, DEVICE), datetime.now(UTC).isoformat()
        ids = (f"{self._name}-{self._seed}-login-{person.number}" for person in people)
        doings = (Doing(id_, one.named(known_by), now, "", {}, one) for id_, one in zip(ids, people, strict=True))
        return [self.message(doing) for doing in doings]

    def message(self, doing: Doing) -> Message:
        names = doing.names
        item: Json = {"messageId": doing.id, "timestamp": doing.time}
        item |= {key: names[by] for key, by in NAMES.items() if by in names}
        if EMAIL in names:
            item["context"] = {"traits": {"email": names[EMAIL]}}
        if not doing.kind:
            item |= {"type": "identify", "traits": {"name": "Ada", **doing.data}}
        elif doing.kind == "page_viewed":
            item |= {"type": "page", "name": doing.data["content"].title(), "properties": {"path": "/somewhere"}}
        else:
            item |= {"type": "track", "event": doing.kind.replace("_", " ").title(), "properties": doing.data}
        lead, *aliases = doing.lead_ids.values()
        day = doing.time[:10]  # one link a day: the ids say which
        links = (("engagements", alias, self.source, derived("link", alias, lead, day)) for alias in aliases)
        return Message(doing, item, (("engagements", lead, self.source, doing.id), *links))

    def poisoned(self, doing: Doing) -> Message:
        message, nobody = self.message(doing), dict.fromkeys(NAMES)
        reason, spoilt = self._chance.choice(
            (
                ("no_identifier", {**nobody, "context": {}}),
                ("no_identifier", {**nobody, "context": {"traits": {"email": "nobody"}}}),
                ("unknown_type", {"type": "guess"}),
                ("bad_time", {"timestamp": "yesterday"}),
            )
        )
        return Message(doing, message.content | spoilt, message.keys, reason)


class Platform(Traffic):
    """Records of a marketing platform that writes to the topic itself; a bad one becomes a dead letter."""

    source = "chaos-platform"

    def __init__(self, seed: int, name: str, per_lead: float, counts: Counter[str]) -> None:
        super().__init__(seed, name, per_lead, counts)
        self._seen: set[str] = set()
        """Leads of which an event is acknowledged."""

    def known_by(self, person: Person) -> tuple[tuple[str, ...], bool]:
        by_user = person.anonymous_first and self._chance.random() < BY_USER
        return ((USER if by_user else person.address(self._chance)),), False

    def message(self, doing: Doing) -> Message:
        chance, person = self._chance, doing.person
        if person and person.anonymous_first and chance.random() < LINKS:
            return self._link(doing, person)
        if person and OLD in person.names and chance.random() < MERGES:
            return self._merge(doing, person)
        return self._record(doing, doing.data)

    def poisoned(self, doing: Doing) -> Message:
        chance = self._chance
        reason = chance.choice(("not_json", "invalid_event", "wrong_key", "time_out_of_range", "id_conflict"))
        good = self._record(doing, doing.data)
        if reason == "id_conflict" and self._settled:
            known = chance.choice(self._settled)
            other = {"campaign" if known.event.kind else "title": doing.id}
            return self._record(known.event, {**known.event.data, **other}, reason)
        event = json.loads(good.raw)
        if reason == "wrong_key":
            return Message(doing, event, good.keys, reason, lead_id(f"other-{doing.lead}"), good.raw)
        if reason == "time_out_of_range":
            ahead = timedelta(days=chance.choice((-100, 3)))
            event["time"] = (datetime.now(UTC) + ahead).isoformat()
        elif reason == "not_json":
            return Message(doing, event, good.keys, reason, good.record_key, good.raw[:-1])
        else:
            reason = "invalid_event"
            data = event["data"] | {"company_size": -1, "kind": "Not A Kind"}
            event |= chance.choice(
                ({"data": data}, {"source": None}, {"time": event["time"][:19]}, {"specversion": "2"})
            )
        return Message(doing, event, good.keys, reason, good.record_key, json.dumps(event).encode())

    def _link(self, doing: Doing, person: Person) -> Message:
        """Two of the person's names are one, or a link that Baton must refuse: it does not go to a stronger name."""
        *weaker, _ = ids = [(by, lead_id(person.names[by], by)) for by in (DEVICE, USER, EMAIL)]
        alias = self._chance.choice(weaker)
        link = link_of(alias, self._chance.choice(ids[ids.index(alias) + 1 :]))
        if self._chance.random() < REFUSED:
            link |= {"lead": NOBODY, "lead_by": self._chance.choice((None, USER)) if alias[0] == USER else None}
        self._counts["links"] += 1
        return self._record(replace(doing, kind=LINK, names={alias[0]: person.names[alias[0]]}, data=link), link)

    def _merge(self, doing: Doing, person: Person) -> Message:
        """Both addresses are one person's, once an event of each has been acknowledged; of a few not any more."""
        alias, lead = (lead_id(person.names[by]) for by in (OLD, EMAIL))
        if not {alias, lead} <= self._seen:
            return self._record(doing, doing.data)
        kind = "unmerged" if person.number % 5 == 0 and self._chance.random() < UNMERGED else "merged"
        self._counts[kind] += 1
        data = {"alias": alias, "lead": lead, "because": "the CRM says so"}
        return self._record(replace(doing, kind=kind, names=person.named((OLD,)), data=data), data)

    def settle(self, message: Message) -> None:
        super().settle(message)
        self._seen.add(message.event.lead)

    def _record(self, doing: Doing, data: Json, poison: str | None = None) -> Message:
        described = {"identifiers": dict(doing.names), **data}
        type_, content = "engagement.recorded", {**described, "kind": doing.kind}
        if not doing.kind:
            type_, content = "lead.described", described
        elif doing.kind in NAMING:
            type_, content = f"lead.{doing.kind}", data
        event = {
            "specversion": "1.0",
            "id": doing.id,
            "source": self.source,
            "type": f"baton.{type_}.v1",
            "subject": doing.lead,
            "time": doing.time,
            "data": content,
        }
        key = ("engagements", doing.lead, self.source, doing.id)
        return Message(doing, event, (key,), poison, doing.lead, json.dumps(event).encode())
