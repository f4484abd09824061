"""The dead letters by their original record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from desk.audit.content import digest
from desk.audit.report import Findings
from desk.audit.topics import Raw

_ABOUT = ("reason", "topic", "partition", "offset", "service")


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: its reason, and a digest of its content; none where it was cut."""

    reason: str
    content: bytes | None


class Letters:
    """The dead letters by their original record: (service, topic, partition, offset)."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.found: dict[tuple[str, str, int, int], Letter] = {}
        self.published: Counter[tuple[str, int]] = Counter()
        """(Service, partition) -> different dead letters on a topic."""
        self.known: Counter[tuple[str, int]] = Counter()
        """The same with those that are only in an outbox yet."""

    def add(self, raw: Raw) -> None:
        """Takes a record of a dead-letter topic, or one still in an outbox."""
        marks = {name: (raw.headers.get(f"x-dlq-{name}") or b"").decode("latin-1") for name in _ABOUT}
        if not (marks["partition"].isdecimal() and marks["offset"].isdecimal() and marks["service"]):
            return self._findings.count("records that are no dead letters", raw.topic)
        original = (marks["service"], marks["topic"], int(marks["partition"]), int(marks["offset"]))
        letter = Letter(marks["reason"], None if "x-dlq-cut" in raw.headers else digest(raw.key, raw.value))
        known = self.found.setdefault(original, letter)
        if known is letter:
            self._findings.count("dead letters", f"{marks['service']}: {marks['reason']}")
            self.known[marks["service"], raw.partition] += 1
            self.published[marks["service"], raw.partition] += raw.offset >= 0
        elif known != letter:
            self._findings.wrong("I10", f"{raw.name}: another dead letter of the same record says otherwise")
        elif raw.offset >= 0:
            self._findings.count("repeats", raw.topic)
        return None


def dead_letters_of(topic: str) -> str:
    """The topic for records of this topic that can never be accepted."""
    return f"{topic}-dlq"
