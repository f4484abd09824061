"""Scenarios of people under many names: events, links, a shared device, merges and unmerges, in any order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

from schemas.engagements import LeadMerged, LeadUnmerged, Merge
from schemas.envelope import Envelope
from schemas.identity import Identifiers, partition_of
from schemas.sales import FeedbackSubmitted, SalesAccepted, SalesContacted, SalesQualified
from tests.builders import NOON, a_description, a_sales_activity, an_engagement
from tests.simulation.scenario import (
    ENGAGEMENTS,
    INPUT_SECONDS,
    PARTS,
    Arrival,
    Fault,
    Scenario,
    again,
    spoilt,
    trouble,
)
from tests.unit.scorer.people import a_link, links_of

KIOSK = "kiosk"
"""The anonymous id of a device that two people use."""
MOVING = ("slices", "due", "commit", "publish", "recall")
"""Requests of a scorer that moves."""
WORDS = (
    (LeadMerged,),
    (LeadMerged, LeadMerged),
    (LeadMerged, LeadUnmerged),
    (LeadUnmerged, LeadMerged),
    (LeadMerged, LeadUnmerged, LeadMerged),
)
"""What is said of one alias in turn."""


KINDS = {
    "email": ("email", "person-{}@example.com"),
    "user": ("user_id", "user-{}"),
    "phone": ("anonymous_id", "phone-{}"),
    "laptop": ("anonymous_id", "laptop-{}"),
}
"""Names of a person: the identifier, and how it is written."""


class Person(NamedTuple):
    """A person and the names that it goes by."""

    number: int

    def named(self, *kinds: str) -> Identifiers:
        """These of its names together."""
        found = {KINDS[kind][0]: KINDS[kind][1].format(self.number) for kind in kinds}
        return Identifiers.model_validate(found)


SPLITS = (
    *(("phone",), ("laptop",), ("user",), ("email",), ("email",), ("phone", "user"), ("laptop", "user")),
    *(("phone", "email"), ("user", "email"), ("phone", "user", "email")),
)
"""The names that one event may carry."""


def named_of(seed: int) -> Scenario:
    """The scenario of the seed."""
    chance = Random(f"names {seed}")
    bursts = [chance.uniform(1, INPUT_SECONDS - 2) for _ in range(3)]
    people = [Person(number) for number in range(chance.randint(1, 3))]
    arrivals = [arrival for person in people for arrival in _life(person, bursts, chance)]
    if len(people) > 1:
        arrivals += _shared(people[:2], bursts, chance) if chance.random() < 0.4 else []
        for alias, lead in pairwise(people):
            arrivals += _merges(alias, lead, bursts, chance) if chance.random() < 0.7 else []
    arrivals += [again(one, chance) for one in arrivals if chance.random() < 0.2]
    arrivals += [spoilt(one, chance) for one in arrivals if chance.random() < 0.02]
    faults = [_trouble(bursts, chance) for _ in range(chance.randint(2, 9))]
    return Scenario(
        seed,
        tuple(sorted(arrivals, key=lambda one: one.at)),
        tuple(sorted(faults, key=lambda one: one.at)),
        chance.choice((2, 5, 500)),
        chance.choice((1, 100)),
        chance.choice((0, 0, 0.02, 0.3)),
        family="names",
        moved=chance.choice((2, 2, 4, 500)),
    )


def _life(person: Person, bursts: Sequence[float], chance: Random) -> Iterator[Arrival]:
    """What the person does under any of its names, what says that they are one person, and what sales does."""
    start = chance.choice(bursts)
    size = {"company_size": chance.choice((50, 900))}
    builds: list[tuple[Callable[..., Envelope], Sequence[str]]] = [(partial(a_description, **size), ("email",))]
    builds += [
        (partial(an_engagement, **fields), chance.choice(SPLITS))
        for fields in chance.choices(ENGAGEMENTS, k=chance.randint(2, 8))
    ]
    known = (("phone", "user"), ("laptop", "user"), ("user", "email"))
    builds += [(partial(an_engagement, kind="email_opened"), both) for both in known if chance.random() < 0.9]
    for number, (build, kinds) in enumerate(builds):
        at, late = start + chance.uniform(0, 6), chance.choice((0, 0, 3, 3600))
        yield from _event(f"{person.number}-{number}", person.named(*kinds), at, late, build)
    if chance.random() < 0.2:  # from strong to weak: refused
        alias, lead = _lead(person.named("email")), _lead(person.named("user"))
        yield _arrival(start + chance.uniform(0, 6), a_link(alias, lead, "user_id", "user_id", source="platform"))
    for number in range(chance.randint(0, 3)):
        kind: Any = chance.choice((SalesContacted, SalesContacted, SalesAccepted, SalesQualified, FeedbackSubmitted))
        fields = {"outcome": "accepted"} if kind is FeedbackSubmitted else {}
        at, whom = start + chance.uniform(0, 20), person.named(chance.choice(("email", "email", "user", "phone")))
        about = {"id": f"sales-{person.number}-{number}", "subject": _lead(whom), "source": "crm"}
        yield _arrival(at, a_sales_activity(kind, time=_time(at - chance.uniform(0, 5)), **about, **fields))


def _shared(people: Sequence[Person], bursts: Sequence[float], chance: Random) -> Iterator[Arrival]:
    """A device without a name, on which two people log in."""
    start = chance.choice(bursts)
    for number in range(chance.randint(2, 5)):
        at, late = start + chance.uniform(0, 8), chance.choice((0, 0, 2, 4))
        build = partial(an_engagement, **chance.choice(ENGAGEMENTS))
        yield from _event(f"kiosk-{number}", Identifiers(anonymous_id=KIOSK), at, late, build)
    for person in people:
        names = person.named("email").model_copy(update={"anonymous_id": KIOSK})
        build = partial(an_engagement, "email_opened")
        yield from _event(f"login-{person.number}", names, start + chance.uniform(0, 8), chance.choice((0, 2)), build)


def _merges(alias: Person, lead: Person, bursts: Sequence[float], chance: Random) -> Iterator[Arrival]:
    """Words that one person is, or is not, another one; they may come in another order than they were said in."""
    start = chance.choice(bursts) + chance.uniform(-1, 6)
    merge = Merge(alias=_lead(alias.named("email")), lead=_lead(lead.named("email")))
    for number, kind in enumerate(chance.choice(WORDS)):
        at = max(0.5, start + 2 * number + chance.uniform(-2, 2))
        said = min(at, max(0.0, start) + 2 * number)
        about = {"id": f"word-{alias.number}-{number}", "source": "desk", "subject": merge.alias}
        yield _arrival(at, kind(data=merge, time=_time(said), **about))


def _event(id_: str, names: Identifiers, at: float, late: float, build: Callable[..., Envelope]) -> Iterator[Arrival]:
    """The event under these names, and its links, as ingest publishes them."""
    yield _arrival(at, build(id=id_, subject=_lead(names), identifiers=names, time=_time(at - late)))
    for link in links_of(names, (at - late) / 60):
        yield _arrival(at, link)


def _arrival(at: float, event: Envelope) -> Arrival:
    key = event.subject.encode()
    about = f"{event.type} {event.id[:12]} of {event.subject[:8]}"
    return Arrival(at, event.topic, partition_of(key, PARTS), key, event.encode(), about)


def _trouble(bursts: Sequence[float], chance: Random) -> Fault:
    """A fault, half of them in a scorer that moves."""
    fault = trouble(chance, list(bursts))
    if fault.kind not in ("kill", "freeze", "refuse", "lose", "slow", "expel", "stop") or chance.random() < 0.5:
        return fault
    request = chance.choice(MOVING) if fault.request else ""
    return replace(fault, process=f"scorer/{chance.randrange(2)}", request=request)


def _lead(names: Identifiers) -> str:
    return next(iter(names.lead_ids().values()))


def _time(at: float) -> datetime:
    return NOON + timedelta(seconds=at)
