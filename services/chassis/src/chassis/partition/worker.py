"""Claims one partition, hands its records to the owner in order, and claims it again after whatever went wrong."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Generic

from chassis.kafka.consumer import Consumer, NotMember, Received
from chassis.kafka.publisher import Publisher
from chassis.partition.journal import Journal, Progress
from chassis.partition.owner import Ownership
from chassis.process import failpoints
from chassis.process.failures import Discontinuity, Fenced, OlderPolicy, Transient
from chassis.process.logs import logger, said
from chassis.process.settings import Worker as Settings
from chassis.service import S, Service

log = logger(__name__)

BACKOFF_SECONDS = (0.1, 5.0)
Gap = tuple[str, int, int]
"""Topic, expected offset, offset read."""


class OffsetsMissing(Transient):
    """The log skips offsets: claim again, and see whether it still does."""

    kind = "offsets_missing"


@dataclass(frozen=True, slots=True)
class Links:
    """What the workers of a process share."""

    consumer: Consumer
    publisher: Publisher
    journals: Callable[[int], AbstractAsyncContextManager[Journal]]
    settings: Settings
    resume: bool = False
    """Whether the limit of failures does not hold for what the topics have at the first claim (`serve --resume`)."""
    set_aside: frozenset[tuple[int, int]] = frozenset()
    """Partition and number of outbox rows to set aside at the first claim if the broker refuses them."""


class Worker(Generic[S]):
    """The only writer of one partition's leads, as long as its epoch is the newest.

    `waiting` is None while it works, else what it waits for. `progressed_at` is the database's time when it last
    finished its work, or found that there was none.
    """

    def __init__(self, service: Service[S], part: int, links: Links) -> None:
        self._service = service
        self._consumer = links.consumer
        self._publisher = links.publisher
        self._journals = links.journals
        self._settings = links.settings
        self._resume = links.resume
        self._aside = frozenset(seq for of, seq in links.set_aside if of == part)
        self._resume_until: Mapping[str, int] = {}
        self._gaps: set[Gap] = set()
        self._failures = 0
        self._undecidable = False
        self.part = part
        self.waiting: str | None = "being claimed"
        self.ownership: Ownership[S] | None = None
        self.progressed_at: datetime | None = None
        self.events: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` and finishes the current batch. Cancelling it is safe at any time."""
        while not stop.is_set():
            try:
                async with self._journals(self.part) as journal:
                    await self._own(journal, stop)
            except Fenced as fenced:
                self._begin_again("fenced", fenced)
                await self._prove_membership(stop)
            except NotMember as error:
                self._begin_again("retry", error, "not_member")
                await stop.wait()  # or for the rebalance that cancels this task
            except Transient as error:
                self._undecidable = isinstance(error, OlderPolicy)
                self._begin_again("retry", error, error.kind)
                await asyncio.sleep(self._backoff())
            except Exception as error:
                self._begin_again("stopped", error)
                log.error("partition_stopped", partition=self.part, error=type(error).__name__, exc_info=error)
                await stop.wait()

    async def _own(self, journal: Journal, stop: asyncio.Event) -> None:
        claim = await journal.claim()
        failpoints.reach("claimed")
        self.events["takeovers"] += 1
        if (version := claim.progress.revision.version) > (newest := len(self._service.policies.versions)):
            raise OlderPolicy(f"version {version} of the policy has judged here, the newest is {newest}")
        offsets = await self._start_offsets(claim.progress)
        resumed = {topic: until for topic, until in self._resume_until.items() if topic in self._service.own}
        self.ownership = ownership = Ownership(
            self._service,
            journal,
            self._publisher,
            claim,
            offsets,
            partitions=self._consumer.partitions(),
            batch_records=self._settings.batch_records,
            cache_leads=self._settings.cache_leads,
            lifted=sum(max(0, until - offsets[topic]) for topic, until in resumed.items()),
        )
        drained = await ownership.committer.drain(self._aside)
        self._aside = frozenset()
        self._consumer.start_reading(self.part, offsets)
        log.info("claimed", partition=self.part, epoch=claim.epoch, drained=drained, offsets=offsets)
        if self._undecidable:  # the next record waits for a version of the policy; due leads do not wait with it
            await ownership.tick(idle=False)
        self.waiting = None
        while not stop.is_set():
            wait = 0 if ownership.overdue else self._settings.tick.total_seconds()
            records = await self._consumer.fetch(self.part, self._settings.batch_records, wait)
            if records:
                failpoints.reach("fetched")
            await self._take(ownership, records, stop)

    async def _take(self, ownership: Ownership[S], records: Sequence[Received], stop: asyncio.Event) -> None:
        """Takes all of the records in order, in as many commits as needed, with a tick after each; or until `stop`."""
        follow, done = following(records, ownership.committer.progress.offsets, self._gaps), 0
        while not stop.is_set():
            if done < follow:
                done += await ownership.take(records[done:follow])
                self._failures = 0
            if done == follow < len(records):
                raise OffsetsMissing(f"{records[done].topic} has none before {records[done].offset}")
            await ownership.tick(idle=not records)
            self._failures, self.progressed_at = 0, ownership.committer.clock.now()
            if done == follow:
                return

    async def _start_offsets(self, progress: Progress) -> dict[str, int]:
        """Where to read on. Raises Discontinuity where a topic no longer has the next record: none is skipped."""
        bounds = await self._consumer.bounds(self.part)
        offsets = {topic: progress.offsets.get(topic, first) for topic, (first, _) in bounds.items()}
        for topic, (first, end) in bounds.items():
            if not first <= offsets[topic] <= end:
                raise Discontinuity(f"{topic}/{self.part} holds {first} to {end}, next to read is {offsets[topic]}")
        if self._resume:
            self._resume, self._resume_until = False, {topic: end for topic, (_, end) in bounds.items()}
        await self._require_same_log(
            {t: offsets[t] for t in progress.marks if bounds[t][0] < offsets[t]}, progress.marks
        )
        return offsets

    async def _require_same_log(self, offsets: Mapping[str, int], marks: Mapping[str, int]) -> None:
        """Raises Discontinuity where the last record read is another now: a topic made anew may be as long."""
        found = await self._consumer.before(self.part, offsets) if offsets else {}
        for topic, stamp in found.items():
            if stamp != marks[topic]:
                raise Discontinuity(f"{topic}/{self.part} is not the log that was read: record {offsets[topic] - 1}")

    async def _prove_membership(self, stop: asyncio.Event) -> None:
        """Only a member of the group's present generation may claim again: else two processes fence each other
        for ever.
        """
        while not stop.is_set():
            try:
                return await self._consumer.commit(self.offsets())
            except NotMember:
                await stop.wait()  # or for the rebalance that cancels this task
            except Transient:
                await asyncio.sleep(self._backoff())
        return None

    def offsets(self) -> dict[int, dict[str, int]]:
        """The offsets committed last; empty before the first claim."""
        return {} if self.ownership is None else {self.part: self.ownership.committer.progress.offsets}

    def _begin_again(self, event: str, error: Exception, kind: str = "") -> None:
        self._consumer.stop_reading(self.part)
        self.waiting = f"{event}: {said(error)}"
        self.events[f"{event}:{kind}" if kind else event] += 1
        if event != "stopped":
            log.warning(event, partition=self.part, reason=said(error), cause=type(error).__name__)

    def _backoff(self) -> float:
        self._failures += 1
        least, most = BACKOFF_SECONDS
        return float(min(most, least * 2 ** min(self._failures, 10)) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter


def following(records: Sequence[Received], offsets: Mapping[str, int], seen: set[Gap]) -> int:
    """How many of the records may be taken from the first on: guards against silently skipped records.

    A gap is legitimate (a transaction's mark, a compacted record) only if it is seen again after a new claim. The first
    time it ends what may be taken, and is remembered in `seen` with all gaps behind it.
    """
    expected = dict(offsets)
    taken = len(records)
    for index, record in enumerate(records):
        wanted = expected[record.topic]
        if record.offset != wanted:
            gap = (record.topic, wanted, record.offset)
            if gap in seen and taken == len(records):
                seen.discard(gap)
            else:
                taken = min(taken, index)
                if record.offset > wanted:
                    seen.add(gap)
        expected[record.topic] = record.offset + 1
    return taken
