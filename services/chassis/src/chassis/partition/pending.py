"""Collects what the next commit will write, decision by decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple

from chassis.kafka.consumer import Received
from chassis.kafka.dead_letter import dead_letter
from chassis.kafka.publisher import Record, size_of
from chassis.partition.journal import Progress
from chassis.partition.lead_cache import File
from chassis.process.failures import Failure
from chassis.service import REPLACED, At, Decision, Drop, Erase, Forward, Keep, Recall, S
from schemas.envelope import Envelope, Fact, Refused, forwarded
from schemas.links import Spans, within
from schemas.sizes import MAX_EVENT, MAX_RECORD, record_limit


class OutputTooLarge(Failure):
    """Rules made an event larger than its topic accepts: in the outbox it would be stuck for ever."""


FORWARDED = "forwarded"
ALWAYS: Spans = ((None, None),)
_JSON = (("content-type", b"application/cloudevents+json"),)


Key = tuple[str, str]
"""A fact's source and id."""


class Arrival(NamedTuple):
    """A record, its number in the batch, and its fact."""

    number: int
    record: Received
    fact: Fact


@dataclass(slots=True)
class Undecided:
    """Records of one lead that cannot be decided without all of its facts; none where a tick asked.

    `recall`: the rules asked for the facts; else they are only to be counted.
    """

    arrivals: list[Arrival]
    recall: bool


