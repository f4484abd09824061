"""What the owner of a partition decides: its records and its ticks, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from chassis import failpoints
from chassis.consumer import Consumer
from chassis.dead_letter import REFUSED_BY_DATABASE, Limiter
from chassis.draft import Draft
from chassis.epoch import Epoch, Takeover
from chassis.files import Files
from chassis.journal import LeadRow, RefusedByDatabase, Revision, SharedConflict
from chassis.judge import Judge
from chassis.logs import logger
from chassis.publisher import Publisher
from chassis.sequence import following
from chassis.service import S, Service
from chassis.turns import attempts, halves
from schemas.envelope import Refused

log = logger(__name__)

SLICE = 500
"""Most due leads decided in one transaction, so that records do not wait long behind a wave of deadlines."""
LOOK_AGAIN = timedelta(milliseconds=250)


class Ownership(Epoch[S]):
    """What the owner of a partition does between its claim and its end."""

    def __init__(self, service: Service[S], takeover: Takeover, files: Files[S]) -> None:
        super().__init__(service, takeover, files)
        self._gaps = takeover.gaps
        self._judge = Judge(service, files, takeover.part, takeover.partitions)
        self._limiter = Limiter(lifted=takeover.lifted)

    async def take(self, records: Sequence[Any], publisher: Publisher) -> int:
        """Decides, commits and publishes one batch of records; each has exactly one outcome.

        Returns how many were taken: fewer than all when the log skips offsets, to claim again and see whether it still
        does.
        """
        taken, gaps = following(records, self.offsets, self._gaps)
        if taken:
            self.totals["gaps"] += gaps
            await self._isolating(records if taken == len(records) else records[:taken], publisher)
        return taken

    async def tick(self, consumer: Consumer, publisher: Publisher, *, idle: bool) -> None:
        """Decides the leads whose due has come, and some of those that another version of the policy has to judge.

        When idle, deletes acknowledged outbox rows that no batch will.
        """
        if self._next_due is not None and self._next_due <= self._clock.now():
            await self._judge_due(consumer, publisher)
        elif (revision := self._revised()).until is not None:
            await self._judge_anew(revision, publisher)
        elif idle and self._deleted < self._acknowledged:
            await self._commit(self._begin(), publisher)

    def _revised(self) -> Revision:
        """From the first lead on when a version newly in force has to judge; else as written already."""
        version = self._service.policies.number_at(self._clock.now())
        return Revision(version, "") if version > self._revision.version else self._revision

    async def _isolating(self, records: Sequence[Any], publisher: Publisher) -> None:
        """One round for all records, or one for each half: to find the guilty, or to be quick enough for a turn."""
        for _ in range(attempts(records)):
            try:
                return await self._round(records, publisher)
            except SharedConflict:
                self._files.forget()
            except RefusedByDatabase as refusal:
                self._files.forget()
                if len(records) == 1:
                    return await self._set_aside(records[0], Refused(REFUSED_BY_DATABASE, str(refusal)), publisher)
                break
        for half in halves(records):
            await self._isolating(half, publisher)
        return None

    async def _round(self, records: Sequence[Any], publisher: Publisher) -> None:
        draft = self._begin()
        draft.read(records)
        answered = self._judge.read(records, draft)
        await self._files.load([fact for _, fact in answered if fact is not None])
        await self._share(draft)
        for place, (record, fact) in enumerate(answered):
            if fact is None or not self._judge.judge(place, record, fact, draft):
                draft.failed.append(place)
        await self._recall(draft)
        limiter = self._limiter.after(len(answered), draft.failed)
        failpoints.reach("decided")
        await self._commit(draft, publisher)
        self._limiter = limiter

    async def _set_aside(self, record: Any, refusal: Refused, publisher: Publisher) -> None:
        draft = self._begin()
        draft.read([record])
        limiter = self._limiter.after(1, [0])
        draft.bury(record, refusal)
        await self._commit(draft, publisher)
        self._limiter = limiter

    async def _judge_due(self, consumer: Consumer, publisher: Publisher) -> None:
        now, rows = await self._journal.due(SLICE)
        if now is not None:
            self._clock.set(now)
            known = await self._known(now, consumer)
            if not await self._judge_rows(rows, known, now, publisher):  # they all wait for an input that is behind
                self._next_due = self._clock.now() + LOOK_AGAIN
                return
        self._next_due = await self._journal.next_due()

    async def _judge_anew(self, revision: Revision, publisher: Publisher) -> None:
        """The next leads are judged by the version in force now; the commit that does it says how far it has come."""
        now, rows = await self._journal.beyond(revision.until or "", SLICE)
        if now is None:
            draft = self._begin()
            draft.revision = Revision(revision.version)
            await self._commit(draft, publisher)
            log.info("policy_applied", partition=self._part, version=revision.version)
        elif self._service.policies.number_at(now) == revision.version:  # our clock may run ahead of the database's
            self._clock.set(now)
            await self._judge_rows(rows, None, now, publisher, revision.version)

    async def _judge_rows(
        self, rows: Sequence[LeadRow], known: datetime | None, now: datetime, publisher: Publisher, version: int = 0
    ) -> bool:
        """Whether anything followed. A lead whose outcome the database refuses is found, and tried again later.

        `version`, if any: they are the next by id that it has to judge.
        """
        refusal: RefusedByDatabase | None = None
        for _ in range(attempts(rows)):
            draft = self._begin(known, now)
            if version:
                draft.revision = Revision(version, rows[-1].lead_id)
            await self._share(draft)
            for row in rows:
                file = self._files.of_row(row)
                if refusal is None:
                    self._judge.tick(file, draft)
                else:
                    self._judge.postpone(file, draft, refusal)
            await self._recall(draft)
            if not draft.changes(self.totals, self._revision):
                return False
            failpoints.reach("ticked")
            try:
                await self._commit(draft, publisher)
            except SharedConflict:
                self._files.forget()
            except RefusedByDatabase as error:
                self._files.forget()
                if len(rows) > 1:
                    break
                refusal = error
            else:
                return True
        return any([await self._judge_rows(half, known, now, publisher, version) for half in halves(rows)])

    async def _recall(self, draft: Draft[S]) -> None:
        """Decides what takes all facts of a lead, read for all such leads at once."""
        if draft.late:
            histories = await self._files.histories(draft.late)
            for fact in draft.facts:
                if fact.lead_id in histories:
                    histories[fact.lead_id].append(fact)
            for lead_id, earlier in histories.items():
                draft.failed += self._judge.recall(lead_id, earlier, draft)
            draft.failed.sort()

    async def _known(self, now: datetime, consumer: Consumer) -> datetime:
        """Up to when every input has been read: `now` if its end, asked for after it, is reached (delivery.md §4)."""
        ended = await consumer.at_end(self._part)
        return min(now if topic in ended else until for topic, until in self._read_until.items())
