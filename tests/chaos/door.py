"""Requests to ingest, each sent until it is answered with success: as a client that loses nothing has to."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.chaos.book import Backoff, Book
from tests.relay import SERVER_KEY, WRITE_KEY

DEADLINE = 10.0
"""Seconds that a request may take before its client gives it up; ingest promises an answer within 6."""
AT_ONCE = 8
WAITING = 200
"""Most requests that wait while ingest is gone; past that no new ones are made."""


@dataclass(frozen=True)
class Request:
    """`taken` is called once it has been answered with success; `again`: it is sent once more all the same."""

    path: str
    content: Any
    taken: Callable[[], None]
    again: bool = False


class Door:
    """The way in over HTTP; `run` works off what `put` leaves there."""

    def __init__(self, port: int, book: Book) -> None:
        self._book = book
        self._queue: asyncio.Queue[Request] = asyncio.Queue(WAITING)
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=None, trust_env=False)

    @property
    def full(self) -> bool:
        """Whether so much waits that nothing new should be made."""
        return self._queue.full()

    async def put(self, request: Request) -> None:
        """Leaves the request to be sent; waits while too many others wait."""
        await self._queue.put(request)

    async def run(self) -> None:
        """Sends for ever."""
        try:
            await asyncio.gather(*(self._work() for _ in range(AT_ONCE)))
        finally:
            await self._http.aclose()

    async def settled(self) -> None:
        """Returns once everything left has been taken."""
        await self._queue.join()

    async def _work(self) -> None:
        while True:
            request = await self._queue.get()
            if await self._delivered(request):
                request.taken()
                if request.again:
                    self._book.counts["client_retries"] += 1
                    await self._delivered(request)
            self._queue.task_done()

    async def _delivered(self, request: Request) -> bool:
        """True once it is answered with success; False when it is refused, which no valid request may be."""
        backoff = Backoff()
        while (status := await self._attempt(request)) is None or status >= 500:
            self._book.counts["client_retries"] += 1
            await backoff.pause()
        if status != 200:
            self._book.wrong[f"{request.path} was answered {status}"] += 1
        return status == 200

    async def _attempt(self, request: Request) -> int | None:
        book, started = self._book, time.monotonic()
        auth = SERVER_KEY if request.path == "/v1/sales-activities" else WRITE_KEY
        try:
            async with asyncio.timeout(DEADLINE):
                answer = await self._http.post(request.path, auth=auth, json=request.content)
        except TimeoutError:
            book.counts["timeouts"] += 1
            return None
        except httpx.HTTPError:
            book.counts["connection_errors"] += 1
            return None
        finally:
            book.longest = max(book.longest, time.monotonic() - started)
        status = answer.status_code
        book.counts[f"{status // 100}xx"] += 1
        if status == 503:
            book.counts["503"] += 1
            if "retry-after" not in answer.headers:
                book.wrong["503 without Retry-After"] += 1
        elif status >= 500:
            book.wrong[f"{request.path} was answered {status}"] += 1
        return status
