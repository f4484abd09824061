"""One epoch of a partition: its records and ticks are decided, committed and published, batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic

from chassis import failpoints
from chassis.clock import DatabaseClock
from chassis.consumer import Consumer, received_at
from chassis.dead_letter import REFUSED_BY_DATABASE, RULES_FAILED, WRONG_PARTITION, Limiter
from chassis.draft import Draft
from chassis.failures import Transient
from chassis.files import File, Files
from chassis.journal import Batch, Claim, Journal, RefusedByDatabase, SharedConflict
from chassis.logs import logger
from chassis.publisher import Publisher
from chassis.sequence import Gap, following
from chassis.service import At, Decision, S, Service
from schemas.envelope import Fact, Refused
from schemas.identity import partition_of

SLICE = 500
"""Most due leads decided in one transaction, so that records do not wait long behind a wave of deadlines."""
LOOK_AGAIN = timedelta(milliseconds=250)
ATTEMPTS = 50
"""How often a batch is decided again because another partition changed a shared row first."""

log = logger(__name__)


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
        self._partitions = takeover.partitions
        self._clock = DatabaseClock(claim.now)
        self._next_due = claim.next_due
        self._out_seq = claim.out_seq
        self._acknowledged = self._deleted = 0
        self._read_until = dict.fromkeys(service.inputs, datetime.min.replace(tzinfo=UTC))
        self._limiter = Limiter()
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
        if self._new:
            await self._commit(await self._begin(), publisher)
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

    async def tick(self, consumer: Consumer, publisher: Publisher, *, idle: bool) -> None:
        """Decides the leads whose due has come; when idle, deletes acknowledged outbox rows that no batch will."""
        if self._next_due is not None and self._next_due <= self._clock.now():
            await self._judge_due(consumer, publisher)
        elif idle and self._deleted < self._acknowledged:
            await self._commit(await self._begin(), publisher)

    async def _isolating(self, records: Sequence[Any], publisher: Publisher) -> None:
        """One round for all records, or, where the database refuses a value, one for each to find the guilty."""
        for _ in range(ATTEMPTS):
            try:
                return await self._round(records, publisher)
            except SharedConflict:
                self._files.forget()
            except RefusedByDatabase as refusal:
                self._files.forget()
                if len(records) == 1:
                    return await self._set_aside(records[0], Refused(REFUSED_BY_DATABASE, str(refusal)), publisher)
                for record in records:
                    await self._isolating([record], publisher)
                return None
        raise Transient("shared rows are changed too often")

    async def _round(self, records: Sequence[Any], publisher: Publisher) -> None:
        draft = await self._begin()
        facts = [(record, fact) for record in records if (fact := self._read(record, draft)) is not None]
        await self._files.load([fact for _, fact in facts])
        for place, (record, fact) in enumerate(facts):
            if not self._judge(record, fact, draft):
                draft.failed.append(place)
        limiter = self._limiter.after(len(facts), draft.failed)
        failpoints.reach("decided")
        await self._commit(draft, publisher)
        self._limiter = limiter
        for topic, last in {record.topic: record for record in records}.items():
            self._read_until[topic] = received_at(last)

    async def _set_aside(self, record: Any, refusal: Refused, publisher: Publisher) -> None:
        draft = await self._begin()
        draft.passed(record)
        limiter = self._limiter.after(1, [0])
        draft.bury(record, refusal)
        await self._commit(draft, publisher)
        self._limiter = limiter

    def _read(self, record: Any, draft: Draft[S]) -> Fact | None:
        draft.passed(record)
        try:
            fact = self._service.inputs[record.topic].fact(record.key, record.value, received_at(record))
        except Refused as refusal:
            draft.bury(record, refusal)
            return None
        if fact.event.subject not in self._files and partition_of(record.key, self._partitions) != self._part:
            draft.bury(record, Refused(WRONG_PARTITION, "not where Kafka's default partitioner puts the key"))
            return None
        return fact

    def _judge(self, record: Any, fact: Fact, draft: Draft[S]) -> bool:
        """False when the rules failed."""
        file = self._files.of(fact.event.subject)
        known = file.keys.get(fact.key)
        if known == fact.fingerprint:
            draft.totals["duplicates"] += 1
        elif known is not None:
            draft.bury(record, Refused("id_conflict", "the same id came with other content before"))
        else:
            try:
                decision = self._service.decide(file.state, fact, draft.at)
            except Exception as error:  # noqa: BLE001 - whatever rules raise is held against this fact, and limited
                log.error("rules_failed", partition=self._part, offset=record.offset, error=type(error).__name__)
                draft.bury(record, Refused(RULES_FAILED, type(error).__name__))
                return False
            draft.accept(file, fact)
            draft.apply(file, decision)
        return True

    async def _judge_due(self, consumer: Consumer, publisher: Publisher) -> None:
        now, rows = await self._journal.due(SLICE)
        if now is not None:
            failpoints.reach("ticking")
            self._clock.set(now)
            known = await self._known(now, consumer)
            for _ in range(ATTEMPTS):
                draft = await self._begin(known, now)
                for row in rows:
                    self._judge_tick(self._files.of_row(row), draft)
                if not draft.changes(self.totals):  # they all wait for an input that is behind
                    self._next_due = self._clock.now() + LOOK_AGAIN
                    return
                try:
                    await self._commit(draft, publisher)
                    break
                except SharedConflict:
                    self._files.forget()
            else:
                raise Transient("shared rows are changed too often")
        self._next_due = await self._journal.next_due()

    def _judge_tick(self, file: File[S], draft: Draft[S]) -> None:
        try:
            decision = self._service.tick(file.state, draft.at)
        except Exception as error:  # noqa: BLE001 - one lead's failure holds up no other; it is tried again, and counted
            log.error("tick_failed", partition=self._part, lead_id=file.lead_id, error=type(error).__name__)
            draft.totals["tick_failures"] += 1
            decision = Decision(file.state, due=draft.at.now + timedelta(seconds=60))
        draft.apply(file, decision)

    async def _known(self, now: datetime, consumer: Consumer) -> datetime:
        """Up to when every input has been read: `now` if its end, asked for after it, is reached (delivery.md §4)."""
        ended = await consumer.at_end(self._part)
        return min(now if topic in ended else until for topic, until in self._read_until.items())

    async def _commit(self, draft: Draft[S], publisher: Publisher) -> None:
        out_seq = self._out_seq + len(draft.outbox)
        draft.totals["published"] += len(draft.outbox)
        shared = [(name, draft.versions[name], value) for name, value in draft.swapped.items()]
        rows = self._files.rows(draft.files.values())
        batch = Batch(draft.offsets, out_seq, draft.totals, draft.facts, rows, draft.outbox, shared)
        now = await self._journal.commit(self._epoch, batch, self._acknowledged)
        failpoints.reach("committed")
        self._clock.set(now)
        self._deleted, self._out_seq = self._acknowledged, out_seq
        self.offsets, self.totals = draft.offsets, draft.totals
        dues = [row.due for row in rows if row.due is not None]
        self._next_due = min([*dues, *([self._next_due] if self._next_due else [])], default=None)
        self._files.settle(draft.files.values())
        if draft.outbox:
            await publisher.publish(draft.outbox)
            self._acknowledged = out_seq

    async def _begin(self, known: datetime | None = None, now: datetime | None = None) -> Draft[S]:
        """A new draft: one instant and one reading of the shared rows for the whole batch."""
        known = known or min(self._read_until.values())
        shared = await self._journal.shared(self._service.shared)
        at = At(now or self._clock.now(), known, {name: value for name, (version, value) in shared.items() if version})
        versions = {name: version for name, (version, _) in shared.items()}
        return Draft(self._service.name, self._part, dict(self.offsets), Counter(self.totals), versions, at)
