"""What a service brings to the chassis: how its records read, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from chassis.policy import Policies
from schemas.envelope import Decoder, Envelope, Fact

S = TypeVar("S")


def schema_of(service: str) -> str:
    """The Postgres schema of a service, which is also the import name."""
    return service.replace("-", "_")


@dataclass(frozen=True, slots=True)
class At:
    """The instant of a decision. `now` is the database's time, the only clock that decides.

    `known` is the instant up to which every input is proven to have been read: what a broker acknowledged before it has
    been decided, so a deadline before it can be judged. Nothing is proven unless a decision `waits` for it.
    `shared` holds the rows that all partitions share, by name; a row never written is absent.
    """

    now: datetime
    known: datetime
    shared: Mapping[str, Any] = field(default_factory=dict)


_NOTHING: Mapping[str, Any] = MappingProxyType({})
REPLACED = "replaced"
"""Why a fact is not kept of which one that is kept says all; such a record is counted apart from what is dropped."""


class Keep(NamedTuple, Generic[S]):
    """The fact is kept, or time has passed, and this follows; the commit takes all of it or none.

    `state` is the lead's from now on, `due` when to look again. `counts` adds to the partition's durable totals,
    `shared` replaces shared rows.
    `replaces`, only of `decide`: keys of facts of the lead that this one makes superfluous; the commit deletes them.
    `waits`, only of `tick`: more follows once every input is known up to that instant, which has passed.
    """

    state: S
    events: Sequence[Envelope] = ()
    due: datetime | None = None
    counts: Mapping[str, int] = _NOTHING
    shared: Mapping[str, Any] = _NOTHING
    replaces: Sequence[tuple[str, str]] = ()
    waits: datetime | None = None


class Drop(NamedTuple, Generic[S]):
    """The fact is not kept, only counted, by its reason; but for REPLACED in the lead's row too. The due stays."""

    state: S
    reason: str
    events: Sequence[Envelope] = ()
    counts: Mapping[str, int] = _NOTHING


class Recall(NamedTuple):
    """It takes all facts of the lead to say what follows: `recall` gets them.

    `late`: because the fact belongs before others.
    """

    late: bool = False


class Erase(NamedTuple, Generic[S]):
    """The fact is the only one of the lead that stays: the commit deletes all others and counts them in its row.

    What comes later is dropped as ERASED, and the lead is ticked no more.
    """

    state: S
    events: Sequence[Envelope] = ()
    counts: Mapping[str, int] = _NOTHING


Decision = Keep[S] | Drop[S] | Recall | Erase[S]
"""What follows from one fact; the chassis carries each kind out in one place, `partition.decide`."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a lead's file takes; what is more is dropped as FLOOD. `sort` says what a fact counts as, None: it is never
    dropped.
    """

    most: int
    """Facts of one sort."""
    late: int
    """Facts of all sorts that are recalled for one that comes late."""
    sort: Callable[[Fact], Hashable | None]


class Service(Protocol[S]):
    """The decisions of one service. Every method is pure: same arguments and policies, same answer, no I/O, no clock.

    An exception is held against the one fact or lead: a dead letter or a later tick, not a stopped partition.
    """

    name: str
    """Kafka's consumer group and the prefix of metrics; the Postgres schema is the same with `_` for `-`."""
    inputs: Mapping[str, Decoder]
    """Topic -> how to read it. All have the same number of partitions and the lead's id for a key."""
    own: Collection[str]
    """Those of the inputs that Baton alone writes. Only failures on their records count towards the limit."""
    policies: Policies[Any]
    """What is judged by. A version that comes into force has every lead ticked once."""
    shared: Sequence[str]
    """Names of the rows shared by all partitions that `decide` and `tick` may read and replace."""
    limit: Limit | None
    """None: nothing is dropped as flood."""

    def new(self, lead_id: str) -> S:
        """The state of a lead nothing is known of."""
        ...

    def load(self, lead_id: str, state: str) -> S:
        """The state as `dump` wrote it, also by an earlier version."""
        ...

    def dump(self, state: S) -> str:
        """The state as one JSON text; equal states give equal texts."""
        ...

    def stored(self, value: bytes, time: datetime, fingerprint: bytes, received: datetime) -> Fact:
        """A fact as it was kept."""
        ...

    def decide(self, state: S, fact: Fact, at: At) -> Decision[S]:
        """What follows from one new fact: Erase if its event `erases`. Never asked of a fact that is kept already."""
        ...

    def after_erasure(self, state: S, fact: Fact, at: At) -> Drop[S]:
        """What follows from a new fact of an erased lead; nothing of the fact may be in the state."""
        ...

    def recall(self, state: S, earlier: Sequence[Fact], heard: Sequence[Fact], at: At) -> Keep[S]:
        """What follows from all facts of the lead, in any order, whatever `state` had made of them.

        `heard` are the new ones, none where a tick asked. All of them are kept; none of them erases.
        """
        ...

    def tick(self, state: S, at: At) -> Keep[S] | Recall:
        """What follows from time alone, or from another policy; asked once the lead's `due` has come."""
        ...
