"""The demo's traffic while the run lasts: visitors, and every 20 seconds or so a person with a story."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

from baton_local.cast import Person, people
from baton_local.replies import Replies
from baton_local.senders import Senders, SendingRefusedError
from baton_local.stories import Story

EVERY = 20.0
"""Seconds from one person to the next, plus or minus a quarter."""
FIRST_EVERY = 3.0
"""The same in the first round, so that each story is seen within a minute."""
AT_A_TIME = 16
"""Most stories at the same time; a story takes at most two minutes unless the relay stands still."""
VISITORS = 400
STORIES: tuple[Callable[[Story], Awaitable[None]], ...] = (
    Story.followed_up_in_time,
    Story.followed_up_too_late,
    Story.sent_by_the_platform,
    Story.reported_too_late,
    Story.history_comes_late,
    Story.not_ready_yet,
)

Entrance = tuple[float, Person, Callable[[Story], Awaitable[None]]]
"""Seconds after the one before, the person, the story."""


def entrances(run: int) -> Iterator[Entrance]:
    """An endless series, the same for the same run. Each round of people has every story once."""
    chance, persons = random.Random(run), people(run)  # noqa: S311 - no secret
    for number in count():
        stories = STORIES if number == 0 else chance.sample(STORIES, len(STORIES))
        every = FIRST_EVERY if number == 0 else EVERY
        for story in stories:
            yield every * chance.uniform(0.75, 1.25), next(persons), story


class Demo:
    """Plays the entrances of one run. Only a refusal ends the traffic, with a line; it never ends the run.

    `pace` 0.1: ten times as fast.
    """

    def __init__(self, senders: Senders, replies: Replies, say: Callable[[str], None], run: int, pace: float = 1.0):
        self._send = senders
        self._replies = replies
        self._say = say
        self._run = run
        self._pace = pace
        self._room = asyncio.Semaphore(AT_A_TIME)

    async def play(self) -> None:
        """Runs until cancelled or refused."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._visits())
                for seconds, person, story in entrances(self._run):
                    await self._pause(seconds)
                    await self._room.acquire()
                    group.create_task(self._tell(person, story))
        except* SendingRefusedError as refused:
            self._say(f"The demo's traffic has ended: {refused.exceptions[0]}")

    async def _tell(self, person: Person, story: Callable[[Story], Awaitable[None]]) -> None:
        try:
            with self._replies.expecting(person.lead_id):
                await story(Story(person, self._send, self._replies, self._pause))
        finally:
            self._room.release()

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._pace)

    async def _visits(self) -> None:
        """Two page views a second, from visitors who never identify themselves."""
        for number in count():
            await self._send.track([self._visit(2 * number), self._visit(2 * number + 1)])
            await asyncio.sleep(1)

    def _visit(self, number: int) -> dict[str, Any]:
        return {
            "type": "page",
            "messageId": f"demo-{self._run}-visit-{number}",
            "timestamp": datetime.now(UTC).isoformat(),
            "anonymousId": f"visitor-{self._run}-{number % VISITORS}",
            "name": "Blog",
            "properties": {"path": "/blog"},
        }
