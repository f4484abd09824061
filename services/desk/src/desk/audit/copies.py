"""Compares what a service has published on its inputs: facts of a lead again for another lead, `via` the first, and
events of its own.
"""

from __future__ import annotations

from collections import Counter

from desk.audit.content import Event, digest
from desk.audit.snapshot import Books

UNMERGED = "baton.lead.unmerged.v1"


class Copies:
    """Takes the records of a service's inputs and outbox, then `close`; stores none where nothing was copied.

    `known`: partition -> number of its facts with a copy; `known_ever` counts events of its own, too, and
    `published_ever` those of them that are on a topic. After an unmerge a fact may be copied `again`.
    """

    def __init__(self, books: Books) -> None:
        totals = [progress.totals for progress in books.partitions.values()]
        self.any = any(each.get("forwarded") or each.get("moved") for each in totals)
        self._source = f"baton/{books.service}"
        self._accepted: dict[bytes, int] = {}
        self._found: dict[bytes, bool] = {}
        self._own: dict[bytes, bool] = {}
        self.known: Counter[int] = Counter()
        self.known_ever = self.published_ever = 0
        self.again = False

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
                self._found[key] = published or self._found.get(key, False)
        elif event.key[1] == self._source:
            self._own[digest(*event.key)] = published or self._own.get(digest(*event.key), False)
        self.again = self.again or event.body.get("type") == UNMERGED

    def close(self) -> None:
        """Call it after the last record. Copies of events that the service has not accepted are ignored."""
        for key, published in self._found.items():
            if (part := self._accepted.get(key)) is not None:
                self.known[part] += 1
                self.published_ever += published
        self.known_ever = self.known.total() + len(self._own)
        self.published_ever += sum(self._own.values())
