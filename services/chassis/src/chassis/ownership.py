"""One epoch of a partition: its records and ticks are decided, committed and published, batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic

from chassis import failpoints
from chassis.clock import DatabaseClock
from chassis.consumer import Consumer, received_at
from chassis.dead_letter import REFUSED_BY_DATABASE, Limiter
from chassis.draft import Draft
from chassis.files import Files
from chassis.journal import Batch, Claim, Journal, LeadRow, RefusedByDatabase, SharedConflict
from chassis.judge import Judge
from chassis.publisher import Publisher
from chassis.sequence import Gap, following
from chassis.service import At, S, Service
from chassis.turns import attempts, halves
from schemas.envelope import Refused

SLICE = 500
"""Most due leads decided in one transaction, so that records do not wait long behind a wave of deadlines."""
LOOK_AGAIN = timedelta(milliseconds=250)
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Takeover:
    """What a claim found: where to read on, and the gaps in the log that have shown once before."""

    part: int
    claim: Claim
    journal: Journal
    offsets: dict[str, int]
    gaps: set[Gap]
    partitions: int
    """How many every input topic has."""
    lifted: int = 0
    """For how many records more the limit of failures does not hold: somebody said to go on."""


class Ownership(Generic[S]):
    """What the owner of a partition does between its claim and its end.

    Anything raised leaves the files in memory ahead of the database: the epoch is then over, and a new claim finds out
    what was written.
    """

    def __init__(self, service: Service[S], takeover: Takeover, files: Files[S]) -> None:
        claim = takeover.claim
        self._service = service
        self._part = takeover.part
        self._epoch = claim.epoch
        self._journal = takeover.journal
        self._files = files
        self._gaps = takeover.gaps
        self._judge = Judge(service, files, takeover.part, takeover.partitions)
        self._clock = DatabaseClock(claim.now)
        self._next_due = claim.next_due
        self._out_seq = claim.out_seq
        self._acknowledged = self._deleted = 0
        self._owed_since = claim.owed_since
        self._claimed_at = claim.now
        self._marks = dict(claim.marks)
        self._read_until = dict.fromkeys(service.inputs, NEVER)
        self._limiter = Limiter(lifted=takeover.lifted)
        self._new = takeover.offsets != claim.offsets
        self.offsets = takeover.offsets
        self.totals: Counter[str] = Counter(claim.totals)

    async def drain(self, publisher: Publisher) -> int:
        """Publishes what an earlier owner left in the outbox, in order; returns how many that were.

        Also writes down where reading begins, where nobody has yet: what is deleted from then on is missed.
        """
        count = 0
        while rows := await self._journal.leftovers(self._acknowledged):
            await publisher.publish([record for _, record in rows])
            failpoints.reach("draining")
            self._acknowledged = rows[-1][0]
            count += len(rows)
        self._owed_since = None
        self.totals["repeats"] += count
        if self._new:
            await self._commit(self._begin(), publisher)
        return count

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

    @property
    def now(self) -> datetime:
        """The database's time."""
        return self._clock.now()

    def outbox_age(self) -> timedelta:
        """For how long something committed has not been acknowledged by the broker; zero when all is."""
        return timedelta(0) if self._owed_since is None else self.now - self._owed_since

    def behind(self, topic: str) -> timedelta:
        """How old the last record read of the topic is; since the claim, where none was read yet."""
        until = self._read_until[topic]
        return self.now - (self._claimed_at if until == NEVER else until)

    async def tick(self, consumer: Consumer, publisher: Publisher, *, idle: bool) -> None:
        """Decides the leads whose due has come; when idle, deletes acknowledged outbox rows that no batch will."""
        if self._next_due is not None and self._next_due <= self._clock.now():
            await self._judge_due(consumer, publisher)
        elif idle and self._deleted < self._acknowledged:
            await self._commit(self._begin(), publisher)

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

    async def _judge_rows(self, rows: Sequence[LeadRow], known: datetime, now: datetime, publisher: Publisher) -> bool:
        """Whether anything followed. A lead whose outcome the database refuses is found, and tried again later."""
        refusal: RefusedByDatabase | None = None
        for _ in range(attempts(rows)):
            draft = self._begin(known, now)
            await self._share(draft)
            for row in rows:
                file = self._files.of_row(row)
                if refusal is None:
                    self._judge.tick(file, draft)
                else:
                    self._judge.postpone(file, draft, refusal)
            await self._recall(draft)
            if not draft.changes(self.totals):
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
        return any([await self._judge_rows(half, known, now, publisher) for half in halves(rows)])

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

    async def _commit(self, draft: Draft[S], publisher: Publisher) -> None:
        out_seq = self._out_seq + len(draft.outbox)
        draft.totals["published"] += len(draft.outbox)
        shared = [(name, draft.versions[name], value) for name, value in draft.swapped.items()]
        rows = self._files.rows(draft.files.values())
        batch = Batch(draft.offsets, draft.marks, out_seq, draft.totals, draft.facts, rows, draft.outbox, shared)
        now = await self._journal.commit(self._epoch, batch, self._acknowledged)
        failpoints.reach("committed")
        self._clock.set(now)
        self._deleted, self._out_seq = self._acknowledged, out_seq
        self.offsets, self._marks, self.totals = draft.offsets, draft.marks, draft.totals
        self._read_until |= {topic: received_at(record) for topic, record in draft.last.items()}
        dues = [row.due for row in rows if row.due is not None]
        self._next_due = min([*dues, *([self._next_due] if self._next_due else [])], default=None)
        self._files.settle(draft.files.values())
        if draft.outbox:
            self._owed_since = now
            await publisher.publish(draft.outbox)
            self._acknowledged, self._owed_since = out_seq, None

    def _begin(self, known: datetime | None = None, now: datetime | None = None) -> Draft[S]:
        """A new draft: one instant for the whole batch."""
        at = At(now or self._clock.now(), known or min(self._read_until.values()))
        progress = (dict(self.offsets), dict(self._marks), Counter(self.totals))
        return Draft(self._service.name, self._part, *progress, {}, at)

    async def _share(self, draft: Draft[S]) -> None:
        """One reading of the shared rows for the whole batch, as late as can be: who reads early is overtaken."""
        shared = await self._journal.shared(self._service.shared)
        draft.at = replace(draft.at, shared={name: value for name, (version, value) in shared.items() if version})
        draft.versions = {name: version for name, (version, _) in shared.items()}
