"""Loads the leads that a partition's records are about, and keeps them in memory while the partition is owned."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, cast

from chassis.partition.journal import Journal, LeadRow
from chassis.partition.stride import breathing
from chassis.service import S, Service
from schemas.envelope import Fact
from schemas.identity import neighbours

Stored = tuple[bytes, datetime, bytes, datetime]
"""A fact's value, effective time, fingerprint and append time."""
MAX_KEYS = 1_000
"""Past so many keys a file drops them and asks the database again."""


def keys_of(fact: Fact) -> list[tuple[str, str]]:
    """The fact's own key, then those under which the same content may be known; if one is known it is a duplicate."""
    return [fact.key, *((fact.event.source, id_) for id_ in neighbours(fact))]


@dataclass(slots=True)
class File(Generic[S]):
    """What is known of one lead. `complete`: `keys` has every fact in the database.

    `sorts` counts its facts by sort; while it is None, `arrived` counts the facts received since the file was loaded.
    `erased`: since when; `dropped`: what was not kept, by reason.
    """

    lead_id: str
    state: S
    version: int = 0
    due: datetime | None = None
    keys: dict[tuple[str, str], bytes] = field(default_factory=dict)
    complete: bool = False
    changed: bool = False
    arrived: int = 0
    sorts: dict[Hashable, int] | None = None
    erased: datetime | None = None
    dropped: dict[str, int] = field(default_factory=dict)

    def forget(self) -> None:
        """Drops what is known of its facts: they are deleted."""
        self.keys.clear()
        self.sorts = {}
        self.complete = True


class Files(Generic[S]):
    """At most `most` files; the least recently used are evicted first.

    They change as facts are decided, before the commit: after a commit that failed the whole cache must be dropped.
    """

    def __init__(self, service: Service[S], journal: Journal, most: int) -> None:
        self._service = service
        self._journal = journal
        self._most = most
        self._files: OrderedDict[str, File[S]] = OrderedDict()

    def __contains__(self, lead_id: str) -> bool:
        return lead_id in self._files

    async def load(self, facts: Sequence[Fact]) -> None:
        """Loads the leads of these facts, and into `keys` which of the facts are known, in two round trips at most."""
        missing = list({fact.event.subject for fact in facts} - self._files.keys())
        if missing:
            stored = {row.lead_id: row for row in await self._journal.leads(missing)}
            async for lead_id in breathing(missing):
                self._files[lead_id] = self._file(lead_id, stored.get(lead_id))
        asked = {
            (fact.event.subject, *key): None
            for fact in facts
            if not (file := self._files[fact.event.subject]).complete
            for key in keys_of(fact)
            if key not in file.keys
        }
        if asked:
            keys = list(asked)
            for at, fingerprint in (await self._journal.fingerprints(keys)).items():
                self._files[keys[at][0]].keys[keys[at][1:]] = fingerprint

    async def histories(self, lead_ids: Collection[str]) -> dict[str, list[Stored]]:
        """All facts of these leads in the database, in one round trip, in no order."""
        found: dict[str, list[Stored]] = {lead_id: [] for lead_id in lead_ids}
        stored = [lead_id for lead_id in lead_ids if self._files[lead_id].version]
        for lead_id, *fact in await self._journal.facts(stored) if stored else ():
            found[lead_id].append(cast("Stored", fact))
        return found

    async def slices(self, moves: Mapping[str, tuple[str, str]], most: int) -> dict[str, list[Stored]]:
        """Of each lead the next facts after the (source, id) given, in one round trip, by source and id."""
        found: dict[str, list[Stored]] = {lead_id: [] for lead_id in moves}
        for lead_id, *fact in await self._journal.slices([(lead, *key) for lead, key in moves.items()], most):
            found[lead_id].append(cast("Stored", fact))
        return found

    def of(self, lead_id: str) -> File[S]:
        """The lead's file, which must be loaded."""
        self._files.move_to_end(lead_id)
        return self._files[lead_id]

    def of_row(self, row: LeadRow) -> File[S]:
        """The file for a row just read; the one in memory, where there is one."""
        if row.lead_id not in self._files:
            self._files[row.lead_id] = self._file(row.lead_id, row)
        return self.of(row.lead_id)

    def evict(self, touched: Iterable[File[S]]) -> None:
        """Evicts the least recently used leads. Only after a commit: until then memory has the only copy."""
        for file in touched:
            if len(file.keys) > MAX_KEYS:
                file.keys.clear()
                file.complete = False
        while len(self._files) > self._most:
            self._files.popitem(last=False)

    def forget(self) -> None:
        """Drops every file, for what is in memory was not committed."""
        self._files.clear()

    def _file(self, lead_id: str, row: LeadRow | None) -> File[S]:
        if row is None:
            return File(lead_id, self._service.new(lead_id), complete=True)
        state = self._service.load(lead_id, row.state)
        return File(lead_id, state, row.version, row.due, erased=row.erased, dropped=dict(row.dropped))
