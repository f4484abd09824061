"""Traffic of invented people, as trackers and a CRM would send it."""

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

Item = dict[str, Any]

SIZES = (9, 10, 120, 501, 2001)
INDUSTRIES = ("technology", "Financial Services", "farming")


def somebody() -> str:
    """A new person's e-mail address."""
    return f"{uuid.uuid4().hex[:12]}@example.com"


def identified(email: str, **traits: Any) -> Item:
    """The person's company is told: 30 points under classic-50, unless the traits say otherwise."""
    told = {"email": email, "name": "Ada", "company_size": 120, "industry": "weaving", **traits}
    return _item("identify", email, traits=told)


def tracked(email: str, event: str, **properties: Any) -> Item:
    """The person did something."""
    return _item("track", email, event=event, properties=properties)


def qualified(email: str) -> list[Item]:
    """Three events that take a lead over the threshold, without asking for sales: 65 points."""
    return [
        identified(email),
        tracked(email, "Content Downloaded", content="pricing"),
        tracked(email, "Webinar Attended"),
    ]


def weaker_names(email: str) -> tuple[str, str]:
    """The user id and the anonymous id of the person of `of_three_names`."""
    name = email.partition("@")[0]
    return f"user-{name}", f"visitor-{name}"


def of_three_names(email: str) -> list[Item]:
    """Seven calls of one person as a tracker sends them, a second apart: 80 points, and one call has the address.

    Four views of the pricing page by an anonymous id, the identify call, two track calls by the user id alone.
    """
    user_id, anonymous_id = weaker_names(email)
    visitor, user = {"anonymousId": anonymous_id}, {"userId": user_id}
    traits = {"email": email, "name": "Ada", "company_size": 120, "industry": "weaving"}
    calls: list[Item] = [
        *({"type": "page", **visitor, "name": "Pricing", "properties": {"path": "/pricing"}} for _ in range(4)),
        {"type": "identify", **visitor, **user, "traits": traits},
        {"type": "track", **user, "event": "Content Downloaded", "properties": {"content": "pricing"}},
        {"type": "track", **user, "event": "Webinar Attended"},
    ]
    first = datetime.now(UTC) - timedelta(seconds=len(calls))
    for number, call in enumerate(calls):
        call["messageId"] = uuid.uuid4().hex
        call["timestamp"] = (first + timedelta(seconds=number)).isoformat()
    return calls


def crowd(count: int, leads: int, seed: int) -> list[Item]:
    """`count` different items of `leads` people over the last two days; the same for the same seed.

    Everybody's company stays what it is: then a score only grows with what is known, and who is handed off cannot
    depend on the order. (A handoff is a decision: it stands when a late fact takes points away again.)
    """
    chance = random.Random(seed)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
    people = [
        (f"person-{seed}-{number}@example.com", chance.choice(SIZES), chance.choice(INDUSTRIES))
        for number in range(leads)
    ]
    items = []
    for number in range(count):
        email, size, industry = chance.choice(people)
        item = _anything(email, chance) or identified(email, company_size=size, industry=industry)
        item["messageId"] = f"crowd-{seed}-{number}"
        item["timestamp"] = (start + timedelta(seconds=chance.randrange(86_400))).isoformat()
        items.append(item)
    return items


def shuffled(items: Sequence[Item], seed: int) -> list[Item]:
    """The same items in another order."""
    return random.Random(seed).sample(items, len(items))


def _anything(email: str, chance: random.Random) -> Item | None:
    kind = chance.randrange(10)
    if kind == 0:
        return None
    if kind == 1:
        return tracked(email, chance.choice(("Webinar Attended", "Webinar Registered", "Email Clicked")))
    if kind == 2:
        return tracked(email, "Content Downloaded", content=chance.choice(("pricing", "case_study", "ebook")))
    if kind < 6:
        return tracked(email, "Email Opened", machine=chance.random() < 0.3)
    return _item("page", email, name=chance.choice(("Pricing", "Home", "Blog")), properties={"path": "/somewhere"})


def _item(call: str, email: str, **fields: Any) -> Item:
    return {
        "type": call,
        "messageId": uuid.uuid4().hex,
        "timestamp": datetime.now(UTC).isoformat(),
        "userId": f"user-of-{email}",
        "context": {"traits": {"email": email}},
        **fields,
    }
