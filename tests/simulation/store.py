"""The store: a service's Postgres schema in memory, with the semantics of the statements in chassis.partition.sql."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from chassis.kafka.publisher import Record
from chassis.partition.journal import (
    Batch,
    Claim,
    FactKnown,
    Journal,
    LeadRow,
    Progress,
    RefusedByDatabase,
    SharedConflict,
)
from chassis.process.failures import DatabaseAway, Fenced
from schemas.envelope import Fact
from schemas.links import within
from tests.simulation.loop import PROCESS
from tests.simulation.network import Network

Key = tuple[str, str, str]


@dataclass(slots=True)
class Partition:
    """A row of `partition`, and the partition's outbox."""

    epoch: int = 0
    progress: Progress = field(default_factory=Progress)
    outbox: dict[int, tuple[Record, datetime]] = field(default_factory=dict)
    """Number -> the record, and since when it is owed."""


LOCK_SECONDS = 5


class Store:
    """Every method is one statement, done in full or not at all.

    One that only reads happens in one instant. One that writes waits for the rows that another one holds, sees them as
    that one leaves them, and all else as of its own start; what it writes shows once it is on the disk.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.waiting = 0
        """How many statements wait, for the disk or for a row."""
        self._held: dict[str, asyncio.Lock] = {}
        self.partitions: dict[int, Partition] = {}
        self.facts: dict[Key, Fact] = {}
        self.leads: dict[str, tuple[int, LeadRow]] = {}
        self.shared: dict[str, tuple[int, str]] = {}
        self.announced: list[Record] = []
        """Every outbox row ever written."""
        self.stale: set[int] = set()
        """Partitions that were once told that nothing is known where something was."""

    @asynccontextmanager
    async def locked(self, row: str) -> AsyncIterator[None]:
        """Holds the row for as long as the block lasts."""
        lock = self._held.setdefault(row, asyncio.Lock())
        try:
            with self._counted():
                async with asyncio.timeout(LOCK_SECONDS):
                    await lock.acquire()
        except TimeoutError:
            raise DatabaseAway("database: 55P03") from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    async def claim(self, part: int) -> tuple[Partition, datetime]:
        """The partition's row as the statement returns it, and the database's time."""
        async with self.locked(f"partition {part}"):
            row = self.partitions.setdefault(part, Partition())
            row.epoch += 1
            return replace(row), self.now()

    def owed_since(self, part: int) -> datetime | None:
        row = self.partitions.get(part, Partition())
        return min((since for _, since in row.outbox.values()), default=None)

    def leftovers(self, part: int, after: int) -> list[tuple[int, Record]]:
        return [(seq, row[0]) for seq, row in sorted(self.partitions[part].outbox.items()) if seq > after][:1000]

    def rows(self, lead_ids: Sequence[str]) -> list[LeadRow]:
        return [self.leads[lead_id][1] for lead_id in lead_ids if lead_id in self.leads]

    def fingerprints(self, keys: Sequence[Key]) -> dict[int, bytes]:
        return {at: self.facts[key].fingerprint for at, key in enumerate(keys) if key in self.facts}

    def facts_of(self, leads: Sequence[str]) -> list[tuple[str, bytes, datetime, bytes, datetime]]:
        wanted = set(leads)
        return [
            (lead, fact.value, fact.time, fact.fingerprint, fact.received)
            for (lead, *_), fact in self.facts.items()
            if lead in wanted
        ]

    def slices(self, after: Sequence[Key], most: int) -> list[tuple[str, bytes, datetime, bytes, datetime]]:
        found = []
        for first in after:
            keys = sorted(key for key in self.facts if key[0] == first[0] and key[1:] > first[1:])
            for fact in [self.facts[key] for key in keys[:most]]:
                found.append((first[0], fact.value, fact.time, fact.fingerprint, fact.received))
        return found

    def due(self, part: int, most: int) -> tuple[datetime | None, list[LeadRow]]:
        now = self.now()
        rows = [row for of, row in self.leads.values() if of == part and row.due is not None and row.due <= now]
        rows.sort(key=lambda row: row.due or now)
        return (now if rows else None), rows[:most]

    def beyond(self, part: int, lead_id: str, most: int) -> tuple[datetime | None, list[LeadRow]]:
        rows = sorted(
            (row for of, row in self.leads.values() if of == part and row.lead_id > lead_id),
            key=lambda row: row.lead_id,
        )[:most]
        return (self.now() if rows else None), rows

    def next_due(self, part: int) -> datetime | None:
        return min((row.due for of, row in self.leads.values() if of == part and row.due is not None), default=None)

    def latest_due(self) -> datetime | None:
        return max((row.due for _, row in self.leads.values() if row.due is not None), default=None)

    def read_shared(self, names: Sequence[str]) -> dict[str, tuple[int, Any]]:
        found = {name: self.shared.setdefault(name, (0, "null")) for name in names}
        return {name: (version, json.loads(value)) for name, (version, value) in found.items()}

    async def commit(
        self, part: int, epoch: int, batch: Batch, acknowledged: int, disk: Callable[[], Awaitable[object]]
    ) -> datetime:
        """`disk` is waited for with all written and the locks held."""
        async with AsyncExitStack() as locks:
            await locks.enter_async_context(self.locked(f"partition {part}"))
            row = self.partitions.get(part)
            if row is None or not self.owned(row, epoch):
                raise Fenced(f"partition {part}: epoch {epoch} is over")
            for name, _, _ in batch.shared:
                await locks.enter_async_context(self.locked(f"shared {name}"))
            numbered = self.numbered(batch)
            new = self.new_facts(batch.facts)
            if not self.unchanged(batch.shared):
                raise SharedConflict("another partition was first")
            if numbered.keys() & row.outbox.keys():
                raise RefusedByDatabase("23505")
            now = self.now()
            with self._counted():
                await disk()
            self._write(part, batch, new)
            row.outbox = {seq: owed for seq, owed in row.outbox.items() if seq > acknowledged} | numbered
            return now

    def _write(self, part: int, batch: Batch, new: dict[Key, Fact]) -> None:
        row, erased, deleted = self.partitions[part], batch.erased, Counter(batch.unwritten)
        self.forget(batch.replaced)
        for key in [key for key, fact in self.facts.items() if within(erased.get(key[0], ()), fact.time)]:
            del self.facts[key]
            deleted[key[0]] += 1
        self.facts.update(new)
        row.progress = batch.progress.copy()
        for lead in batch.leads:
            before = self.leads[lead.lead_id][1].deleted if lead.lead_id in self.leads else 0
            self.leads[lead.lead_id] = (part, replace(lead, deleted=before + deleted[lead.lead_id]))
        self.shared.update((name, (version + 1, json.dumps(value))) for name, version, value in batch.shared)
        self.announced += batch.outbox

    def forget(self, replaced: Sequence[Key]) -> None:
        """Deletes facts that newer ones have replaced."""
        for key in replaced:
            self.facts.pop(key, None)

    def owned(self, row: Partition, epoch: int) -> bool:
        """The fence."""
        return row.epoch == epoch

    def new_facts(self, facts: Sequence[Fact]) -> dict[Key, Fact]:
        """A plain insert: all of them are new, or FactKnown."""
        new = {(fact.lead_id, *fact.key): fact for fact in facts}
        if len(new) < len(facts) or new.keys() & self.facts.keys():
            raise FactKnown("a fact of the batch is known already")
        return new

    def unchanged(self, shared: Sequence[tuple[str, int, Any]]) -> bool:
        """The comparison before the shared rows are set."""
        return all(self.shared[name][0] == version for name, version, _ in shared)

    def numbered(self, batch: Batch) -> dict[int, tuple[Record, datetime]]:
        """The outbox rows of the batch, by number."""
        now, first = self.now(), batch.progress.out_seq - len(batch.outbox) + 1
        return {seq: (record, now) for seq, record in enumerate(batch.outbox, first)}


class StoreJournal(Journal):
    """One partition's access to the store, through the network."""

    def __init__(self, store: Store, network: Network, part: int) -> None:
        self._store = store
        self._network = network
        self._part = part

    async def claim(self) -> Claim:
        row, now = await self._network.run("claim", lambda: self._store.claim(self._part))
        due = await self.next_due()
        owed_since = await self._network.ask("owed_since", lambda: self._store.owed_since(self._part))
        return claim_of(self._part, row, now, due, owed_since)

    async def leftovers(self, after: int) -> list[tuple[int, Record]]:
        return await self._network.ask("leftovers", lambda: self._store.leftovers(self._part, after))

    async def leads(self, lead_ids: Sequence[str]) -> list[LeadRow]:
        return await self._network.ask("leads", lambda: self._store.rows(lead_ids))

    async def fingerprints(self, keys: Sequence[Key]) -> dict[int, bytes]:
        found = await self._network.ask("fingerprints", lambda: self._store.fingerprints(keys))
        process = PROCESS.get(None)
        stale = found and process and self._network.glitch(process.name, "known", "stale")
        if not stale:
            return found
        self._store.stale.add(self._part)
        return {}  # as a replica that lags would answer

    async def facts(self, leads: Sequence[str]) -> list[tuple[str, bytes, datetime, bytes, datetime]]:
        return await self._network.ask("recall", lambda: self._store.facts_of(leads))

    async def slices(self, after: Sequence[Key], most: int) -> list[tuple[str, bytes, datetime, bytes, datetime]]:
        return await self._network.ask("slices", lambda: self._store.slices(after, most))

    async def due(self, most: int) -> tuple[datetime | None, list[LeadRow]]:
        return await self._network.ask("due", lambda: self._store.due(self._part, most))

    async def beyond(self, lead_id: str, most: int) -> tuple[datetime | None, list[LeadRow]]:
        return await self._network.ask("beyond", lambda: self._store.beyond(self._part, lead_id, most))

    async def next_due(self) -> datetime | None:
        return await self._network.ask("next_due", lambda: self._store.next_due(self._part))

    async def shared(self, names: Sequence[str]) -> dict[str, tuple[int, Any]]:
        if not names:
            return {}
        return await self._network.ask("shared", lambda: self._store.read_shared(names))

    async def commit(self, epoch: int, batch: Batch, acknowledged: int) -> datetime:
        timer = any(row.due is not None for row in batch.leads)
        disk = self._network.disk("timer" if timer else "commit")
        write = partial(self._store.commit, self._part, epoch, batch, acknowledged, disk)
        return await self._network.run("commit", write)


def claim_of(part: int, row: Partition, now: datetime, due: datetime | None, owed_since: datetime | None) -> Claim:
    """What the statements of a claim come to."""
    return Claim(part, row.epoch, row.progress.copy(), due, now, owed_since)


def journals_of(store: Store, network: Network) -> Callable[[int], AbstractAsyncContextManager[Journal]]:
    """As chassis.partition.journal.journals."""

    @asynccontextmanager
    async def journal_of(part: int) -> AsyncIterator[Journal]:
        yield StoreJournal(store, network, part)

    return journal_of
