"""The load's events: invented people, with the errors of real senders, the same for the same seed.

New people keep coming, so handoffs happen all the time. A person's company stays what it is: then a score only grows
with what is known, and who is handed off does not depend on the order (see tests/e2e/people.py).
"""

import heapq
import json
import random
import time
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from tests.chaos.raw import lead_id

Json = dict[str, Any]
Key = tuple[str, str, str, str]
"""Topic, lead, source and id: what makes an event itself and no other."""

DUPLICATES, LATE, POISON = 0.10, 0.05, 0.01
WINDOW = 200
"""How many people are busy at a time."""
SIZES = (9, 10, 120, 501, 2001)
INDUSTRIES = ("technology", "Financial Services", "farming")
DOINGS = (
    *(("page_viewed", content) for content in ("pricing", "pricing", "pricing", "home", "blog")),
    *(("email_opened", None),) * 4,
    *(("content_downloaded", content) for content in ("pricing", "case_study", "ebook")),
    *(("webinar_attended", None), ("webinar_registered", None), ("email_clicked", None), ("demo_requested", None)),
)


@dataclass(frozen=True)
class Doing:
    """One event before it is put into a sender's words."""

    id: str
    email: str
    time: str
    kind: str
    data: Json


@dataclass(frozen=True)
class Message:
    """What is sent for an event: a tracker's item or a record's key and value. `poison` is why it must be refused."""

    event: Doing
    content: Json
    key: Key
    poison: str | None = None
    record_key: str = ""
    raw: bytes = b""


class Traffic:
    """One sender's messages; each person does about `per_lead` things. `counts` is told what was made."""

    source: ClassVar[str]
    """What Baton takes the sender for."""

    def __init__(self, seed: int, name: str, per_lead: float, counts: Counter[str]) -> None:
        self._seed = seed
        self._name = name
        self._per_lead = per_lead
        self._chance = random.Random(f"{seed}-{name}")
        self._number = 0
        self._again: list[tuple[float, int, Message]] = []
        self._settled: deque[Message] = deque(maxlen=200)
        self._counts = counts

    def due(self, count: int, now: float) -> list[Message]:
        """The next `count` events, with duplicates of earlier ones among them; `now` is any clock's seconds."""
        messages = [self._next(now) for _ in range(count)]
        while self._again and self._again[0][0] <= now:
            messages.append(heapq.heappop(self._again)[2])
            self._counts["duplicates"] += 1
        self._chance.shuffle(messages)
        return messages

    def settle(self, message: Message) -> None:
        """The message is acknowledged for good: from now on another one may claim its id."""
        if message.poison is None:
            self._settled.append(message)

    def _next(self, now: float) -> Message:
        self._number += 1
        doing = self._doing()
        if self._chance.random() < POISON:
            self._counts["poison"] += 1
            return self.poisoned(doing)
        message = self.message(doing)
        self._counts["events"] += 1
        if self._chance.random() < DUPLICATES:
            heapq.heappush(self._again, (now + self._chance.uniform(0.3, 6), self._number, message))
        return message

    def _doing(self) -> Doing:
        chance = self._chance
        person = int(self._number / self._per_lead) + chance.randrange(WINDOW)
        email = f"chaos-{self._seed}-{person}@example.com"
        ago = timedelta(seconds=chance.uniform(1, 60))
        if chance.random() < LATE:
            ago = timedelta(hours=chance.uniform(1, 20 * 24))
            self._counts["late"] += 1
        kind, content = chance.choice(DOINGS)
        data: Json = {"content": content} if content else {}
        if chance.random() < 0.15:
            company = random.Random(f"{self._seed}-{person}")
            kind, data = "", {"company_size": company.choice(SIZES), "industry": company.choice(INDUSTRIES)}
        elif kind == "email_opened" and chance.random() < 0.3:
            data["machine"] = True
        elif kind == "demo_requested" and person % 4:
            kind = "email_clicked"
        done = (datetime.now(UTC) - ago).isoformat()
        return Doing(f"{self._name}-{self._seed}-{self._number}", email, done, kind, data)

    def message(self, doing: Doing) -> Message:
        """The event in this sender's words."""
        raise NotImplementedError

    def poisoned(self, doing: Doing) -> Message:
        """Something instead of it that must be refused."""
        raise NotImplementedError


