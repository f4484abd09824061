"""What the routes have in common: limits, keys, the way to the broker, and how an answer is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from chassis.failures import Transient, Unpublishable
from chassis.publisher import Record
from ingest.flights import Flights, Full, Room
from ingest.http.answers import Problem, unavailable
from ingest.http.body import too_large
from ingest.keys import WriteKeys
from ingest.metrics import Metrics
from ingest.settings import Limits
from schemas.envelope import Envelope

Endpoint = Callable[[Request], Awaitable[Response]]

_HEADERS = (("content-type", b"application/cloudevents+json"),)


@dataclass(frozen=True, slots=True)
class Door:
    """What a route works with."""

    limits: Limits
    keys: WriteKeys
    room: Room
    flights: Flights
    metrics: Metrics

    async def publish(self, records: Sequence[Record], events: int, reasons: Counter[str] | None = None) -> None:
        """Returns once the broker has acknowledged all of it, and counts it. Raises Problem 413, and Transient."""
        rejected = len(records) - events
        try:
            await self.flights.publish(records)
        except Unpublishable as error:
            raise too_large("the broker takes no record of this size") from error
        except Transient:
            self.metrics.events.labels("unacknowledged").inc(len(records))
            raise
        if events:
            self.metrics.events.labels("published").inc(events)
        if rejected:
            self.metrics.events.labels("rejected").inc(rejected)
        for reason, count in (reasons or {}).items():
            self.metrics.rejected.labels(reason).inc(count)

    def endpoint(self, route: str, answer: Endpoint) -> Endpoint:
        """The route's answer, or the problem that came up instead, counted and timed."""
        retry_after = int(self.limits.retry_after.total_seconds())
        duration = self.metrics.duration.labels(route)

        async def endpoint(request: Request) -> Response:
            started = perf_counter()
            if request.headers.get("x-retry-count", "0") != "0":
                self.metrics.resent.inc()
            try:
                response = await answer(request)
            except Problem as problem:
                response = problem.response()
            except Full:
                response = unavailable("overloaded", "too much is in flight", retry_after).response()
            except Transient:
                message = "the broker did not acknowledge; events may have been taken, a retry does no harm"
                response = unavailable("not_acknowledged", message, retry_after).response()
            except ClientDisconnect:
                response = Problem(400, "disconnected", "the sender hung up").response()
            self.metrics.requests.labels(route, response.status_code).inc()
            duration.observe(perf_counter() - started)
            return response

        return endpoint


def records_of(events: Iterable[Envelope]) -> list[Record]:
    """Each event as a record: keyed by the lead, self-contained."""
    return [Record(event.topic, event.subject.encode(), event.encode(), _HEADERS) for event in events]
