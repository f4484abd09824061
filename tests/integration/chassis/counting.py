"""A service with trivial rules: it counts each lead's engagements, and the kind of one can ask for more."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from chassis.policy import Policies
from chassis.service import At, Decision, Drop, Erase, Forward, Keep, Limit, Move, Recall
from schemas.engagements import EngagementRecorded
from schemas.envelope import Decoder, Envelope, Fact
from schemas.erasure import ERASED
from schemas.topics import TOPICS

WAIT = timedelta(milliseconds=400)


class Counted(Envelope):
    """A lead's count as of now."""

    topic: ClassVar[str] = "lead-scores"
    type: Literal["baton.lead.counted.v1"] = "baton.lead.counted.v1"
    data: dict[str, int]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many facts, and until when the lead waits."""

    count: int = 0
    due: datetime | None = None
    rotting: bool = False
    """At its tick it becomes what the database cannot hold."""
    to: str = ""
    """The lead for which its facts are published, `after` those up to this key have been."""
    after: tuple[str, str] | None = None


@dataclass
class Counting:
    """`boom` raises, `tell` publishes the count, `huge` more than its topic takes.

    `wait` is due in 0.4 s, `soon` at once, `share` counts for everyone. An erasure leaves a count of 1,
    of some times all of it. `forward` is for the lead that its content names, unless it is that lead's already; after
    a `move` all facts are.

    `rot` is due in 0.4 s too, and what then comes of it the database cannot hold; of `break` it cannot at once.

    `looked` remembers every tick: the state it saw, and its instant.
    """

    name: str = "scorer"
    inputs: Mapping[str, Decoder] = field(
        default_factory=lambda: {"engagements": Decoder(*TOPICS["engagements"].events)}
    )
    shared: Sequence[str] = ()
    limit: Limit | None = None
    own: Collection[str] = ()
    forwards: str = "engagements"
    policies: Policies[Any] = field(default_factory=Policies)
    looked: list[tuple[Tally, At]] = field(default_factory=list)
    wait: timedelta = WAIT

    def new(self, lead_id: str) -> Tally:
        return Tally()

    def load(self, lead_id: str, state: str) -> Tally:
        count, due, rotting, to, after = json.loads(state)
        return Tally(count, due and datetime.fromisoformat(due), rotting, to, after and (after[0], after[1]))

    def dump(self, state: Tally) -> str:
        rotten = state.rotting and state.due is None
        due = state.due and state.due.isoformat()
        return json.dumps([state.count, due, state.rotting, state.to, state.after]) + "\0" * rotten

    def decide(self, state: Tally, fact: Fact, at: At) -> Decision[Tally]:  # noqa: PLR0911 - one for each kind
        state = replace(state, count=state.count + 1)
        match _kind(fact):
            case "boom":
                raise RuntimeError("boom")
            case "erase":
                spans = fact.event.data.spans or ()
                return Erase(state if spans else Tally(1), spans=spans)
            case "forward" if (to := _content(fact)) != fact.lead_id:
                return Forward(state, to)
            case "move" if (to := _content(fact)) != fact.lead_id:
                return Keep(replace(state, to=to, after=("", "")), due=at.now, copies=[(fact, to)])
            case _ if state.to:
                return Forward(state, state.to)
            case "break":
                return Keep(replace(state, rotting=True), due=state.due)
            case "tell":
                return Keep(state, [_told(state, fact.event.subject, at)], state.due)
            case "huge":
                return Keep(state, [_told(state, fact.event.subject, at, 1024 * 1024)], state.due)
            case "wait" | "rot":
                due = at.now + self.wait
                return Keep(replace(state, due=due, rotting=_kind(fact) == "rot"), due=due)
            case "soon":
                return Keep(replace(state, due=at.now), due=at.now)
            case "share":
                return Keep(state, due=state.due, shared={"counter": at.shared.get("counter", 0) + 1})
        return Keep(state, due=state.due)

    def stored(self, value: bytes, time: datetime, fingerprint: bytes, received: datetime) -> Fact:
        return self.inputs["engagements"].stored(value, time, fingerprint, received)

    def after_erasure(self, state: Tally, fact: Fact, at: At) -> Drop[Tally]:
        return Drop(state, ERASED)

    def recall(self, state: Tally, earlier: Sequence[Fact], heard: Sequence[Fact], at: At) -> Keep[Tally]:
        raise AssertionError("no decision asked for it")

    def move(self, state: Tally, facts: Sequence[Fact], at: At, *, last: bool) -> Keep[Tally]:
        after = None if last else facts[-1].key
        copies = [(fact, state.to) for fact in facts if _kind(fact) != "move"]
        return Keep(replace(state, after=after), due=after and at.now, copies=copies)

    def tick(self, state: Tally, at: At) -> Keep[Tally] | Recall | Move:
        self.looked.append((state, at))
        if state.after is not None:
            return Move(state.after)
        if state.due is None or at.known < state.due:
            return Keep(state, due=state.due, inputs_until=state.due)
        return Keep(replace(state, due=None), counts={"fired": 1})


@dataclass
class Recalling(Counting):
    """Calls `late` late, and a tick of a lead that had a `wait`; from all facts, a `boom` among them raises."""

    recalled: list[list[str]] = field(default_factory=list)
    """The ids that each call of `recall` got, sorted."""

    def decide(self, state: Tally, fact: Fact, at: At) -> Decision[Tally]:
        return Recall() if _kind(fact) == "late" else super().decide(state, fact, at)

    def tick(self, state: Tally, at: At) -> Keep[Tally] | Recall:
        return Recall()

    def recall(self, state: Tally, earlier: Sequence[Fact], heard: Sequence[Fact], at: At) -> Keep[Tally]:
        facts = [*earlier, *heard]
        self.recalled.append(sorted(fact.event.id for fact in facts))
        if "boom" in map(_kind, facts):
            raise RuntimeError("boom")
        return Keep(replace(state, count=len(facts), due=None), counts={"again": 1})


def _kind(fact: Fact) -> str:
    if isinstance(fact.event, EngagementRecorded):
        return fact.event.data.kind
    return "erase" if fact.event.erases else ""


def _content(fact: Fact) -> str:
    return (fact.event.data.content or "") if isinstance(fact.event, EngagementRecorded) else ""


def _told(state: Tally, lead_id: str, at: At, size: int = 0) -> Counted:
    data = {"count": state.count} | ({"x" * size: 0} if size else {})
    return Counted(id=f"{lead_id}-{state.count}", source="tests", subject=lead_id, time=at.now, data=data)
