"""Calls a route, makes an answer of its failures, counts and times it; and has what all routes share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, partial
from time import perf_counter

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.kafka.publisher import Record
from chassis.process.failures import Transient, Unpublishable
from ingest.flights import Flights, Full, Held, Room
from ingest.http import cors
from ingest.http.answers import Problem, unavailable
from ingest.http.body import too_large
from ingest.keys import Key, WriteKeys
from ingest.metrics import Metrics
from ingest.settings import Limits
from schemas.envelope import Envelope

Endpoint = Callable[[Request], Awaitable[Response]]

_HEADERS = (("content-type", b"application/cloudevents+json"),)


@dataclass(frozen=True, slots=True)
class Door:
    """What every route needs."""

    limits: Limits
    keys: WriteKeys
    room: Room
    flights: Flights
    metrics: Metrics
    strangers: Room
    """Room for the bodies of senders who have not shown a key yet."""

    def reading(self, key: Key | None) -> AbstractContextManager[Held]:
        """Room for a request's body: one without a key takes nothing from the room of those with a key."""
        return self.strangers.holding(1) if key is None else self.room.holding()

    async def publish(self, records: Sequence[Record], events: int, reasons: Counter[str] | None = None) -> None:
        """Returns once the broker has acknowledged all records, and counts them. Raises Problem 413, and Transient."""
        rejected = len(records) - events
        try:
            await self.flights.publish(records)
        except Unpublishable as error:
            raise too_large("the broker takes no record of this size") from error
        except Transient:
            self.metrics.unacknowledged.inc(len(records))
            raise
        if events:
            self.metrics.published.inc(events)
        if rejected:
            self.metrics.refused.inc(rejected)
        for reason, count in (reasons or {}).items():
            self.metrics.rejected.labels(reason).inc(count)

    def endpoint(self, route: str, answer: Endpoint) -> ASGIApp:
        """The route's answer, or the answer to what it raised, counted and timed."""
        return _Endpoint(self, route, answer)


class _Endpoint:
    """An ASGI application instead of a function: Starlette's wrapper of a function costs more than the route's work."""

    def __init__(self, door: Door, route: str, answer: Endpoint) -> None:
        self._answer = answer
        self._retry_after = int(door.limits.retry_after.total_seconds())
        self._resent = door.metrics.resent
        self._duration = door.metrics.duration.labels(route)
        self._requests = cache(partial(door.metrics.requests.labels, route))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        request = Request(scope, receive)
        if request.headers.get("x-retry-count", "0") != "0":
            self._resent.inc()
        if scope["method"] == "OPTIONS":
            await cors.preflight(request)(scope, receive, send)
            return
        response = cors.shown(request, await self._response(request))
        self._requests(response.status_code).inc()
        self._duration.observe(perf_counter() - started)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except Problem as problem:
            return problem.response()
        except Full:
            return unavailable("overloaded", "too much is in flight", self._retry_after).response()
        except Transient:
            message = "the broker did not acknowledge; events may have been taken, a retry does no harm"
            return unavailable("not_acknowledged", message, self._retry_after).response()
        except ClientDisconnect:
            return Problem(400, "disconnected", "the sender hung up").response()


def records_of(events: Iterable[Envelope]) -> list[Record]:
    """A record for each event, keyed by the lead."""
    return [Record(event.topic, event.subject.encode(), event.encode(), _HEADERS) for event in events]
