"""The CRM of the load: follows handoffs up in time, late, in time but reported late, or never."""

import asyncio
import heapq
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

from tests.chaos.book import Book
from tests.chaos.broker import follow
from tests.chaos.door import Door, Request
from tests.chaos.outsiders import MARK
from tests.chaos.raw import appended, is_barrier

Json = dict[str, Any]
SOURCE = "sales/demo-sales"
HEARD_AFTER = timedelta(seconds=3)
"""How long after the due of a clock the news of a follow-up arrives that came late, or was told late."""


class Plan(NamedTuple):
    """What sales will do, when it will be done, and when it may be told."""

    name: str
    kind: str
    done: datetime
    heard: datetime
    data: Json


def plans(dice: int, handoff: Json, start: datetime) -> Iterator[Plan]:
    """What sales does about a handoff that was published at `start`, by a throw from 0 to 99.

    Half in time, a fifth told late, 15 too late.
    """
    due = start + timedelta(seconds=min(handoff["targets"][c] for c in ("CK-S1", "CK-S2") if c in handoff["targets"]))
    early, call = start + (due - start) / 4, {"channel": "call"}
    if dice % 4 == 0:  # which follows nothing up
        yield Plan("auto-reply", "contacted", start, start, {"human": False, "channel": "email"})
    if dice < 50:
        yield Plan("in-time", "contacted", early, start, call)
    elif dice < 70:
        yield Plan("told-late", "contacted", early, due + HEARD_AFTER, call)
    elif dice < 85:
        yield Plan("too-late", "contacted", due + timedelta(seconds=1), due + HEARD_AFTER, call)
    if dice % 5 == 0:
        yield Plan("qualified", "qualified", start + (due - start) / 2, start, {"budget": "yes"})


class Crm:
    """Reads `lead-handoffs`, and tells ingest what sales did, each with an id and a time."""

    def __init__(self, bootstrap_servers: str, topic: str, seed: int, door: Door, book: Book) -> None:
        self._servers = bootstrap_servers
        self._topic = topic
        self._seed = seed
        self._door = door
        self._book = book
        self._planned: list[tuple[datetime, str, Json]] = []
        self._known: set[str] = set()
        self._heard = time.monotonic()

    async def run(self) -> None:
        """Works for ever."""
        async for records in follow(self._servers, self._topic, self._book):
            for record in records:
                if is_barrier(record) or any(name == MARK for name, _ in record.headers):
                    continue
                event = json.loads(record.value)
                if event["type"] == "baton.lead.handed_off.v1" and event["subject"] not in self._known:
                    self._known.add(event["subject"])
                    self._plan(event["subject"], event["data"], appended(record))
                    self._heard = time.monotonic()
            while self._planned and self._planned[0][0] <= datetime.now(UTC):
                await self._tell(heapq.heappop(self._planned)[2])

    async def settled(self, quiet: float) -> None:
        """Returns once no handoff has come for `quiet` seconds and everything planned has been handed to the door."""
        while self._planned or time.monotonic() < self._heard + quiet:  # noqa: ASYNC110 - it waits for time to pass
            await asyncio.sleep(0.1)

    def _plan(self, lead: str, handoff: Json, published: datetime) -> None:
        dice = int.from_bytes(blake2b(f"{self._seed}-{lead}".encode(), digest_size=2).digest()) % 100
        for plan in plans(dice, handoff, published):
            activity = {
                "type": f"sales.{plan.kind}",
                "subject": lead,
                "id": f"{plan.name}-{self._seed}-{lead}",
                "source": SOURCE,
                "time": plan.done.isoformat(),
                "data": {"by": "grace", **plan.data},
            }
            when = max(plan.done, plan.heard) + timedelta(seconds=0.2)
            heapq.heappush(self._planned, (when, f"{plan.name}-{lead}", activity))

    async def _tell(self, activity: Json) -> None:
        key = ("sales-activities", activity["subject"], SOURCE, activity["id"])

        def taken() -> None:
            self._book.acknowledged.add(key)
            self._book.counts[f"sales {activity['id'].partition(f'-{self._seed}-')[0]}"] += 1

        again = activity["subject"][-1] in "048"
        await self._door.put(Request("/v1/sales-activities", activity, taken, again))
