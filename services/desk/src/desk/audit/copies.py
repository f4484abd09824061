"""Compares what a service has published on its inputs: facts of a lead again for another lead, `via` the first, and
events of its own.
"""

from __future__ import annotations

from collections import Counter
from sys import intern

from desk.audit.content import Event, digest
from desk.audit.snapshot import Books

UNMERGED = "baton.lead.unmerged.v1"
BEGINNINGS = ("baton.lead.linked.v1", "baton.lead.merged.v1")
"""What a lead says of itself when it becomes another one: all its facts are moved."""


class Copies:
    """Takes the records of a service's inputs and outbox, then `close`; stores none where nothing was copied.

    `known`: partition -> number of its facts with a copy. A lead that becomes another one after an unmerge is moved
    anew, and a fact that was deleted with one of several leads of an alias may come again, so `again`: partition -> at
    most so many copies are further ones of those facts. `most_ever` counts both and
    events of its own, `published_ever` facts and events of which a record is on a topic.
    """

    def __init__(self, books: Books) -> None:
        totals = [progress.totals for progress in books.partitions.values()]
        self.any = any(each.get("forwarded") or each.get("moved") for each in totals)
        self._source = f"baton/{books.service}"
        self._accepted: dict[bytes, int] = {}
        self._found: dict[bytes, tuple[str, bool]] = {}
        """A fact that has a copy -> whose it is, empty if no move takes it again; whether the copy is on a topic."""
        self._own: dict[bytes, bool] = {}
        self.known: Counter[int] = Counter()
        self.most_ever = self.published_ever = 0
        self.again = Counter[int]()
        for each in books.unkept.values():
            self.again[each.part] += each.deleted if each.living else 0
        self._apart: set[str] = set()
        """Leads that are unmerged at this place of the topic."""
        self._moved_anew: Counter[str] = Counter()

    def accepted(self, event: Event, part: int) -> None:
        """The event is a fact of the partition, or a repeat."""
        if self.any:
            self._accepted.setdefault(digest(*event.key), part)

    def add(self, event: Event | None, *, published: bool) -> None:
        """Takes an event on a topic, or one only in the outbox yet; a copy names the lead that it came from."""
        if event is None:
            return
        via = event.body.get("via")
        if isinstance(via, str):
            if self.any:
                key = digest(via, *event.key[1:])
                own = "" if self._names_of(event) == via else intern(via)
                self._found[key] = (own, published or self._found.get(key, ("", False))[1])
        elif event.key[1] == self._source:
            self._own[digest(*event.key)] = published or self._own.get(digest(*event.key), False)
        if self._names_of(event) == event.key[0]:
            self._begins(event)

    @staticmethod
    def _names_of(event: Event) -> str | None:
        """The alias that the event links, merges or unmerges."""
        data = event.body.get("data")
        if not isinstance(data, dict) or event.body.get("type") not in (UNMERGED, *BEGINNINGS):
            return None
        return str(data.get("alias"))

    def _begins(self, event: Event) -> None:
        """Takes what a lead says of itself, in the order of its topic."""
        lead = event.key[0]
        if event.body["type"] == UNMERGED:
            self._apart.add(lead)
        elif lead in self._apart:
            self._apart.discard(lead)
            self._moved_anew[lead] += 1

    def close(self) -> None:
        """Call it after the last record. Copies of events that the service has not accepted are ignored."""
        for key, (lead, published) in self._found.items():
            if (part := self._accepted.get(key)) is not None:
                self.known[part] += 1
                self.again[part] += self._moved_anew[lead]
                self.published_ever += published
        self.most_ever = self.known.total() + self.again.total() + len(self._own)
        self.published_ever += sum(self._own.values())
