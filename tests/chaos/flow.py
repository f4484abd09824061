"""Checks that the relay works: sends a probe to ingest and follows its records to the last service."""

import asyncio
import contextlib
import json
import random
import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import asyncpg
import httpx
from aiokafka.errors import KafkaError

from schemas.identity import lead_id_of
from tests.chaos import inbox
from tests.chaos.inbox import INBOX, TOPIC
from tests.chaos.quiet import INPUTS, unread
from tests.chaos.senders import Tracker
from tests.chaos.stage import Stage
from tests.chaos.traffic import Key
from tests.infrastructure import connected
from tests.processes import Instance
from tests.relay import JUDGES, WRITE_KEY
from tests.topics import Ends, ends
from tests.until import until

PATIENCE = 240.0
"""Seconds after which a fault counts as never recovered from."""
ANSWER_SECONDS = 6.0
"""Within so long every call is answered: 5 s for the broker, 1 s for everything else."""
RING_EVERY = 0.25
SOURCE = Tracker.source
LEADS = 100
"""People that the probe's events are about, so that no lead gets very many."""


@dataclass(frozen=True)
class Answer:
    """One call's outcome; status 0 when the connection failed."""

    sent_at: float
    seconds: float
    status: int


@dataclass
class Probe:
    """Calls ingest with an event of its own again and again, and looks closely at each answer."""

    stage: Stage
    answers: list[Answer] = field(default_factory=list)
    acknowledged: set[Key] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    told: int = 0
    """How many of them a trial has on its account."""
    still: tuple[float, float] = (0, 0)
    """From when to when ingest itself stood still, so that no call could be answered in time."""

    async def run(self) -> None:
        """Until cancelled; a call that hangs does not hold up the next."""
        async with asyncio.TaskGroup() as calls:
            while True:
                calls.create_task(self.ring())
                await asyncio.sleep(RING_EVERY)

    async def ring(self) -> bool:
        """Whether a call is answered with success now."""
        name, user, sent_at = uuid.uuid4().hex, f"probe-{random.randrange(LEADS)}", time.monotonic()
        call = {
            "userId": user,
            "event": "Page Viewed",
            "messageId": name,
            "timestamp": datetime.now(UTC).isoformat(),
        }
        try:
            response = await self.stage.http.post("/v1/track", auth=WRITE_KEY, json=call)
        except httpx.TimeoutException:
            self._answered(Answer(sent_at, time.monotonic() - sent_at, 0))
            return False
        except httpx.HTTPError:
            self.answers.append(Answer(sent_at, 0, 0))
            return False
        self._answered(Answer(sent_at, time.monotonic() - sent_at, response.status_code))
        if response.status_code == 200:
            self.acknowledged.add(("engagements", lead_id_of(user_id=user), SOURCE, name))
        elif response.status_code != 503:
            self.violations.append(f"ingest answered {response.status_code}")
        elif "retry-after" not in response.headers:
            self.violations.append("ingest answered 503 without Retry-After")
        return response.status_code == 200

    def between(self, since: float, until: float) -> list[Answer]:
        """Answers to calls that were both sent and answered in that time."""
        return [one for one in self.answers if since <= one.sent_at and one.sent_at + one.seconds <= until]

    def _answered(self, answer: Answer) -> None:
        self.answers.append(answer)
        stood_still = self.still[0] <= answer.sent_at + answer.seconds and answer.sent_at <= self.still[1]
        if answer.seconds > ANSWER_SECONDS and not stood_still:
            self.violations.append(f"a call to ingest took {answer.seconds:.1f} s")


class Flow:
    """Reads how far every service is, from the database and the broker themselves."""

    def __init__(self, stage: Stage, probe: Probe) -> None:
        self._stage = stage
        self._probe = probe

    async def recovered(self, since: float, without: Collection[Instance] = ()) -> float:
        """Seconds from `since` until the relay flows, infinite when that takes longer than PATIENCE.

        It flows when ingest accepts an event, every instance is ready (but those in `without`), and then all that
        lies in every topic has been worked off by every service that reads it.
        """
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + PATIENCE):
                await until(self._probe.ring, "an event to be accepted", PATIENCE)
                for instance in self._stage.instances:
                    if instance not in without:
                        await until(partial(self._stage.ready, instance.name), instance.name, PATIENCE)
                now: Ends = await until(self._ends, "the broker to tell its ends", PATIENCE)
                for service in JUDGES:
                    await until(partial(self._worked_off, service, now), service, PATIENCE)
                await until(partial(self._drained, now), INBOX, PATIENCE)
        except TimeoutError:
            return float("inf")
        return time.monotonic() - since

    async def records(self, service: str) -> int:
        """How many records the service has read and judged since the beginning."""
        rows = await self._stage.query(service, "SELECT totals FROM partition")
        return sum(json.loads(row["totals"]).get("records", 0) for row in rows)

    async def _worked_off(self, service: str, now: Ends) -> bool:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with connected(self._stage.room.url) as database:
                return await unread(database, self._stage.room, service, now) == 0
        return False

    async def _drained(self, now: Ends) -> bool:
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(5):
                return await inbox.unread(self._stage.room, now) == 0
        return False

    async def _ends(self) -> Ends:
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(5):
                return await ends(self._stage.room.bootstrap_servers, *INPUTS, TOPIC)
        return {}
