"""The guard against a flood: how many facts of one sort a file takes, and how many are recalled for a late one."""

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
"""Facts heard of a lead, before all that it has are read to be counted: few leads have so many, and no others pay."""


class Guard(Generic[S]):
    """Counts in memory, so that no fact has to rewrite its lead's row; the facts themselves are what is counted."""

    def __init__(self, limit: Limit | None) -> None:
        self._limit = limit

    def unsure(self, file: File[S]) -> bool:
        """Whether it takes all facts of the lead to say how many there are.

        Of a lead that was never flooded it does not before UNCOUNTED more have come: so many may go past the limit
        after each load. A flooded one is counted at once, so that no event dropped before is taken later.
        """
        if self._limit is None or file.sorts is not None:
            return False
        return file.heard >= UNCOUNTED or (file.heard == 0 and FLOOD in file.dropped)

    def full(self, file: File[S], fact: Fact) -> bool:
        """Whether the fact is one too many of its sort."""
        limit = self._limit
        if limit is None or file.sorts is None:
            return False
        sort = limit.sort(fact)
        return sort is not None and file.sorts.get(sort, 0) >= limit.most

    def too_late(self, file: File[S], fact: Fact) -> bool:
        """Whether a late fact is not worth that so many are read again: each more could be made to cost as much."""
        limit = self._limit
        if limit is None or file.sorts is None:
            return False
        return limit.sort(fact) is not None and sum(file.sorts.values()) >= limit.late

    def keep(self, file: File[S], fact: Fact) -> None:
        """The fact is in the file from now on."""
        if file.sorts is None:
            file.heard += 1
        elif self._limit is not None and (sort := self._limit.sort(fact)) is not None:
            file.sorts[sort] = file.sorts.get(sort, 0) + 1

    def count(self, file: File[S], facts: Iterable[Fact]) -> None:
        """These are all facts of the lead."""
        if self._limit is not None:
            file.sorts = Counter(sort for sort in map(self._limit.sort, facts) if sort is not None)

    def drop(self, file: File[S], pending: Pending[S]) -> None:
        """The lead's fact in hand is dropped."""
        pending.drop(file, FLOOD, file.state)
