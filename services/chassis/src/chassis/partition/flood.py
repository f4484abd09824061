"""The limits of a lead's file: facts of one sort per day, and facts recalled for a late one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Generic

from chassis.partition.lead_cache import File
from chassis.partition.pending import Pending
from chassis.service import Limit, S
from schemas.envelope import Fact
from schemas.erasure import FLOOD

UNCOUNTED = 100
"""Facts of a lead that arrive before its stored facts are counted: few leads have so many, so few pay for the count."""


class Guard(Generic[S]):
    """Counts in memory, so that no fact rewrites its lead's row; the facts themselves are counted."""

    def __init__(self, limit: Limit | None) -> None:
        self._limit = limit

    def unsure(self, file: File[S]) -> bool:
        """Whether the number is unknown without reading all facts of the lead.

        It is read after UNCOUNTED new facts: so many may pass the limit after each load. Of a lead that was flooded
        before it is read at once, so that no event dropped before is accepted later.
        """
        if self._limit is None or file.sorts is not None:
            return False
        return file.arrived >= UNCOUNTED or (file.arrived == 0 and FLOOD in file.dropped)

    def full(self, file: File[S], fact: Fact) -> bool:
        """Whether the fact is over the limit of its sort."""
        limit = self._limit
        if limit is None or file.sorts is None:
            return False
        sort = limit.sort(fact)
        return sort is not None and file.sorts.get(sort, 0) >= limit.most

    def too_late(self, file: File[S], fact: Fact) -> bool:
        """Whether the lead has too many facts to recall them for a late one: every further one would cost as much."""
        limit = self._limit
        if limit is None or file.sorts is None:
            return False
        return limit.sort(fact) is not None and sum(file.sorts.values()) >= limit.late

    def keep(self, file: File[S], fact: Fact) -> None:
        """Counts the fact with the file."""
        if file.sorts is None:
            file.arrived += 1
        elif self._limit is not None and (sort := self._limit.sort(fact)) is not None:
            file.sorts[sort] = file.sorts.get(sort, 0) + 1

    def count(self, file: File[S], facts: Iterable[Fact]) -> None:
        """Counts anew; these are all facts of the lead."""
        if self._limit is not None:
            file.sorts = Counter(sort for sort in map(self._limit.sort, facts) if sort is not None)

    def drop(self, file: File[S], pending: Pending[S]) -> None:
        """Drops the lead's fact as flood."""
        pending.drop(file, FLOOD, file.state)