@dataclass(slots=True)
class Pending(Generic[S]):
    """What has been decided since the last commit. `at` is one instant for all of it; its shared rows have the changes
    that are pending.
    """

    service: str
    part: int
    progress: Progress
    versions: dict[str, int]
    at: At
    facts: dict[str, dict[Key, Fact]] = field(default_factory=dict)
    """Lead -> its new facts."""
    files: dict[str, File[S]] = field(default_factory=dict)
    erased: dict[str, Spans] = field(default_factory=dict)
    """Lead -> the times of which its facts in the database are deleted; those in `facts` are newer."""
    unwritten: Counter[str] = field(default_factory=Counter)
    """Lead -> how many facts of this batch are deleted before they are written."""
    replaced: set[tuple[str, str, str]] = field(default_factory=set)
    """Facts (lead, source, id) in the database that are deleted: newer ones replace them."""
    outbox: list[Record] = field(default_factory=list)
    size: int = 0
    """Bytes of the outputs' values."""
    swapped: dict[str, Any] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)
    undecided: dict[str, Undecided] = field(default_factory=dict)
    """Lead -> what is decided once all of its facts are read."""
    inputs_until: datetime | None = None
    """The latest instant up to which a decision needs all inputs to be read."""
    moves: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Lead -> the (source, id) after which its facts are published for other leads."""

    @property
    def totals(self) -> Counter[str]:
        return self.progress.totals

    def carry_out(
        self, file: File[S], decision: Decision[S], outputs: Sequence[Record], fact: Fact | None = None
    ) -> bool:
        """Collects what the decision for `fact`, or for a tick, changes. False where it needs all facts of the lead."""
        match decision:
            case Keep():
                if fact is not None:
                    self.accept(file, fact, decision.replaces)
                if decision.shared:  # what is decided next sees the rows so
                    self.swapped.update(decision.shared)
                    self.at = replace(self.at, shared={**self.at.shared, **decision.shared})
                if decision.copies:
                    self.totals["moved"] += len(decision.copies)
                if (until := decision.inputs_until) is not None:
                    self.inputs_until = max(until, self.inputs_until or until)
                self.apply(file, decision, outputs)
            case Drop():
                self.drop(file, decision.reason, decision.state)
                self.tell(decision.counts, outputs)
            case Erase():
                assert fact is not None  # noqa: S101 - only `decide` erases
                self.erase(file, decision.spans or ALWAYS)
                if not decision.spans:
                    file.erased = fact.time.astimezone(UTC)
                    file.forget()
                self.accept(file, fact)
                self.apply(file, decision, outputs)
            case Forward():
                assert fact is not None  # noqa: S101 - only `decide` forwards
                self.accept(file, fact, total=FORWARDED)
                self.apply(file, Keep(decision.state, due=file.due), outputs)
            case Recall():
                return False
        return True

    def accept(self, file: File[S], fact: Fact, replaces: Sequence[tuple[str, str]] = (), total: str = "facts") -> None:
        """Keeps the fact in the lead's file, counted in `total` or as one that `replaces` others."""
        for key in replaces:
            file.keys.pop(key, None)
            if self.facts.get(file.lead_id, {}).pop(key, None) is None:
                self.replaced.add((file.lead_id, *key))
        file.keys[fact.key] = fact.fingerprint
        self.facts.setdefault(file.lead_id, {})[fact.key] = fact
        self.totals[REPLACED if replaces else total] += 1

    def facts_of(self, lead_id: str, stored: Sequence[Fact]) -> list[Fact]:
        """All facts of the lead now, `stored` being those in the database before this commit."""
        erased = self.erased.get(lead_id, ())
        kept = [fact for fact in stored if (lead_id, *fact.key) not in self.replaced and not within(erased, fact.time)]
        return [*kept, *self.facts.get(lead_id, {}).values()]

    def copies(self, topic: str, copies: Iterable[tuple[Fact, str]]) -> list[Record]:
        """The facts' events, each for another lead, as records. Raises OutputTooLarge as `outputs`."""
        records = (Record(topic, to.encode(), forwarded(fact, to), _JSON) for fact, to in copies)
        return [_fitting(record, record_limit(topic)) for record in records]

    def outputs(self, file: File[S], events: Sequence[Envelope]) -> list[Record]:
        """The events as records. Raises OutputTooLarge, which counts as a failure of the rules."""
        found = list[Record]()
        for event in events:
            part = self.part if event.subject == file.lead_id else None
            record = Record(event.topic, event.subject.encode(), event.encode(), _JSON, part)
            found.append(_fitting(record, record_limit(event.topic) - MAX_RECORD + MAX_EVENT))
        return found

    def apply(self, file: File[S], decision: Keep[S] | Erase[S], outputs: Sequence[Record]) -> None:
        """Sets the lead's state and due, and collects the `outputs`."""
        due = decision.due if isinstance(decision, Keep) else file.due if decision.spans else None
        if decision.state is not file.state or due != file.due or file.version == 0:
            file.state, file.due, file.changed = decision.state, due, True
        self.files[file.lead_id] = file
        self.tell(decision.counts, outputs)

    def tell(self, counts: Mapping[str, int], outputs: Sequence[Record]) -> None:
        """Adds to the totals and to the outbox."""
        if counts:
            self.totals.update(counts)
        self.outbox += outputs
        self.size += sum(len(record.value or b"") for record in outputs)

    def erase(self, file: File[S], spans: Spans) -> None:
        """Deletes what is kept of the lead up to now, of these times. Its keys stay: nothing is written twice."""
        new = self.facts.pop(file.lead_id, {})
        left = {key: fact for key, fact in new.items() if not within(spans, fact.time)}
        self.facts[file.lead_id] = left
        self.unwritten[file.lead_id] += len(new) - len(left)
        self.erased[file.lead_id] = tuple(dict.fromkeys((*self.erased.get(file.lead_id, ()), *spans)))
        file.changed = True

    def drop(self, file: File[S], reason: str, state: S) -> None:
        """Counts a record of which nothing is kept; one that a newer fact has replaced changes nothing else."""
        if reason == REPLACED:
            self.totals[REPLACED] += 1
            return
        file.state, file.changed = state, True
        file.dropped[reason] = file.dropped.get(reason, 0) + 1
        self.files[file.lead_id] = file
        self.totals[f"dropped:{reason}"] += 1

    def bury(self, record: Received, refusal: Refused) -> None:
        """Makes the record a dead letter."""
        self.totals[f"dead_letters:{refusal.reason}"] += 1
        self.outbox.append(dead_letter(record, refusal, self.service))

    def fail(self, number: int, record: Received, refusal: Refused) -> None:
        """As `bury` for a record that could not be read or on which the rules failed: it counts towards the limit."""
        self.failed.append(number)
        self.bury(record, refusal)

    def changes(self, written: Progress) -> bool:
        """Whether there is anything to write that is not `written` already."""
        changed = any(file.changed for file in self.files.values())
        return changed or bool(self.outbox or self.swapped) or self.progress != written


def _fitting(record: Record, limit: int) -> Record:
    if (size := size_of(record)) > limit:
        raise OutputTooLarge(f"{record.topic}: {size} bytes, {limit} are allowed")
    return record