class Tracker(Traffic):
    """Segment calls over HTTP; a bad one is answered with success and lands on `events-rejected`."""

    source = "segment/demo-tracker"

    def message(self, doing: Doing) -> Message:
        item: Json = {"messageId": doing.id, "timestamp": doing.time, "context": {"traits": {"email": doing.email}}}
        if not doing.kind:
            item |= {"type": "identify", "traits": {"name": "Ada", **doing.data}}
        elif doing.kind == "page_viewed":
            item |= {"type": "page", "name": doing.data["content"].title(), "properties": {"path": "/somewhere"}}
        else:
            item |= {"type": "track", "event": doing.kind.replace("_", " ").title(), "properties": doing.data}
        return Message(doing, item, ("engagements", lead_id(doing.email), self.source, doing.id))

    def poisoned(self, doing: Doing) -> Message:
        message = self.message(doing)
        reason, name, value = self._chance.choice(
            (
                ("no_identifier", "context", {}),
                ("no_identifier", "context", {"traits": {"email": "nobody"}}),
                ("unknown_type", "type", "guess"),
                ("bad_time", "timestamp", "yesterday"),
            )
        )
        return Message(doing, {**message.content, name: value}, message.key, reason)


class Platform(Traffic):
    """Records of a marketing platform that writes to the topic itself; a bad one becomes a dead letter."""

    source = "chaos-platform"

    def message(self, doing: Doing) -> Message:
        return self._record(doing, doing.data)

    def poisoned(self, doing: Doing) -> Message:
        chance = self._chance
        reason = chance.choice(("not_json", "invalid_event", "wrong_key", "time_out_of_range", "id_conflict"))
        good = self.message(doing)
        if reason == "id_conflict" and self._settled:
            known = chance.choice(self._settled)
            other = {"campaign" if known.event.kind else "title": doing.id}
            return self._record(known.event, {**known.event.data, **other}, reason)
        event = json.loads(good.raw)
        if reason == "wrong_key":
            return Message(doing, event, good.key, reason, lead_id(f"other-{doing.email}"), good.raw)
        if reason == "time_out_of_range":
            ahead = timedelta(days=chance.choice((-100, 3)))
            event["time"] = (datetime.now(UTC) + ahead).isoformat()
        elif reason == "not_json":
            return Message(doing, event, good.key, reason, good.record_key, good.raw[:-1])
        else:
            reason = "invalid_event"
            data = event["data"] | {"company_size": -1, "kind": "Not A Kind"}
            event |= chance.choice(
                ({"data": data}, {"source": None}, {"time": event["time"][:19]}, {"specversion": "2"})
            )
        return Message(doing, event, good.key, reason, good.record_key, json.dumps(event).encode())

    def _record(self, doing: Doing, data: Json, poison: str | None = None) -> Message:
        lead = lead_id(doing.email)
        event = {
            "specversion": "1.0",
            "id": doing.id,
            "source": self.source,
            "type": f"baton.{'engagement.recorded' if doing.kind else 'lead.described'}.v1",
            "subject": lead,
            "time": doing.time,
            "data": {"identifiers": {"email": doing.email}, **data} | ({"kind": doing.kind} if doing.kind else {}),
        }
        key = ("engagements", lead, self.source, doing.id)
        return Message(doing, event, key, poison, lead, json.dumps(event).encode())


class Pace:
    """How much of `rate` a second is owed since it was last asked; beyond a second nothing is made up for."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._asked = time.monotonic()
        self._owed = 0.0

    def owed(self) -> int:
        now = time.monotonic()
        self._owed += self._rate * min(1.0, now - self._asked)
        self._asked = now
        whole = int(self._owed)
        self._owed -= whole
        return whole
