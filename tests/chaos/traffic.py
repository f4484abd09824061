"""The load's events: invented people, with the errors of real senders, the same for the same seed.

New people keep coming, so handoffs happen all the time. A person's company stays what it is: then a score only grows
with what is known, and who is handed off does not depend on the order (see tests/e2e/people.py).
Many are known by other names before their address (`people`).
"""

import heapq
import random
import time
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from tests.chaos.people import Names, Person
from tests.chaos.raw import lead_id

Json = dict[str, Any]
Key = tuple[str, str, str, str]
"""Topic, lead, source and id: what makes an event itself and no other."""

DUPLICATES, LATE, POISON = 0.10, 0.05, 0.01
WINDOW = 200
"""How many people are busy at a time."""
LINK = "linked"
NAMING = (LINK, "merged", "unmerged")
"""Kinds of Doings that are about names."""
DOINGS = (
    *(("page_viewed", content) for content in ("pricing", "pricing", "pricing", "home", "blog")),
    *(("email_opened", None),) * 4,
    *(("content_downloaded", content) for content in ("pricing", "case_study", "ebook")),
    *(("webinar_attended", None), ("webinar_registered", None), ("email_clicked", None), ("demo_requested", None)),
)


@dataclass(frozen=True)
class Doing:
    """One event before it is put into a sender's words; `names` are those that it carries."""

    id: str
    names: Names
    time: str
    kind: str
    data: Json
    person: Person | None = None

    @property
    def lead_ids(self) -> dict[str, str]:
        """The lead's id under each name, the strongest first."""
        return {by: lead_id(name, by) for by, name in self.names.items()}

    @property
    def lead(self) -> str:
        """The lead that the event is about."""
        return next(iter(self.lead_ids.values()))


@dataclass(frozen=True)
class Message:
    """What is sent for an event: a tracker's item or a record's key and value. `poison` is why it must be refused.

    `keys` are those of the event and of the links that Baton makes of its names.
    """

    event: Doing
    content: Json
    keys: tuple[Key, ...]
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
        self.met: set[int] = set()
        """The numbers of those of whom something was told."""

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
        if message.poison is None and message.event.kind not in NAMING:
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
        person = Person(self._seed, int(self._number / self._per_lead) + chance.randrange(WINDOW))
        self.met.add(person.number)
        ago = timedelta(seconds=chance.uniform(1, 60))
        if chance.random() < LATE:
            ago = timedelta(hours=chance.uniform(1, 20 * 24))
            self._counts["late"] += 1
        kind, content = chance.choice(DOINGS)
        data: Json = {"content": content} if content else {}
        known_by, identify = self.known_by(person)
        if chance.random() < 0.15:
            kind, data = "", person.company
        elif identify:
            kind, data = "", {}
        elif kind == "email_opened" and chance.random() < 0.3:
            data["machine"] = True
        elif kind == "demo_requested" and person.number % 4:
            kind = "email_clicked"
        done = (datetime.now(UTC) - ago).isoformat()
        id_ = f"{self._name}-{self._seed}-{self._number}"
        return Doing(id_, person.named(known_by), done, kind, data, person)

    def known_by(self, person: Person) -> tuple[tuple[str, ...], bool]:
        """By which of the person's names the sender tells of it next, and whether it only tells of these."""
        raise NotImplementedError

    def message(self, doing: Doing) -> Message:
        """The event in this sender's words."""
        raise NotImplementedError

    def poisoned(self, doing: Doing) -> Message:
        """Something instead of it that must be refused."""
        raise NotImplementedError


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
