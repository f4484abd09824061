"""What a service has forwarded: facts of a lead, published again `via` that lead for another one."""

from __future__ import annotations

from collections import Counter

from desk.audit.content import Event, digest
from desk.audit.snapshot import Books


class Copies:
    """Shown the records of a service's inputs and outbox, then `close`; remembers none where nothing was forwarded.

    `known`: partition -> how many of its facts have a copy; `published`: how many have one on a topic.
    """

    def __init__(self, books: Books) -> None:
        self.any = any(progress.totals.get("forwarded") for progress in books.partitions.values())
        self._accepted: dict[bytes, int] = {}
        self._found: dict[bytes, bool] = {}
        self.known: Counter[int] = Counter()
        self.published: Counter[int] = Counter()

    def accepted(self, event: Event, part: int) -> None:
        """The event is a fact, or its repeat, in the partition."""
        if self.any:
            self._accepted.setdefault(digest(*event.key), part)

    def add(self, event: Event | None, *, published: bool) -> None:
        """Takes an event that is on a topic, or still in the outbox only; if it is a copy, it names its lead."""
        via = event.body.get("via") if self.any and event is not None else None
        if event is not None and isinstance(via, str):
            key = digest(via, *event.key[1:])
            self._found[key] = published or self._found.get(key, False)

    def close(self) -> None:
        """All were shown. A copy of what the service has not accepted is nobody's."""
        for key, published in self._found.items():
            if (part := self._accepted.get(key)) is not None:
                self.known[part] += 1
                self.published[part] += published
