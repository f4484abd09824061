"""What the owner of a partition writes between its claim and its end: commits, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic

from chassis.kafka.consumer import append_time
from chassis.kafka.dead_letter import unsent
from chassis.kafka.publisher import Publisher, Record, size_of
from chassis.partition.barrier import Barriers
from chassis.partition.clock import DatabaseClock
from chassis.partition.journal import Batch, Claim, Journal
from chassis.partition.lead_cache import Files
from chassis.partition.pending import Pending
from chassis.partition.stride import EPOCH, SIZE, stride
from chassis.process import failpoints
from chassis.process.failures import Failure, Unpublishable
from chassis.process.logs import logger
from chassis.service import At, S, Service
from schemas.sizes import REJECTED

log = logger(__name__)

PUBLISHED_BYTES = 8 * 1024 * 1024
"""Most bytes of an outbox that are published within one deadline: a larger one would be begun anew for ever."""


class Stuck(Failure):
    """Rows of the outbox that the broker refuses for good; `rows` are those, by number. What is behind them waits."""

    def __init__(self, service: str, part: int, rows: Mapping[int, Record]) -> None:
        verbs = " ".join(f"--set-aside {part}/{seq}" for seq in rows)
        topics = ", ".join(sorted({record.topic for record in rows.values()}))
        super().__init__(f"{topics} takes no record of this size or from this role: `{service} serve {verbs}` goes on")
        self.rows = rows


@dataclass(frozen=True, slots=True)
class Takeover:
    """What a claim found, and where to read on."""

    part: int
    claim: Claim
    journal: Journal
    offsets: dict[str, int]
    partitions: int
    """How many every input topic has."""
    most: int = 5000
    """Records in one commit."""
    lifted: int = 0
    """For how many records more the limit of failures does not hold: somebody said to go on."""
    aside: frozenset[int] = frozenset()
    """Numbers of outbox rows that are set aside if the broker refuses them: somebody said so."""


class Epoch(Generic[S]):
    """Anything raised leaves the files in memory ahead of the database: the epoch is then over, and a new claim finds
    out what was written.
    """

    def __init__(self, service: Service[S], takeover: Takeover, files: Files[S]) -> None:
        claim = takeover.claim
        self._service = service
        self._part = takeover.part
        self._number = claim.epoch
        self._journal = takeover.journal
        self._files = files
        self._clock = DatabaseClock(claim.now)
        self._next_due = claim.next_due
        self._acknowledged = self._deleted = 0
        self._aside = takeover.aside
        self._owed_since = claim.owed_since
        self._claimed_at = claim.now
        self._barriers = Barriers(service.name, takeover.part, service.inputs)
        self._begin_at = takeover.offsets
        self._new = takeover.offsets != claim.progress.offsets
        self.progress = replace(claim.progress, offsets=takeover.offsets)
        self._stride = stride(takeover.most, claim.epoch, claim.progress.totals)

    async def drain(self, publisher: Publisher) -> int:
        """Publishes what an earlier owner left in the outbox, in order; returns how many that were.

        Also writes down where reading begins, where nobody has yet: what is deleted from then on is missed.
        """
        count, aside = 0, dict[int, Record]()
        while rows := await self._journal.leftovers(self._acknowledged):
            try:
                await self._publish(rows, publisher)
            except Stuck as stuck:
                if not stuck.rows.keys() <= self._aside:
                    raise
                aside |= stuck.rows
            failpoints.reach("draining")
            self._acknowledged = rows[-1][0]
            count += len(rows)
        self._owed_since = None
        self.progress.totals["repeats"] += count - len(aside)
        for seq in sorted(self._aside - aside.keys()):
            log.error(
                "not_set_aside", partition=self._part, seq=seq, reason="there is no such row that does not go out"
            )
        if self._new or aside:
            await self._commit(self._without(aside), publisher)
        return count

    def _without(self, stuck: Mapping[int, Record]) -> Pending[S]:
        """The stuck rows go with this commit, and stand where what is rejected stands."""
        pending = self._begin()
        for seq, record in stuck.items():
            log.warning("set_aside", partition=self._part, seq=seq, topic=record.topic, to=REJECTED)
            pending.totals["set_aside"] += 1
            pending.outbox.append(unsent(record, self._service.name, self._part, seq))
        return pending

    async def _publish(self, rows: Sequence[tuple[int, Record]], publisher: Publisher) -> None:
        """Raises Stuck that names the rows which the broker refuses for good; the others have then landed."""
        stuck = dict[int, Record]()
        for some in _pieces(rows):
            try:
                await publisher.publish([record for _, record in some])
            except Unpublishable as refusal:
                stuck |= {seq: record for seq, record in some if refusal.names(record)}
        if stuck:
            raise Stuck(self._service.name, self._part, stuck)

    @property
    def now(self) -> datetime:
        """The database's time."""
        return self._clock.now()

    def outbox_age(self) -> timedelta:
        """For how long something committed has not been acknowledged by the broker; zero when all is."""
        return timedelta(0) if self._owed_since is None else self.now - self._owed_since

    def behind(self, topic: str) -> timedelta:
        """How old the last record read of the topic is; since the claim, where none was read yet."""
        if self.progress.offsets[topic] == self._begin_at[topic]:
            return self.now - self._claimed_at
        return self.now - append_time(self.progress.marks[topic])

    def _begin(self, now: datetime | None = None) -> Pending[S]:
        """Nothing yet: one instant for the whole batch."""
        at = At(now or self._clock.now(), self._barriers.known)
        return Pending(self._service.name, self._part, self.progress.copy(), {}, at)

    async def _share(self, pending: Pending[S]) -> None:
        """One reading of the shared rows for the whole batch, as late as can be: who reads early is overtaken."""
        shared = await self._journal.shared(self._service.shared)
        pending.at = replace(pending.at, shared={name: value for name, (version, value) in shared.items() if version})
        pending.versions = {name: version for name, (version, _) in shared.items()}

    async def _commit(self, pending: Pending[S], publisher: Publisher) -> None:
        progress, outbox = pending.progress, pending.outbox
        progress.out_seq += len(outbox)
        progress.totals["published"] += len(outbox)
        progress.totals[EPOCH], progress.totals[SIZE] = self._number, self._stride.size
        shared = [(name, pending.versions[name], value) for name, value in pending.swapped.items()]
        rows = await self._files.rows(pending.files.values())
        new = [fact for facts in pending.facts.values() for fact in facts.values()]
        batch = Batch(progress, new, rows, outbox, shared, pending.erased, sorted(pending.replaced))
        now = await self._journal.commit(self._number, batch, self._acknowledged)
        failpoints.reach("committed")
        self._clock.set(now)
        self._deleted, self.progress = self._acknowledged, progress
        self._barriers.passed(progress.offsets)
        dues = [row.due for row in rows if row.due is not None]
        self._next_due = min([*dues, *([self._next_due] if self._next_due else [])], default=None)
        self._files.settle(pending.files.values())
        if outbox:
            self._owed_since = now
            await self._publish(list(enumerate(outbox, progress.out_seq - len(outbox) + 1)), publisher)
            self._acknowledged, self._owed_since = progress.out_seq, None


def _pieces(rows: Sequence[tuple[int, Record]]) -> Iterator[Sequence[tuple[int, Record]]]:
    """In order, each of at most PUBLISHED_BYTES, or of one row."""
    begin = total = 0
    for place, (_, record) in enumerate(rows):
        total += (size := size_of(record))
        if total > PUBLISHED_BYTES and place > begin:
            yield rows[begin:place]
            begin, total = place, size
    if rows[begin:]:
        yield rows[begin:]
