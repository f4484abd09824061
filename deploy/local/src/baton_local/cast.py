"""The people of the demo and the events that they cause."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, product
from typing import Any

from schemas.engagements import Description, Engagement, EngagementRecorded, LeadDescribed, LeadOptedIn, OptIn
from schemas.envelope import Envelope
from schemas.identity import Identifiers, lead_id_of

GIVEN = ("Ada", "Alan", "Blaise", "Emmy", "Hedy", "Joan", "Karl", "Mary", "Niels", "Rosa", "Sofia", "Evariste")
FAMILY = ("Abel", "Clarke", "Galle", "Kiesler", "Kovalev", "Lovelace", "Mathis", "Noether", "Pascal", "Peter", "Somer")
COMPANIES = (("Analytical Engines", 800), ("Arithmetic Works", 1200), ("Nine Looms", 650), ("Harmonic Mills", 1900))
"""Companies and their sizes: 20 points, with the industry 45, so that engagements decide."""
SOURCE = "https://demo.baton.example/platform"


@dataclass(frozen=True)
class Person:
    """A person who may become a customer."""

    name: str
    email: str
    company: str
    company_size: int

    @property
    def lead_id(self) -> str:
        return lead_id_of(email=self.email)

    @property
    def user_id(self) -> str:
        return self.email.partition("@")[0]

    @property
    def anonymous_id(self) -> str:
        return f"visitor-{self.user_id}"


def people(run: int) -> Iterator[Person]:
    """An endless series of people, the same for the same run; no address occurs twice, in one run or in two.

    A name occurs again after more than a hundred people.
    """
    names = list(product(GIVEN, FAMILY))
    random.Random(run).shuffle(names)  # noqa: S311 - no secret
    for number in count():
        given, family = names[number % len(names)]
        company, company_size = COMPANIES[number % len(COMPANIES)]
        address = f"{given}.{family}.{run}-{number}@{company.replace(' ', '-')}.example".lower()
        yield Person(f"{given} {family}", address, company, company_size)


class Pen:
    """Makes one person's events; the n-th event has the same id in every replay of the run.

    As trackers do: page views have the anonymous id, what the server tracks has the user id, and only the identify
    call has the address.
    """

    def __init__(self, person: Person) -> None:
        self._person = person
        self._numbers = count(1)

    def event_id(self) -> str:
        return f"demo-{self._person.user_id}-{next(self._numbers)}"

    def identify(self, *, company: bool = True) -> dict[str, Any]:
        """The visitor signs up: the tracker learns who it is, and of which company."""
        person = self._person
        traits: dict[str, Any] = {"name": person.name, "email": person.email}
        if company:
            traits |= {"company": person.company, "company_size": person.company_size, "industry": "technology"}
        return self._item("identify", anonymousId=person.anonymous_id, userId=person.user_id, traits=traits)

    def page(self, name: str) -> dict[str, Any]:
        place = {"path": f"/{name.lower()}"}
        return self._item("page", anonymousId=self._person.anonymous_id, name=name, properties=place)

    def track(self, event: str, **properties: str) -> dict[str, Any]:
        return self._item("track", userId=self._person.user_id, event=event, properties=properties)

    def described(self, industry: str = "technology") -> Envelope:
        """The platform's own record of the person."""
        person = self._person
        known = {"name": person.name, "company": person.company, "company_size": person.company_size}
        data = Description(identifiers=Identifiers(email=person.email), industry=industry, **known)
        return LeadDescribed(**self._envelope(), data=data)

    def opted_in(self) -> Envelope:
        return LeadOptedIn(**self._envelope(), data=OptIn(identifiers=Identifiers(email=self._person.email)))

    def recorded(self, kind: str, content: str | None = None, ago: timedelta = timedelta()) -> Envelope:
        """An engagement on the platform, `ago` before now."""
        identifiers = Identifiers(email=self._person.email)
        data = Engagement(kind=kind, content=content, identifiers=identifiers, channel="email")
        return EngagementRecorded(**self._envelope(ago), data=data)

    def _item(self, kind: str, **rest: Any) -> dict[str, Any]:
        return {"type": kind, "messageId": self.event_id(), "timestamp": datetime.now(UTC).isoformat(), **rest}

    def _envelope(self, ago: timedelta = timedelta()) -> dict[str, Any]:
        time = datetime.now(UTC) - ago
        return {"id": self.event_id(), "source": SOURCE, "subject": self._person.lead_id, "time": time}
