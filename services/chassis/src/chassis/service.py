"""The interface between a service and the chassis: how its records read, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from chassis.policy import Policies
from schemas.envelope import Decoder, Envelope, Fact
from schemas.links import Spans

S = TypeVar("S")


def schema_of(service: str) -> str:
    """The Postgres schema of a service, which is also the import name."""
    return service.replace("-", "_")


@dataclass(frozen=True, slots=True)
class At:
    """The instant of a decision. `now` is the database's time, the only clock that decides.

    `known`: every record acknowledged by a broker up to then has been decided, so a deadline before it can be judged.
    It advances only while a decision asks for it (`Keep.inputs_until`). `shared` holds the rows that all partitions
    share, by name; a row never written is absent.
    """

    now: datetime
    known: datetime
    shared: Mapping[str, Any] = field(default_factory=dict)


_NOTHING: Mapping[str, Any] = MappingProxyType({})
REPLACED = "replaced"
"""Reason: a newer fact includes it, so it is not kept. Such records are counted apart from dropped ones."""


class Keep(NamedTuple, Generic[S]):
    """The fact is kept, or time has passed, and this follows; the commit writes all of it or nothing.

    `state` is the lead's new state, `due` when to look at it again. `counts` adds to the partition's durable totals,
    `shared` replaces shared rows. `replaces`, only of `decide`: keys of facts of the lead that this one includes; the
    commit deletes them. `inputs_until`, only of `tick`: more follows once every input is read up to that past
    instant. `copies`: facts of the lead that are published again, each for another lead (see `Forward`).
    """

    state: S
    events: Sequence[Envelope] = ()
    due: datetime | None = None
    counts: Mapping[str, int] = _NOTHING
    shared: Mapping[str, Any] = _NOTHING
    replaces: Sequence[tuple[str, str]] = ()
    inputs_until: datetime | None = None
    copies: Sequence[tuple[Fact, str]] = ()


class Drop(NamedTuple, Generic[S]):
    """The fact is not kept, only counted by its reason; except for REPLACED in the lead's row too. The due stays."""

    state: S
    reason: str
    events: Sequence[Envelope] = ()
    counts: Mapping[str, int] = _NOTHING


class Recall(NamedTuple):
    """The decision needs all facts of the lead: `recall` is called with them.

    `late`: because the fact belongs before others.
    """

    late: bool = False


class Erase(NamedTuple, Generic[S]):
    """The fact is the only one of the lead that stays: the commit deletes all others and counts them in its row.

    Later facts are dropped as ERASED, and the lead is no longer ticked. With `spans` only the other facts whose
    effective time is in one of them are deleted; the lead is not erased, its due stays, and the rules drop what is
    to be dropped later.
    """

    state: S
    events: Sequence[Envelope] = ()
    counts: Mapping[str, int] = _NOTHING
    spans: Spans = ()


class Forward(NamedTuple, Generic[S]):
    """The fact is kept as proof that it came, and its event published again for the lead `to`. The due stays."""

    state: S
    to: str


class Move(NamedTuple):
    """Time has come to go on publishing the lead's facts for other leads: `move` is called with some of those whose
    (source, id) is after `after`, by code points.
    """

    after: tuple[str, str]


Decision = Keep[S] | Drop[S] | Recall | Erase[S] | Forward[S]
"""What follows from one fact; `partition.pending` carries each kind out in one place."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of a lead is kept; more is dropped as FLOOD. `sort` is what a fact counts as, None: it is never
    dropped.
    """

    most: int
    """Most facts of one sort."""
    late: int
    """Most facts of all sorts that are recalled for a late one."""
    sort: Callable[[Fact], Hashable | None]


class Service(Protocol[S]):
    """The decisions of one service. Every method is pure: same arguments and policies, same result, no I/O, no clock.

    An exception counts against the one fact or lead: it causes a dead letter or a later tick, and stops no partition.
    """

    name: str
    """Kafka's consumer group and the prefix of metrics; the Postgres schema is the same with `_` for `-`."""
    inputs: Mapping[str, Decoder]
    """Topic -> its decoder. All topics have the same number of partitions and the lead's id as key."""
    own: Collection[str]
    """The inputs that Baton alone writes. Only failures on their records count towards the limit."""
    policies: Policies[Any]
    """The policies that judge. When a version comes into force every lead is ticked once."""
    shared: Sequence[str]
    """Names of the rows shared by all partitions that `decide` and `tick` may read and replace."""
    limit: Limit | None
    """None: nothing is dropped as flood."""
    forwards: str
    """The input topic on which facts are published again for other leads."""

    def new(self, lead_id: str) -> S:
        """The state of a lead without facts."""
        ...

    def load(self, lead_id: str, state: str) -> S:
        """The state as `dump` wrote it, also by an earlier version."""
        ...

    def dump(self, state: S) -> str:
        """The state as one JSON text; equal states give equal texts."""
        ...

    def stored(self, value: bytes, time: datetime, fingerprint: bytes, received: datetime) -> Fact:
        """A fact as it was stored."""
        ...

    def decide(self, state: S, fact: Fact, at: At) -> Decision[S]:
        """What follows from one new fact, if its event `erases` never Recall, and Erase if it `erases_all`.

        Never called for a fact that is kept already.
        """
        ...

    def after_erasure(self, state: S, fact: Fact, at: At) -> Drop[S]:
        """What follows from a new fact of an erased lead; the state must hold nothing of the fact."""
        ...

    def recall(self, state: S, earlier: Sequence[Fact], new: Sequence[Fact], at: At) -> Keep[S]:
        """What follows from all facts of the lead, in any order, whatever `state` was before.

        `new` are the new ones, none for a tick. All of them are kept; none of them erases.
        """
        ...

    def tick(self, state: S, at: At) -> Keep[S] | Recall | Move:
        """What follows from time alone, or from another policy; called when the lead's `due` has come."""
        ...

    def move(self, state: S, facts: Sequence[Fact], at: At, *, last: bool) -> Keep[S]:
        """Which of these facts are published for which leads (`Keep.copies`), by (source, id); `last`: none follow.

        The state says after which fact the next `Move` goes on.
        """
        ...
