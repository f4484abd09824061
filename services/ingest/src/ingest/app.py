"""The composition root of ingest."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis.kafka.publisher import Publisher
from chassis.process import ops
from chassis.process.metrics import ProducerCollector
from ingest.flights import Flights, Publishes, Room
from ingest.http.answers import Problem
from ingest.http.door import Door
from ingest.http.sales import Sales
from ingest.http.segment import Segment
from ingest.keys import WriteKeys
from ingest.metrics import Metrics
from ingest.settings import IngestSettings

GRACE_SECONDS = 10
"""Longest that running requests may take once the process stops."""


@dataclass(frozen=True, slots=True)
class Ingest:
    """The HTTP application and the task that must run beside it."""

    app: FastAPI
    flights: Flights


def build(settings: IngestSettings, keys: WriteKeys, publisher: Publishes, registry: CollectorRegistry) -> Ingest:
    """Wires the service."""
    limits = settings.limits
    room = Room(limits.in_flight_events, limits.in_flight_bytes)
    flights = Flights(publisher, room, limits.answer_deadline.total_seconds())
    metrics = Metrics(registry, room)
    door = Door(limits, keys, room, flights, metrics, Room(limits.strangers, limits.strangers_bytes))
    segment = Segment(door)
    answers = {
        "/v1/batch": segment.batch,
        "/v1/track": segment.track,
        "/v1/identify": segment.identify,
        "/v1/page": segment.page,
        "/v1/alias": segment.alias,
        "/v1/merge": segment.merge,
        "/v1/sales-activities": Sales(door).activities,
    }

    async def elsewhere(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        metrics.requests.labels("other", status).inc()
        return _problem(error).response()

    app = FastAPI(
        # plain routes: the handlers parse and answer at half the cost
        routes=[Route(path, door.endpoint(path, answer), methods=["POST"]) for path, answer in answers.items()],
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # else looked up for each request
        redirect_slashes=False,
        exception_handlers={HTTPException: elsewhere, Exception: elsewhere},
    )
    return Ingest(app, flights)


async def serve(settings: IngestSettings, keys: WriteKeys, stop: asyncio.Event) -> None:
    """Serves until `stop`; then: not ready, no new connections, running requests answered, last flights finished."""
    registry = CollectorRegistry()

    def ready() -> str | None:
        return "stopping" if stop.is_set() else None

    async with Publisher(settings.kafka) as publisher:
        registry.register(ProducerCollector("ingest", publisher))
        ingest = build(settings, keys, publisher, registry)
        async with ops.serving("ingest", settings.ops, ready, registry), asyncio.TaskGroup() as tasks:
            tasks.create_task(ingest.flights.run(), name="flights")
            watch = tasks.create_task(keys.watch(settings.write_keys_check.total_seconds()), name="write keys")
            async with ops.listening(ingest.app, settings.http.host, settings.http.port, grace=GRACE_SECONDS):
                await stop.wait()
            ingest.flights.close()
            watch.cancel()


def _problem(error: Exception) -> Problem:
    """The answer where no route matches."""
    if not isinstance(error, HTTPException):
        return Problem(500, "bug", "this is a fault of ours")
    messages = {404: "there is no such route", 405: "this route takes POST"}
    code = {404: "no_such_route", 405: "method_not_allowed"}.get(error.status_code, "refused")
    return Problem(error.status_code, code, messages.get(error.status_code, "refused"), headers=error.headers)
