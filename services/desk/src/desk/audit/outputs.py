"""Compares the outputs that a service's states announce with its output topics and its outbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from desk.audit.content import Event, digest
from desk.audit.report import Findings
from desk.audit.snapshot import Database
from desk.audit.topics import BARRIER_KEY, Raw

EPISODES_KEPT = 10
"""sla-monitor drops the ended clocks of older episodes."""
SKEW_MS = 1_000
"""How far a producer's clock, which stamps the record, may be behind the database's, which decides."""
HEALTHY_MS = 5_000

Subject = tuple[str, ...]
"""What has versions: a lead's score, a lead's handoffs (the version is the episode), a clock of an episode."""


class Kind(NamedTuple):
    """How a service's outputs and states are read.

    `topics`: output topic -> the invariant broken by differing content. `above`: the one broken by a version above the
    state's. `statement`: selects lead, latest version announced, its last word, and the rest of the subject.
    """

    topics: Mapping[str, str]
    above: str
    statement: str


KINDS = {
    "scorer": Kind(
        {"lead-scores": "I6"},
        "I6",
        "SELECT lead_id, (state #>> '{published,version}')::bigint, NULL FROM {schema}.lead",
    ),
    "router": Kind(
        {"lead-handoffs": "I7"},
        "I7",
        "SELECT lead_id, (state #>> '{episode,qualification,episode}')::bigint,"
        " state #>> '{episode,qualification,handoff_id}' FROM {schema}.lead",
    ),
    "sla-monitor": Kind(
        {"sla-clocks": "I5", "sla-breaches": "I8"},
        "I8",
        "SELECT lead_id, (c ->> 'version')::bigint, c ->> 'standing', c ->> 'episode', c ->> 'clock'"
        " FROM {schema}.lead LEFT JOIN LATERAL json_array_elements(state -> 'clocks') AS c ON true",
    ),
}


class Outputs:
    """One service's outputs. Takes the states first, then the topics, then the outbox, then `finish`."""

    def __init__(self, service: str, findings: Findings) -> None:
        self._service = service
        self._kind = KINDS[service]
        self._findings = findings
        self._announced: dict[Subject, tuple[int, str | None]] = {}
        self._contents: dict[bytes, bytes] = {}
        self._ids: dict[bytes, str] = {}
        self._seen: Counter[Subject] = Counter()
        self._highest: dict[Subject, int] = {}
        self._breaches: dict[Subject, tuple[int, bool]] = {}
        self.leads: set[str] = set()
        self.published: Counter[int] = Counter()
        """Partition -> different outputs on the topics."""
        self.known: Counter[int] = Counter()
        """The same with those that are only in the outbox yet."""

    @property
    def statement(self) -> str:
        """The query of the rows that `announce` takes."""
        return self._kind.statement

    def announce(self, row: Any) -> None:
        """Takes what a lead's state has announced."""
        lead, version, last, *more = row
        self.leads.add(lead)
        if version:
            self._announced[(lead, *more)] = (version, last)

    def add(self, raw: Raw, event: Event | None) -> None:
        """Takes a record of an output topic, or one still in the outbox; ignores barriers."""
        if raw.key == BARRIER_KEY:
            return
        if event is None or event.key[1] != f"baton/{self._service}":
            self._findings.count("records of other producers", raw.topic)
            return
        subject, version, word = _versioned(event)
        broken = self._kind.topics[raw.topic] if subject else "I5"
        content = digest(raw.key, raw.value)
        known = self._contents.setdefault(digest(raw.topic, event.key[2]), content)
        if known is not content:
            if known != content:
                self._findings.wrong(broken, f"{raw.name}: the same id came with other content before")
            elif raw.offset >= 0:
                self._findings.count("repeats", raw.topic)
            return
        self.known[raw.partition] += 1
        self.published[raw.partition] += raw.offset >= 0
        if subject:
            self._versions(raw, event, broken, (subject, version, word))

    async def finish(self, database: Database, *, whole: bool) -> None:
        """Compares with the states, read again where they have changed; `whole`: no topic has lost its beginning."""
        for subject, (version, last) in self._announced.items():
            if whole and (missing := version - self._seen[subject]):
                self._findings.wrong(
                    "I5", f"{self._service}: {missing} announced of {_name(subject)} are not published"
                )
            if self._highest.get(subject) == version and subject in self._breaches:
                self._last_word(subject, standing=self._breaches[subject][1], announced=last == "breached")
        ahead = {subject: high for subject, high in self._highest.items() if high > self._state(subject)}
        rows = await database.of_leads(self.statement, self._service, {subject[0] for subject in ahead})
        present = {(lead, *more): version or 0 for lead, version, _, *more in rows}
        for subject, high in ahead.items():
            if high > present.get(subject, 0) and not _forgotten(subject, present):
                found = f"version {high} of {_name(subject)} is published, the database is at {present.get(subject, 0)}"
                self._findings.wrong(self._kind.above, f"{self._service}: {found}")

    def _versions(self, raw: Raw, event: Event, broken: str, said: tuple[Subject, int, str]) -> None:
        subject, version, word = said
        if self._ids.setdefault(digest(*subject, str(version)), event.key[2]) != event.key[2]:
            self._findings.wrong(broken, f"{raw.name}: {_name(subject)} has version {version} under another id")
            return
        state, last = self._announced.get(subject, (0, None))
        self._seen[subject] += version <= state
        self._highest[subject] = max(version, self._highest.get(subject, 0))
        if self._service == "router" and version == state and word != last:
            self._findings.wrong("I7", f"{raw.name}: the router's state has another handoff for {_name(subject)}")
        if raw.topic == "sla-breaches":
            self._breaches[subject] = max(self._breaches.get(subject, (0, False)), (version, word == "breached"))
            if word == "breached":
                self._timely(raw, event.body["data"])

    def _timely(self, raw: Raw, data: dict[str, Any]) -> None:
        due, detected = (datetime.fromisoformat(data[name]).timestamp() * 1000 for name in ("due", "detected_at"))
        if detected < due or 0 <= raw.timestamp < due - SKEW_MS:
            self._findings.wrong("I9", f"{raw.name}: published before its due")
        if raw.timestamp >= 0:
            late = raw.timestamp - due
            figures = self._findings.figures.setdefault(
                "breaches", {"published": 0, "later than 5 s": 0, "latest, s": 0.0}
            )
            figures["published"] += 1
            figures["later than 5 s"] += late > HEALTHY_MS
            figures["latest, s"] = max(figures["latest, s"], round(late / 1000, 3))

    def _last_word(self, subject: Subject, *, standing: bool, announced: bool) -> None:
        if standing != announced:
            what = "stands on the topic only" if standing else "stands in the database only"
            self._findings.wrong("I8", f"{self._service}: a breach of {_name(subject)} {what}")

    def _state(self, subject: Subject) -> int:
        return self._announced.get(subject, (0, None))[0]


def _versioned(event: Event) -> tuple[Subject, int, str]:
    """The subject of the event, its version, and its word; no subject for what has no versions."""
    lead, data, word = event.key[0], event.body.get("data"), event.body["type"].split(".")[2:3]
    if not isinstance(data, dict):
        return (), 0, ""
    match event.body["type"], data:
        case "baton.lead.scored.v1", {"version": int(version)}:
            return (lead,), version, ""
        case "baton.lead.handed_off.v1", {"episode": int(episode), "handoff_id": str(handoff)}:
            return (lead,), episode, handoff
        case _, {"clock": str(clock), "episode": int(episode), "version": int(version), "due": str()}:
            return (lead, str(episode), clock), version, "".join(word)
    return (), 0, ""


def _forgotten(subject: Subject, present: Mapping[Subject, int]) -> bool:
    """Whether sla-monitor has dropped the clock."""
    if len(subject) == 1 or subject in present:
        return False
    later = [int(other[1]) for other in present if other[0] == subject[0] and other[1] is not None]
    return max(later, default=0) >= int(subject[1]) + EPISODES_KEPT


def _name(subject: Subject) -> str:
    lead, *more = subject
    return f"lead {lead}" + (f" ({more[1]} of episode {more[0]})" if more else "")
