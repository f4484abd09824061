"""Compares what a service has forwarded: facts of a lead, published again for another lead, `via` the first."""

from __future__ import annotations

from collections import Counter

from desk.audit.content import Event, digest
from desk.audit.snapshot import Books


class Copies:
    """Takes the records of a service's inputs and outbox, then `close`; stores none where nothing was forwarded.

    `known`: partition -> number of its facts with a copy; `published`: number with a copy on a topic.
    """

    def __init__(self, books: Books) -> None:
        self.any = any(progress.totals.get("forwarded") for progress in books.partitions.values())
        self._accepted: dict[bytes, int] = {}
        self._found: dict[bytes, bool] = {}
        self.known: Counter[int] = Counter()
        self.published: Counter[int] = Counter()

    def accepted(self, event: Event, part: int) -> None:
        """The event is a fact of the partition, or a repeat."""
        if self.any:
            self._accepted.setdefault(digest(*event.key), part)

    def add(self, event: Event | None, *, published: bool) -> None:
        """Takes an event on a topic, or one only in the outbox yet; a copy names the lead that it came from."""
        via = event.body.get("via") if self.any and event is not None else None
        if event is not None and isinstance(via, str):
            key = digest(via, *event.key[1:])
            self._found[key] = published or self._found.get(key, False)

    def close(self) -> None:
        """Call it after the last record. Copies of events that the service has not accepted are ignored."""
        for key, published in self._found.items():
            if (part := self._accepted.get(key)) is not None:
                self.known[part] += 1
                self.published[part] += published
