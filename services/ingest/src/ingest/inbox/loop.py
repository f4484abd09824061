"""The loop of the inbox: fetch, read, publish, commit.

Offsets are committed only after the broker has acknowledged everything that came of the records before them. So after a
kill they are read again, and published again under the same ids: at least once into the topics, once in effect.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from chassis.kafka.consumer import NotMember
from chassis.kafka.group import Arrived
from chassis.kafka.publisher import Place, Record
from chassis.process import failpoints
from chassis.process.failures import Failure, Transient, Unpublishable
from chassis.process.logs import logger
from ingest.inbox.metrics import InboxMetrics
from ingest.inbox.reader import Outcome, Reader

MOST_RECORDS = 500
"""Most records of one round."""
WAIT_SECONDS = 0.5
LOOK_SECONDS = 10
"""How often topics that do not exist yet are looked for."""
LONGEST_PAUSE = 5.0
"""Seconds between two attempts while the broker does not answer."""

log = logger("ingest.inbox")


def pause(failures: int) -> float:
    """Seconds before the next attempt, after so many in a row that failed."""
    return min(0.1 * 2.0 ** min(failures, 10), LONGEST_PAUSE)


class Publishes(Protocol):
    """The method of `chassis.kafka.publisher.Publisher` that is used here."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Returns once every record is acknowledged; raises Transient or Unpublishable."""
        ...


class Reads(Protocol):
    """The methods of `chassis.kafka.group.Group` that are used here."""

    @property
    def missing(self) -> frozenset[str]: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def fetch(self, most: int, wait: float) -> Mapping[Place, Sequence[Arrived]]: ...
    async def commit(self, offsets: Mapping[Place, int]) -> None: ...
    def rewind(self, offsets: Mapping[Place, int]) -> None: ...
    def lag(self, place: Place, offset: int) -> int: ...


class Loop:
    """Reads the inboxes' topics until told to stop. `waiting` says for people why nothing moves; None: it works."""

    def __init__(
        self, group: Reads, publisher: Publishes, readers: Mapping[str, Reader], metrics: InboxMetrics
    ) -> None:
        self._group = group
        self._publisher = publisher
        self._readers = readers
        self._metrics = metrics
        self.waiting: str | None = "joining the group"
        self._look_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Finishes its round and leaves the group once `stop` is set."""
        failures = 0
        while not stop.is_set():
            try:
                await self._look()
                await self._round()
                failures, self.waiting = 0, self._missing()
            except (Transient, Unpublishable, NotMember) as failure:
                failures += 1
                self._tell(failure)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause(failures))
        try:
            await self._group.stop()
        except Transient as error:
            log.warning("group_not_left", reason=str(error))

    async def _look(self) -> None:
        """Joins the group, and again with topics that have come into being."""
        clock = asyncio.get_running_loop().time
        if self._group.missing and clock() >= self._look_at:
            await self._group.start()
            self._look_at = clock() + LOOK_SECONDS

    def _missing(self) -> str | None:
        names = ", ".join(sorted(self._group.missing))
        return f"topics do not exist yet: {names} (the others are read)" if names else None

    async def _round(self) -> None:
        batches = await self._group.fetch(MOST_RECORDS, WAIT_SECONDS)
        if not batches:
            return
        try:
            await self._pass_on(batches)
        except BaseException:
            self._group.rewind({place: records[0].record.offset for place, records in batches.items()})
            raise

    async def _pass_on(self, batches: Mapping[Place, Sequence[Arrived]]) -> None:
        failpoints.reach("fetched")
        taken = {place: self._taken(place, records) for place, records in batches.items()}
        await self._publisher.publish([record for outcome in taken.values() for record in outcome.records()])
        for (topic, _), outcome in taken.items():
            self._metrics.count(topic, outcome)
        failpoints.reach("reporting")
        offsets = {place: records[-1].record.offset + 1 for place, records in batches.items()}
        for place, offset in offsets.items():
            self._metrics.lags[place] = self._group.lag(place, offset)
        await self._group.commit(offsets)

    def _taken(self, place: Place, records: Sequence[Arrived]) -> Outcome:
        reader, now, result = self._readers[place[0]], datetime.now(UTC), Outcome()
        for arrived in records:
            result.add(reader.take(arrived, now))
        return result

    def _tell(self, failure: Failure) -> None:
        """A lost membership is a rebalance: what it makes others read again has the same ids."""
        if isinstance(failure, NotMember):
            log.info("offsets_not_committed", reason=str(failure))
            return
        self.waiting = str(failure)
        log.warning("inbox_waits", reason=str(failure))
