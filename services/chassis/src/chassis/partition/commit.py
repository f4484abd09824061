"""Commits what was decided with one fenced statement, then publishes its outputs; at first those left by others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Generic

from chassis.kafka.consumer import append_time
from chassis.kafka.dead_letter import unsent
from chassis.kafka.publisher import Publisher, Record, size_of
from chassis.partition.barrier import Barriers
from chassis.partition.journal import Batch, Claim, Journal, LeadRow
from chassis.partition.lead_cache import File, Files
from chassis.partition.pending import Pending
from chassis.partition.stride import EPOCH, SIZE, Stride, breathing
from chassis.process import failpoints
from chassis.process.failures import Failure, Unpublishable
from chassis.process.logs import logger
from chassis.service import At, S, Service
from schemas.sizes import REJECTED

log = logger(__name__)

PUBLISHED_BYTES = 8 * 1024 * 1024
"""Most bytes of an outbox published within one deadline; a larger publish would time out and start again for ever."""


class Stuck(Failure):
    """Rows of the outbox that the broker refuses for good; `rows` are their numbers. Later rows wait."""

    def __init__(self, service: str, part: int, rows: Mapping[int, Record]) -> None:
        verbs = " ".join(f"--set-aside {part}/{seq}" for seq in rows)
        topics = ", ".join(sorted({record.topic for record in rows.values()}))
        super().__init__(f"{topics} takes no record of this size or from this role: `{service} serve {verbs}` goes on")
        self.rows = rows


class DatabaseClock:
    """The database's time, the only one that decides; between round trips it is extrapolated by the loop's
    monotonic clock.
    """

    def __init__(self, now: datetime) -> None:
        self.set(now)

    def set(self, now: datetime) -> None:
        self._at, self._monotonic = now, asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return self._at + timedelta(seconds=asyncio.get_running_loop().time() - self._monotonic)


class Committer(Generic[S]):
    """Writes the commits of one owner of the partition, and keeps its progress.

    After any exception the files in memory are ahead of the database: the epoch is over, and a new claim finds out what
    was written.
    """

    def __init__(  # noqa: PLR0913 - what the owner has, each on its own
        self,
        service: Service[S],
        journal: Journal,
        publisher: Publisher,
        files: Files[S],
        stride: Stride,
        *,
        claim: Claim,
        offsets: dict[str, int],
    ) -> None:
        self._service = service
        self._journal = journal
        self._publisher = publisher
        self._files = files
        self._stride = stride
        self._claim = claim
        self._offsets = offsets
        self._acknowledged_up_to = self._deleted_up_to = 0
        """Number of the last output that is acknowledged, and of the last one that is no longer in the outbox."""
        self._owed_since = claim.owed_since
        self.barriers = Barriers(service.name, claim.part, service.inputs, publisher)
        self.clock = DatabaseClock(claim.now)
        self.next_due = claim.next_due
        self.progress = replace(claim.progress, offsets=offsets)

    async def drain(self, aside: frozenset[int] = frozenset()) -> int:
        """Publishes what an earlier owner left in the outbox, in order; returns the number of records.

        Rows numbered in `aside` are set aside if the broker refuses them: an operator has said so. Also stores the
        first offsets, where none are stored yet: from then on deleted records are noticed.
        """
        count, stuck = 0, dict[int, Record]()
        while rows := await self._journal.leftovers(self._acknowledged_up_to):
            try:
                await self._publish(rows)
            except Stuck as refusal:
                if not refusal.rows.keys() <= aside:
                    raise
                stuck |= refusal.rows
            failpoints.reach("draining")
            self._acknowledged_up_to = rows[-1][0]
            count += len(rows)
        self._owed_since = None
        self.progress.totals["repeats"] += count - len(stuck)
        part = self._claim.part
        for seq in sorted(aside - stuck.keys()):
            log.error("not_set_aside", partition=part, seq=seq, reason="there is no such row that does not go out")
        if stuck or self._offsets != self._claim.progress.offsets:
            pending = await self.begin()
            for seq, record in stuck.items():
                log.warning("set_aside", partition=part, seq=seq, topic=record.topic, to=REJECTED)
                pending.totals["set_aside"] += 1
                pending.outbox.append(unsent(record, self._service.name, part, seq))
            await self.commit(pending)
        return count

    async def begin(self, now: datetime | None = None) -> Pending[S]:
        """An empty Pending: one instant and one reading of the shared rows for everything decided into it."""
        at = At(now or self.clock.now(), self.barriers.known)
        shared = await self._journal.shared(self._service.shared)
        at = replace(at, shared={name: value for name, (version, value) in shared.items() if version})
        versions = {name: version for name, (version, _) in shared.items()}
        return Pending(self._service.name, self._claim.part, self.progress.copy(), versions, at)

    async def commit(self, pending: Pending[S]) -> None:
        """Writes all that is pending or nothing; then publishes its outputs and waits for the acknowledgements."""
        progress, outbox = pending.progress, pending.outbox
        progress.out_seq += len(outbox)
        progress.totals["published"] += len(outbox)
        progress.totals[EPOCH], progress.totals[SIZE] = self._claim.epoch, self._stride.size
        shared = [(name, pending.versions[name], value) for name, value in pending.swapped.items()]
        rows = await self._rows(pending.files.values())
        new = [fact for facts in pending.facts.values() for fact in facts.values()]
        batch = Batch(progress, new, rows, outbox, shared, pending.erased, pending.unwritten, sorted(pending.replaced))
        now = await self._journal.commit(self._claim.epoch, batch, self._acknowledged_up_to)
        failpoints.reach("committed")
        self.clock.set(now)
        self._deleted_up_to, self.progress = self._acknowledged_up_to, progress
        self.barriers.passed(progress.offsets)
        dues = [row.due for row in rows if row.due is not None]
        self.next_due = min([*dues, *([self.next_due] if self.next_due else [])], default=None)
        self._files.evict(pending.files.values())
        if outbox:
            self._owed_since = now
            await self._publish(list(enumerate(outbox, progress.out_seq - len(outbox) + 1)))
            self._acknowledged_up_to, self._owed_since = progress.out_seq, None

    async def _rows(self, files: Iterable[File[S]]) -> list[LeadRow]:
        """The rows to write for the files that changed, their versions raised."""
        rows = []
        async for file in breathing(files):
            if file.changed:
                file.version += 1
                file.changed = False
                state = self._service.dump(file.state)
                rows.append(LeadRow(file.lead_id, file.version, file.due, state, file.erased, dict(file.dropped)))
        return rows

    async def _publish(self, rows: Sequence[tuple[int, Record]]) -> None:
        """Raises Stuck with the rows that the broker refuses for good; all others are then written."""
        stuck = dict[int, Record]()
        for some in _pieces(rows):
            try:
                await self._publisher.publish([record for _, record in some])
            except Unpublishable as refusal:
                stuck |= {seq: record for seq, record in some if refusal.names(record)}
        if stuck:
            raise Stuck(self._service.name, self._claim.part, stuck)

    @property
    def untidy(self) -> bool:
        """Whether acknowledged rows are still in the outbox, since no commit has followed."""
        return self._deleted_up_to < self._acknowledged_up_to

    def outbox_age(self) -> timedelta:
        """Age of the oldest committed output that is not acknowledged; zero when all are."""
        return timedelta(0) if self._owed_since is None else self.clock.now() - self._owed_since

    def behind(self, topic: str) -> timedelta:
        """Age of the last record read of the topic; since the claim, where none was read yet."""
        if self.progress.offsets[topic] == self._offsets[topic]:
            return self.clock.now() - self._claim.now
        return self.clock.now() - append_time(self.progress.marks[topic])


def _pieces(rows: Sequence[tuple[int, Record]]) -> Iterator[Sequence[tuple[int, Record]]]:
    """In order, each of at most PUBLISHED_BYTES, or of one row."""
    begin = total = 0
    for index, (_, record) in enumerate(rows):
        total += (size := size_of(record))
        if total > PUBLISHED_BYTES and index > begin:
            yield rows[begin:index]
            begin, total = index, size
    if rows[begin:]:
        yield rows[begin:]
