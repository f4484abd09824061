"""Takes a partition's records batch by batch, and its due leads: reads, loads the leads, decides, commits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Generic

from chassis.kafka.consumer import Received
from chassis.kafka.dead_letter import REFUSED_BY_DATABASE, Limiter
from chassis.kafka.publisher import Publisher
from chassis.partition.barrier import NEVER, is_barrier
from chassis.partition.commit import Committer
from chassis.partition.decide import Decider
from chassis.partition.journal import Claim, Journal, LeadRow, RefusedByDatabase, Revision
from chassis.partition.lead_cache import Files
from chassis.partition.pending import Pending
from chassis.partition.stride import TRY_LESS, Pace, Stride, Unfinished, breathing, few_bytes, stride
from chassis.process import failpoints
from chassis.process.failures import OlderPolicy, StatementTimeout
from chassis.process.logs import logger
from chassis.service import S, Service
from schemas.envelope import Fact, Refused

log = logger(__name__)

OUTPUT_BYTES = 8 * 1024 * 1024
"""Bytes of outputs after which a commit takes no more records: within its time it may make a thousand large scores."""
SLICE = 500
"""Most due leads decided in one transaction, so that records do not wait long behind many deadlines."""
MOVED = 500
"""Most facts that one commit publishes again for other leads, so that records do not wait long behind a large file."""
TOGETHER = 50
"""Most leads whose facts are read at once: each may have thousands."""
MANY_FACTS = 100
"""A lead with more facts is recalled in a thread: rules take up to 1 ms for each, and the loop must not block 50 ms."""
LOOK_AGAIN = timedelta(milliseconds=250)


class Ownership(Generic[S]):
    """The partition from a claim to the first exception; `committer` keeps its progress."""

    def __init__(  # noqa: PLR0913 - what a claim found and what the process has, each on its own
        self,
        service: Service[S],
        journal: Journal,
        publisher: Publisher,
        claim: Claim,
        offsets: dict[str, int],
        *,
        partitions: int,
        batch_records: int = 5000,
        cache_leads: int = 1000,
        lifted: int = 0,
    ) -> None:
        """Reads on at `offsets`, in topics of `partitions` each; no limit of failures holds for `lifted` records."""
        self._service = service
        self._journal = journal
        self._files = Files(service, journal, cache_leads)
        self._stride = stride(batch_records, claim.epoch, claim.progress.totals)
        self._slice = stride(SLICE, claim.epoch, claim.progress.totals)
        self._together = Stride(TOGETHER, TOGETHER)
        self._decider = Decider(service, self._files, claim.part, partitions)
        self._limiter = Limiter(lifted=lifted)
        self.committer = Committer(service, journal, publisher, self._files, self._stride, claim=claim, offsets=offsets)

    async def take(self, records: Sequence[Received]) -> int:
        """Decides, commits and publishes a first part of the records, at least one; each gets exactly one outcome.

        Returns how many: those decided in bounded time. Call it again with the rest, in order.
        """
        while True:
            some = records[: self._stride.size]
            try:
                done = await self._round(some)
            except TRY_LESS as failure:
                self._files.forget()
                if len(some) == 1 and isinstance(failure, RefusedByDatabase):
                    return await self._set_aside(some[0], failure)
                self._stride.failed(len(some), failure)
            else:
                self._stride.committed(len(some), done)
                return done

    async def _round(self, records: Sequence[Received]) -> int:
        """Commits as many of the records as are decided in time, at least the first; returns how many."""
        records = few_bytes(records, lambda record: len(record.value or b""))
        readings = [(record, self._decider.read(record)) async for record in breathing(records)]
        await self._files.load([reading for _, reading in readings if isinstance(reading, Fact)])
        pending = await self.committer.begin()
        done, pace = 0, Pace()
        for record, reading in readings:
            if done and (pending.size > OUTPUT_BYTES or await pace.over()):
                break
            try:
                self._decider.take(done, record, reading, pending)
            except OlderPolicy:
                if not done:
                    raise
                break  # the records read before it are decided without waiting
            done += 1
        pending.progress.read(records[:done])
        if (left := await self._recall(pending)) is not None:
            raise Unfinished(pending.undecided[left].arrivals[0].number)
        failpoints.reach("decided")
        await self._commit(records[:done], pending)
        return done

    async def _set_aside(self, record: Received, refusal: RefusedByDatabase) -> int:
        pending = await self.committer.begin()
        pending.progress.read([record])
        pending.fail(0, record, Refused(REFUSED_BY_DATABASE, str(refusal)))
        await self._commit([record], pending)
        return 1

    async def _commit(self, records: Sequence[Received], pending: Pending[S]) -> None:
        """Commits the records' outcomes. Raises TooManyDeadLetters before that if too many of Baton's own failed."""
        mine, failed = self._service.own, set(pending.failed)
        own = [index for index, record in enumerate(records) if record.topic in mine and not is_barrier(record)]
        limiter = self._limiter.after(len(own), [n for n, index in enumerate(own) if index in failed])  # may raise
        await self.committer.commit(pending)
        self._limiter = limiter

    @property
    def overdue(self) -> bool:
        """Whether a tick is needed at once."""
        return self._leads_are_due() or self.committer.progress.revision.until is not None

    async def tick(self, *, idle: bool) -> None:
        """Decides some of the leads whose due has come, or some that another version of the policy must judge.

        When idle, deletes acknowledged outbox rows.
        """
        try:
            if self._leads_are_due():
                await self._judge_due()
            elif (revision := self._revised()).until is not None:
                await self._judge_anew(revision)
            elif idle and self.committer.untidy:
                await self.committer.commit(await self.committer.begin())
        except StatementTimeout as failure:  # of a query for leads, or of the commit of a single one
            self._slice.failed(self._slice.size, failure)

    def _leads_are_due(self) -> bool:
        due = self.committer.next_due
        return due is not None and due <= self.committer.clock.now()

    def _revised(self) -> Revision:
        """The revision to go on with: from the first lead where a newer version is in force, else as last committed."""
        written = self.committer.progress.revision
        version = self._service.policies.number_at(self.committer.clock.now())
        return Revision(version, "") if version > written.version else written

    async def _judge_due(self) -> None:
        committer = self.committer
        now, rows = await self._journal.due(self._slice.size)
        if now is not None:
            committer.clock.set(now)
            followed = await self._judge_rows(rows, now)
            await committer.barriers.write(now)
            if not followed:  # all of them wait for an input that is not read so far
                committer.next_due = committer.clock.now() + LOOK_AGAIN
                return
        due, again = await self._journal.next_due(), committer.clock.now() + LOOK_AGAIN
        # None is due although our clock says so: the database's clock was set back. It is asked again after a pause.
        committer.next_due = due if due is None or now is not None else max(due, again)

    async def _judge_anew(self, revision: Revision) -> None:
        """Judges the next leads by the version in force; the same commit writes how far it has come."""
        now, rows = await self._journal.beyond(revision.until or "", self._slice.size)
        if now is None:
            pending = await self.committer.begin()
            pending.progress.revision = Revision(revision.version)
            await self.committer.commit(pending)
            log.info("policy_applied", partition=pending.part, version=revision.version)
        elif self._service.policies.number_at(now) == revision.version:  # our clock may be ahead of the database's
            self.committer.clock.set(now)
            await self._judge_rows(rows, now, revision.version)

    async def _judge_rows(self, rows: Sequence[LeadRow], now: datetime, version: int = 0) -> bool:
        """Decides the rows slice by slice, up to the first slice that changes something; whether one did.

        A lead whose outcome the database refuses is isolated by halving the slice, and tried again later. `version`,
        if any: the rows are the next by id that it has to judge.
        """
        while rows:
            some = rows[: self._slice.size]
            try:
                done, followed = await self._judge(some, now, version)
            except TRY_LESS as failure:
                self._files.forget()
                if len(some) == 1 and isinstance(failure, RefusedByDatabase):
                    done, followed = await self._judge(some, now, version, failure)
                else:
                    self._slice.failed(len(some), failure)
                    continue
            else:
                self._slice.committed(len(some), done)
            if followed:
                return True
            rows = rows[done:]
        return False

    async def _judge(
        self, rows: Sequence[LeadRow], now: datetime, version: int, refusal: RefusedByDatabase | None = None
    ) -> tuple[int, bool]:
        """Commits what follows for as many leads as are decided in time; returns how many, and whether any changed."""
        pending = await self.committer.begin(now)
        done, pace = 0, Pace()
        for row in rows:
            if done and (pending.size > OUTPUT_BYTES or await pace.over()):
                break
            done += 1
            self._decider.tick(self._files.of_row(row), pending, refusal)
        if version:
            pending.progress.revision = Revision(version, rows[done - 1].lead_id)
        if (left := await self._recall(pending)) is not None:
            raise Unfinished(next(index for index, row in enumerate(rows) if row.lead_id == left))
        await self._move(pending)
        self.committer.barriers.want(pending.inputs_until or NEVER)
        if followed := pending.changes(self.committer.progress):
            failpoints.reach("moving" if pending.moves else "ticked")
            await self.committer.commit(pending)
            if pending.moves:
                failpoints.reach("moved")
        return done, followed

    async def _move(self, pending: Pending[S]) -> None:
        """Publishes the next facts of leads that have to be moved, those of some leads with one query.

        The leads for which there is no room stay due.
        """
        some = dict(islice(pending.moves.items(), TOGETHER))
        most = MOVED // max(1, len(some))
        for lead_id, stored in (await self._files.slices(some, most) if some else {}).items():
            if pending.size > OUTPUT_BYTES:
                break
            few = few_bytes(stored, lambda fact: len(fact[0]))
            self._decider.move(lead_id, few, pending, last=len(few) == len(stored) < most)

    async def _recall(self, pending: Pending[S]) -> str | None:
        """Decides the leads that need all their facts; returns the lead at which time or room was up, or None.

        Reads the facts of several leads with one query and decides lead by lead; a lead of many facts in a thread, so
        that heartbeats go on however long the rules take. The order of the leads changes nothing.
        """
        undecided, pace = list(pending.undecided), Pace()
        first = undecided[0] if undecided else None
        while some := undecided[: self._together.size]:
            try:
                histories = await self._files.histories(some)
            except StatementTimeout as failure:
                self._together.failed(len(some), failure)
                continue
            for lead_id, stored in histories.items():
                if lead_id != first and (pending.size > OUTPUT_BYTES or await pace.over()):
                    return lead_id
                decide = partial(self._decider.decide_rest, lead_id, stored, pending, pace.up)
                new = len(pending.facts.get(lead_id, ())) + len(pending.undecided[lead_id].arrivals)
                many = len(stored) + new > MANY_FACTS
                if not (await asyncio.to_thread(decide) if many else decide()):
                    return lead_id
            undecided = undecided[len(some) :]
        pending.failed.sort()
        return None
