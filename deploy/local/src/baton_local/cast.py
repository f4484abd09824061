"""The people of the demo: new ones in every run, so that a second run tells the story again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from schemas.engagements import Description, Engagement, EngagementRecorded, LeadDescribed, LeadOptedIn, OptIn
from schemas.envelope import Envelope
from schemas.identity import Identifiers, lead_id_of

NAMES = (
    *("Ada Lovelace", "Blaise Pascal", "Rosa Peter", "Hedy Kiesler", "Alan Mathis", "Joan Clarke"),
    *("Emmy Noether", "Karl Weier", "Sofia Kovalev", "Niels Abel", "Mary Somer", "Evariste Galle"),
)
COMPANIES = (("Analytical Engines", 800), ("Arithmetic Works", 1200), ("Nine Looms", 650), ("Harmonic Mills", 1900))
"""With their sizes: together with the industry worth 45 points, so that what a lead does decides."""
SOURCE = "https://demo.baton.example/platform"


@dataclass(frozen=True)
class Person:
    """Somebody who may become a customer."""

    name: str
    email: str
    company: str
    company_size: int
    run: str

    @property
    def lead_id(self) -> str:
        return lead_id_of(email=self.email)

    @property
    def user_id(self) -> str:
        return self.email.partition("@")[0]


def cast(run: int, size: int) -> list[Person]:
    """So many people for the run that began at this second."""
    people = []
    for place in range(size):
        name = NAMES[(run * size + place) % len(NAMES)]
        company, company_size = COMPANIES[(run + place) % len(COMPANIES)]
        domain = company.lower().replace(" ", "-")
        email = f"{name.lower().replace(' ', '.')}.{run}@{domain}.example"
        people.append(Person(name, email, company, company_size, str(run)))
    return people


class Pen:
    """Writes one person's events, each with its own id."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._numbers = count(1)

    def event_id(self) -> str:
        return f"demo-{self._person.user_id}-{next(self._numbers)}"

    def identify(self) -> dict[str, Any]:
        """The tracker learns who it is."""
        person = self._person
        traits = {"name": person.name, "company": person.company, "company_size": person.company_size}
        return self._item("identify", traits=traits | {"email": person.email, "industry": "technology"})

    def page(self, name: str) -> dict[str, Any]:
        return self._item("page", name=name, properties={"path": f"/{name.lower()}"})

    def track(self, event: str, **properties: str) -> dict[str, Any]:
        return self._item("track", event=event, properties=properties)

    def described(self) -> Envelope:
        """The platform's own record of the person."""
        person = self._person
        known = {"name": person.name, "company": person.company, "company_size": person.company_size}
        data = Description(identifiers=Identifiers(email=person.email), industry="technology", **known)
        return LeadDescribed(**self._envelope(), data=data)

    def opted_in(self) -> Envelope:
        return LeadOptedIn(**self._envelope(), data=OptIn(identifiers=Identifiers(email=self._person.email)))

    def recorded(self, kind: str, content: str | None = None) -> Envelope:
        identifiers = Identifiers(email=self._person.email)
        data = Engagement(kind=kind, content=content, identifiers=identifiers, channel="email")
        return EngagementRecorded(**self._envelope(), data=data)

    def _item(self, kind: str, **rest: Any) -> dict[str, Any]:
        return {
            "type": kind,
            "messageId": self.event_id(),
            "timestamp": datetime.now(UTC).isoformat(),
            "userId": self._person.user_id,
            "context": {"traits": {"email": self._person.email}},
            **rest,
        }

    def _envelope(self) -> dict[str, Any]:
        now = datetime.now(UTC)
        return {"id": self.event_id(), "source": SOURCE, "subject": self._person.lead_id, "time": now}
