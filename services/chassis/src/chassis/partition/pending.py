"""What one commit will write, while it is being decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic

from chassis.kafka.consumer import received_at
from chassis.kafka.dead_letter import dead_letter
from chassis.kafka.publisher import Record, size_of
from chassis.partition.journal import Revision
from chassis.partition.lead_cache import File
from chassis.process.failures import Failure
from chassis.service import REPLACED, At, Decision, S
from schemas.envelope import Fact, Refused
from schemas.sizes import record_limit


class OutputTooLarge(Failure):
    """Rules made an event that its topic does not take: in the outbox it would be stuck for ever."""


_JSON = (("content-type", b"application/cloudevents+json"),)


@dataclass(slots=True)
class Draft(Generic[S]):
    """Grows fact by fact; `at` is one instant for all of them, its shared rows are as the draft has them."""

    service: str
    part: int
    offsets: dict[str, int]
    marks: dict[str, int]
    totals: Counter[str]
    revision: Revision
    versions: dict[str, int]
    at: At
    facts: dict[tuple[str, str, str], Fact] = field(default_factory=dict)
    """(lead, source, id) -> a fact that is new with this draft."""
    files: dict[str, File[S]] = field(default_factory=dict)
    erased: list[str] = field(default_factory=list)
    """Leads whose facts in the database are deleted; those in `facts` are newer."""
    replaced: set[tuple[str, str, str]] = field(default_factory=set)
    """Facts in the database that are deleted, for newer ones say all that they said."""
    outbox: list[Record] = field(default_factory=list)
    size: int = 0
    """Bytes of the outputs' values."""
    swapped: dict[str, Any] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)
    late: dict[str, list[tuple[int, Any, Fact]]] = field(default_factory=dict)
    """Lead -> its records from the first late one on, with their places: they wait for all facts of the lead."""
    last: dict[str, Any] = field(default_factory=dict)
    """The last record of each topic that has its outcome in this draft."""
    waits: datetime | None = None
    """The latest instant up to which a decision wants the inputs to be known."""

    def read(self, records: Sequence[Any]) -> None:
        """The records, each topic's in order, have their outcome in this draft; gaps between them are counted."""
        self.last = {record.topic: record for record in records}
        self.totals["records"] += len(records)
        gaps = 0
        for record in records:
            gaps += record.offset != self.offsets[record.topic]
            self.offsets[record.topic] = record.offset + 1
        if gaps:
            self.totals["gaps"] += gaps
        for topic, record in self.last.items():
            self.marks[topic] = record.timestamp

    def accept(self, file: File[S], fact: Fact, replaces: Sequence[tuple[str, str]] = ()) -> None:
        """The fact is in the lead's file from now on, in the place of those that it `replaces`."""
        for key in replaces:
            file.keys.pop(key, None)
            if self.facts.pop((file.lead_id, *key), None) is None:
                self.replaced.add((file.lead_id, *key))
        file.keys[fact.key] = fact.fingerprint
        self.facts[file.lead_id, *fact.key] = fact
        self.totals[REPLACED if replaces else "facts"] += 1

    def outputs(self, file: File[S], decision: Decision[S]) -> list[Record]:
        """What the decision publishes. Raises OutputTooLarge: the rules have failed then, and nothing is taken over."""
        found = list[Record]()
        for event in decision.events:
            part = self.part if event.subject == file.lead_id else None
            found.append(Record(event.topic, event.subject.encode(), event.encode(), _JSON, part))
            if (size := size_of(found[-1])) > (limit := record_limit(event.topic)):
                raise OutputTooLarge(f"{event.topic}: {size} bytes, {limit} are allowed")
        return found

    def apply(self, file: File[S], decision: Decision[S], outputs: Sequence[Record]) -> None:
        """Takes over what was decided for the lead, and its `outputs`."""
        if decision.state is not file.state or decision.due != file.due or file.version == 0:
            file.state, file.due, file.changed = decision.state, decision.due, True
        self.files[file.lead_id] = file
        if decision.waits is not None:
            self.waits = max(decision.waits, self.waits or decision.waits)
        if decision.shared:
            self.swapped.update(decision.shared)
            self.at = replace(self.at, shared={**self.at.shared, **decision.shared})
        self.tell(decision, outputs)

    def tell(self, decision: Decision[S], outputs: Sequence[Record]) -> None:
        """Counts what was decided, and publishes its `outputs`."""
        if decision.counts:
            self.totals.update(decision.counts)
        self.outbox += outputs
        self.size += sum(len(record.value or b"") for record in outputs)

    def erase(self, file: File[S]) -> None:
        """All that was kept of the lead up to now goes with this draft."""
        self.facts = {key: fact for key, fact in self.facts.items() if fact.lead_id != file.lead_id}
        self.erased.append(file.lead_id)
        file.forget()

    def drop(self, file: File[S], reason: str, state: S) -> None:
        """What a record says of the lead is not kept; `state` is the lead's from now on, and counts it.

        What is replaced already changes nothing.
        """
        if reason == REPLACED:
            self.totals[REPLACED] += 1
            return
        file.state, file.changed = state, True
        self.files[file.lead_id] = file
        self.totals[f"dropped:{reason}"] += 1

    def bury(self, record: Any, refusal: Refused) -> None:
        """The record becomes a dead letter."""
        self.totals[f"dead_letters:{refusal.reason}"] += 1
        self.outbox.append(dead_letter(record, refusal, self.service, received_at(record)))

    def changes(self, totals: Counter[str], revision: Revision) -> bool:
        """Whether there is anything to write, `totals` and `revision` being what is written already."""
        changed = any(file.changed for file in self.files.values())
        return changed or bool(self.outbox or self.swapped) or self.totals != totals or self.revision != revision
