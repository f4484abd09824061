"""Runs one process of a service: its membership in the group, a worker for each partition, and the watchdog."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Generic

from chassis.kafka.consumer import NotMember
from chassis.partition.worker import Links, Worker
from chassis.process import failpoints
from chassis.process.failures import Transient
from chassis.process.logs import logger
from chassis.service import S, Service

log = logger(__name__)

COMMIT_SECONDS = 2
LOOK_SECONDS = 0.5
HANDOVER_SECONDS = 5
FINISH_SECONDS = 10
STUCK = 71
"""Exit code of a process whose offset commits the group has refused for too long: it is no member any more."""


class Supervisor(Generic[S]):
    """Starts and ends workers as Kafka assigns partitions; a rebalance is treated as a crash."""

    def __init__(self, service: Service[S], links: Links) -> None:
        self._service = service
        self._links = links
        self._consumer = links.consumer
        self._tasks: dict[asyncio.Task[None], Worker[S]] = {}
        self._wanted: set[int] | None = None
        self._partial: set[int] = set()
        self._changed = asyncio.Event()
        self._stop_workers = asyncio.Event()
        self._awake = self._accepted_at = 0.0

    @property
    def workers(self) -> list[Worker[S]]:
        """The workers of the partitions owned now."""
        return list(self._tasks.values())

    def ready(self) -> str | None:
        """None when every owned partition is worked on, else what is missing."""
        if self._wanted is None:
            return "waiting for the group to assign partitions"
        if self._partial:
            return f"partitions {sorted(self._partial)} are not there in every input topic, so nobody reads them"
        workers = self.workers
        if missing := self._wanted - {worker.part for worker in workers}:
            return f"partitions {sorted(missing)} are about to be claimed"
        waiting = [f"partition {worker.part}: {worker.waiting}" for worker in workers if worker.waiting is not None]
        return "; ".join(waiting) or None

    def lag(self, part: int, topic: str, offset: int) -> int:
        """Unread records of the topic's partition, as far as the client knows."""
        return self._consumer.lag(part, topic, offset)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop`, then lets every worker finish its batch and leaves the group."""
        await self._join(stop)
        if stop.is_set():
            await self._finish()
            return
        endless = (self._keep_polling, self._count, self._report, self._reconcile)
        chores = [asyncio.create_task(chore()) for chore in endless]
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([*chores, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for chore in (*chores, stopping):
                chore.cancel()
            await self._finish()
        for chore in chores:
            if chore.done() and not chore.cancelled() and (error := chore.exception()):
                raise error

    async def _join(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._consumer.start(self)
                self._accepted_at = self._awake
                return
            except Transient as error:
                log.warning("broker_not_reached", reason=str(error))
                await asyncio.sleep(1)

    def assigned(self, parts: set[int], partial: set[int]) -> None:
        self._wanted, self._partial = parts, partial
        self._changed.set()

    def revoked(self) -> None:
        self._wanted = None
        for task in self._tasks:
            task.cancel()

    async def _reconcile(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._end(HANDOVER_SECONDS)
            for part in sorted(self._wanted or ()):
                worker = Worker(self._service, part, self._links)
                task = asyncio.create_task(worker.run(self._stop_workers), name=f"{self._service.name}/{part}")
                self._tasks[task] = worker

    async def _end(self, seconds: float) -> None:
        """Ends all workers; one that does not end in time is abandoned, and fenced by the next owner's claim."""
        for task in self._tasks:  # also those started since the last revocation: two rebalances may come at once
            task.cancel()
        if self._tasks:
            ended, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in ended:
                if not task.cancelled() and (error := task.exception()):
                    log.error("worker_failed", error=type(error).__name__, exc_info=error)
            if late:
                log.warning("workers_left_behind", count=len(late))
            self._tasks.clear()

    async def _keep_polling(self) -> None:
        """Keeps polling while all workers back off, and raises the group's errors: they end the process."""
        while True:
            await self._consumer.poll_nothing()

    async def _count(self) -> None:
        """Counts the seconds in which this process could send heartbeats. After being frozen, or with a blocked loop,
        it rejoins the group by itself; that time must not count as a lost membership.
        """
        clock = asyncio.get_running_loop().time
        while True:
            before = clock()
            await asyncio.sleep(LOOK_SECONDS)
            self._awake += min(clock() - before, 2 * LOOK_SECONDS)

    async def _report(self) -> None:
        """Commits offsets to Kafka as a hint, and notices when that is refused for too long."""
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            await self._commit_offsets()
            if self._awake - self._accepted_at > self._links.settings.stall.total_seconds():
                log.error("stuck", seconds=self._links.settings.stall.total_seconds())
                os._exit(STUCK)

    async def _commit_offsets(self) -> None:
        failpoints.reach("reporting")
        read = {part: offsets for worker in self.workers for part, offsets in worker.offsets().items()}
        try:
            if read:
                await self._consumer.commit(read)
            elif self._wanted:
                # the database is not reachable yet, so there is nothing to commit and no reason to leave
                await self._consumer.bounds(min(self._wanted))
            if self._wanted is not None:
                self._accepted_at = self._awake
        except (NotMember, Transient) as error:
            log.info("offsets_not_committed", reason=str(error))

    async def _finish(self) -> None:
        self._stop_workers.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=FINISH_SECONDS)
            for task in late:
                task.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(COMMIT_SECONDS):
                    await self._commit_offsets()
        try:
            await self._consumer.stop()
        except Transient as error:
            log.warning("group_not_left", reason=str(error))
