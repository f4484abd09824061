"""What the owner of a partition decides: its records and its ticks, batch by batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from chassis.kafka.consumer import Received
from chassis.kafka.dead_letter import REFUSED_BY_DATABASE, Limiter
from chassis.kafka.publisher import Publisher
from chassis.partition.barrier import NEVER, is_barrier
from chassis.partition.decide import Decider
from chassis.partition.epoch import Epoch, Takeover
from chassis.partition.journal import LeadRow, RefusedByDatabase, Revision
from chassis.partition.lead_cache import Files
from chassis.partition.pace import Pace, breathing
from chassis.partition.pending import Pending
from chassis.partition.stride import Stride, Unfinished, stride
from chassis.process import failpoints
from chassis.process.failures import OlderPolicy, StatementTimeout
from chassis.process.logs import logger
from chassis.service import S, Service
from schemas.envelope import Fact, Refused

log = logger(__name__)

DECODED_BYTES = 4 * 1024 * 1024
"""Most bytes of values that one commit decides; those of an answer that came uncompressed are fewer."""

OUTPUT_BYTES = 8 * 1024 * 1024
"""Bytes of outputs past which a commit takes nothing more: a second of decisions may make a thousand large scores."""

SLICE = 500
"""Most due leads decided in one transaction, so that records do not wait long behind a wave of deadlines."""
TOGETHER = 50
"""Most leads whose facts are read at once: each may have thousands."""
MANY_FACTS = 100
"""Past this many a lead is recalled in a thread: rules take up to 1 ms for each, and the loop has 50."""
LOOK_AGAIN = timedelta(milliseconds=250)


class Ownership(Epoch[S]):
    """What the owner of a partition does between its claim and its end."""

    def __init__(self, service: Service[S], takeover: Takeover, files: Files[S]) -> None:
        super().__init__(service, takeover, files)
        self._decider = Decider(service, files, takeover.part, takeover.partitions)
        self._limiter = Limiter(lifted=takeover.lifted)
        self._slice = stride(SLICE, takeover.claim.epoch, takeover.claim.progress.totals)
        self._together = Stride(TOGETHER, TOGETHER)

    async def take(self, records: Sequence[Received], publisher: Publisher) -> int:
        """Decides, commits and publishes a first part of the records, at least one; each has exactly one outcome.

        Returns how many that are: as many as are decided in bounded time. The rest is to be given again, in order.
        """

        async def together(some: Sequence[Received]) -> int:
            return await self._round(some, publisher)

        async def alone(record: Received, refusal: RefusedByDatabase) -> None:
            await self._set_aside(record, Refused(REFUSED_BY_DATABASE, str(refusal)), publisher)

        return await self._stride.step(records, together, alone, self._files.forget)

    @property
    def overdue(self) -> bool:
        """Whether a tick has work to do at once."""
        return self.progress.revision.until is not None or (
            self._next_due is not None and self._next_due <= self._clock.now()
        )

    async def tick(self, publisher: Publisher, *, idle: bool) -> None:
        """Decides some of the leads whose due has come, or some that another version of the policy has to judge.

        When idle, deletes acknowledged outbox rows that no batch will.
        """
        try:
            if self._next_due is not None and self._next_due <= self._clock.now():
                await self._judge_due(publisher)
            elif (revision := self._revised()).until is not None:
                await self._judge_anew(revision, publisher)
            elif idle and self._deleted < self._acknowledged:
                await self._commit(self._begin(), publisher)
        except StatementTimeout:  # of a query for leads: those of a commit are met by the stride itself
            if self._slice.size == 1:
                raise
            self._slice.shrink(self._slice.size)

    def _revised(self) -> Revision:
        """From the first lead on when a version newly in force has to judge; else as written already."""
        version = self._service.policies.number_at(self._clock.now())
        return Revision(version, "") if version > self.progress.revision.version else self.progress.revision

    async def _round(self, records: Sequence[Received], publisher: Publisher) -> int:
        """Commits as many of the records as are decided in time, at least the first; returns how many."""
        records = _few_bytes(records)
        readings = [(record, self._decider.read(record)) async for record in breathing(records)]
        await self._files.load([reading for _, reading in readings if isinstance(reading, Fact)])
        pending = self._begin()
        await self._share(pending)
        done = 0
        pace = Pace()
        for record, reading in readings:
            if done and (pending.size > OUTPUT_BYTES or await pace.over()):
                break
            try:
                self._decider.take(done, record, reading, pending)
            except OlderPolicy:
                if not done:
                    raise
                break  # what was read before it does not wait with it
            done += 1
        pending.progress.read(records[:done])
        if (left := await self._recall(pending)) is not None:
            raise Unfinished(pending.waiting[left].arrivals[0].number)
        limiter = self._limited(records[:done], pending.failed)
        failpoints.reach("decided")
        await self._commit(pending, publisher)
        self._limiter = limiter
        return done

    def _limited(self, records: Sequence[Received], failed: Sequence[int]) -> Limiter:
        """The limiter after these records: it counts those that Baton itself wrote, and nobody else can stop it."""
        mine = self._service.own
        own = [place for place, record in enumerate(records) if record.topic in mine and not is_barrier(record)]
        places = set(failed)
        return self._limiter.after(len(own), [number for number, place in enumerate(own) if place in places])

    async def _set_aside(self, record: Received, refusal: Refused, publisher: Publisher) -> None:
        pending = self._begin()
        pending.progress.read([record])
        limiter = self._limited([record], [0])
        pending.fail(0, record, refusal)
        await self._commit(pending, publisher)
        self._limiter = limiter

    async def _judge_due(self, publisher: Publisher) -> None:
        now, rows = await self._journal.due(self._slice.size)
        if now is not None:
            self._clock.set(now)
            followed = await self._judge_rows(rows, now, publisher)
            await self._barriers.write(now, publisher)
            if not followed:  # they all wait for an input that is behind
                self._next_due = self._clock.now() + LOOK_AGAIN
                return
        due, again = await self._journal.next_due(), self._clock.now() + LOOK_AGAIN
        # Nothing was due although our clock says so: the database's was set back, and is not asked without a pause.
        self._next_due = due if due is None or now is not None else max(due, again)

    async def _judge_anew(self, revision: Revision, publisher: Publisher) -> None:
        """The next leads are judged by the version in force now; the commit that does it says how far it has come."""
        now, rows = await self._journal.beyond(revision.until or "", self._slice.size)
        if now is None:
            pending = self._begin()
            pending.progress.revision = Revision(revision.version)
            await self._commit(pending, publisher)
            log.info("policy_applied", partition=self._part, version=revision.version)
        elif self._service.policies.number_at(now) == revision.version:  # our clock may run ahead of the database's
            self._clock.set(now)
            await self._judge_rows(rows, now, publisher, revision.version)

    async def _judge_rows(self, rows: Sequence[LeadRow], now: datetime, publisher: Publisher, version: int = 0) -> bool:
        """Goes through the rows until something follows, and commits that; whether anything did.

        A lead whose outcome the database refuses is found, and tried again later. `version`, if any: the rows are the
        next by id that it has to judge.
        """
        followed = False

        async def tick(some: Sequence[LeadRow], refusal: RefusedByDatabase | None = None) -> int:
            nonlocal followed
            pending = self._begin(now)
            await self._share(pending)
            done, pace = 0, Pace()
            for row in some:
                if done and (pending.size > OUTPUT_BYTES or await pace.over()):
                    break
                done += 1
                self._decider.tick(self._files.of_row(row), pending, refusal)
            if version:
                pending.progress.revision = Revision(version, some[done - 1].lead_id)
            if (left := await self._recall(pending)) is not None:
                raise Unfinished(next(place for place, row in enumerate(some) if row.lead_id == left))
            self._barriers.want(pending.waits or NEVER)
            if followed := pending.changes(self.progress):
                failpoints.reach("ticked")
                await self._commit(pending, publisher)
            return done

        async def alone(row: LeadRow, refusal: RefusedByDatabase) -> None:
            await tick([row], refusal)

        while rows and not followed:
            rows = rows[await self._slice.step(rows, tick, alone, self._files.forget) :]
        return followed

    async def _recall(self, pending: Pending[S]) -> str | None:
        """Decides what takes all facts of a lead; returns the lead at which time or room was up, None if all are.

        Facts are read of several leads at once, and decided lead by lead: where they are many in a thread, so that
        heartbeats go on however long the rules take. What is decided is the same in any order.
        """
        waiting, pace = list(pending.waiting), Pace()
        first = waiting[0] if waiting else None
        while some := waiting[: self._together.size]:
            try:
                histories = await self._files.histories(some)
            except StatementTimeout:
                if len(some) == 1:
                    raise
                self._together.shrink(len(some))
                continue
            for lead_id, stored in histories.items():
                if lead_id != first and (pending.size > OUTPUT_BYTES or await pace.over()):
                    return lead_id
                settle = partial(self._decider.settle, lead_id, stored, pending, pace.up)
                new = len(pending.facts.get(lead_id, ())) + len(pending.waiting[lead_id].arrivals)
                many = len(stored) + new > MANY_FACTS
                if not (await asyncio.to_thread(settle) if many else settle()):
                    return lead_id
            waiting = waiting[len(some) :]
        pending.failed.sort()
        return None


def _few_bytes(records: Sequence[Received]) -> Sequence[Received]:
    """The first of the records, at least one: compressed ones may be 16 MiB, and 30 times that once they are read."""
    total = 0
    for place, record in enumerate(records):
        total += len(record.value or b"")
        if place and total > DECODED_BYTES:
            return records[:place]
    return records
