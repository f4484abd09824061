"""The composition root of ingest."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis.kafka.publisher import Publisher
from chassis.process import ops
from chassis.process.metrics import ProducerCollector
from ingest.adapters.dialects import DIALECTS
from ingest.flights import Flights, Publishes, Room
from ingest.formats import Formats
from ingest.http import contract
from ingest.http.answers import Problem
from ingest.http.browser import Settings
from ingest.http.calls import Calls
from ingest.http.cors import shown
from ingest.http.door import Door, Endpoint
from ingest.http.events import Events
from ingest.http.pages import Script, Try
from ingest.http.paths import Tidy, doubled
from ingest.http.sales import Sales
from ingest.http.webhooks import Hooks
from ingest.keys import WriteKeys
from ingest.metrics import Metrics
from ingest.settings import IngestSettings
from ingest.webhooks import Webhooks

GRACE_SECONDS = 10
"""Longest that running requests may take once the process stops."""


@dataclass(frozen=True, slots=True)
class Ingest:
    """The HTTP application and the task that must run beside it."""

    app: FastAPI
    flights: Flights


def build(
    settings: IngestSettings,
    keys: WriteKeys,
    publisher: Publishes,
    registry: CollectorRegistry,
    webhooks: Webhooks | None = None,
) -> Ingest:
    """Wires the service; without `webhooks` it takes none."""
    limits = settings.limits
    room = Room(limits.in_flight_events, limits.in_flight_bytes)
    flights = Flights(publisher, room, limits.answer_deadline.total_seconds())
    metrics = Metrics(registry, room, keys)
    door = Door(limits, keys, room, flights, metrics, Room(limits.strangers, limits.strangers_bytes))
    answers = _answers(door) | {
        "/v1/webhooks/{name}": ("POST", Hooks(door, webhooks or Webhooks(None, Formats(settings.mappings))).take)
    }
    answers["/t.js"] = ("GET", Script("t.js").answer)
    if settings.http.try_key:
        answers |= {"/try": ("GET", Try(settings.http.try_key).answer), "/try.js": ("GET", Script("try.js").answer)}
    if settings.http.docs:
        answers |= {"/openapi.json": ("GET", contract.as_openapi), "/docs": ("GET", contract.as_page)}

    async def elsewhere(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        meant = doubled(request.url.path, answers) if status == 404 else None
        metrics.requests.labels("doubled" if meant else "other", status).inc()
        return shown(request, _problem(error, meant).response())

    app = FastAPI(
        # plain routes: the handlers parse and answer at half the cost
        routes=[
            Route(path, door.endpoint(path, answer), methods=[method, "OPTIONS"])
            for path, (method, answer) in answers.items()
        ],
        middleware=[Middleware(Tidy)],
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # else looked up for each request
        redirect_slashes=False,
        exception_handlers={HTTPException: elsewhere, Exception: elsewhere},
    )
    return Ingest(app, flights)


def _answers(door: Door) -> dict[str, tuple[str, Endpoint]]:
    """Path -> its method and its answer."""
    settings = Settings(door)
    posts = {path: answer for dialect in DIALECTS.values() for path, answer in Calls(door, dialect).routes()}
    posts["/v1/events"] = Events(door).take
    posts["/v1/sales-activities"] = Sales(door).activities
    gets = {"/v1/projects/{key}/settings": settings.of_segment, "/sourceConfig": settings.of_rudder}
    return {path: ("POST", answer) for path, answer in posts.items()} | {
        path: ("GET", answer) for path, answer in gets.items()
    }


async def serve(settings: IngestSettings, keys: WriteKeys, webhooks: Webhooks, stop: asyncio.Event) -> None:
    """Serves until `stop`; then: not ready, no new connections, running requests answered, last flights finished."""
    registry = CollectorRegistry()

    def ready() -> str | None:
        return "stopping" if stop.is_set() else None

    async with Publisher(settings.kafka) as publisher:
        registry.register(ProducerCollector("ingest", publisher))
        ingest = build(settings, keys, publisher, registry, webhooks)
        async with ops.serving("ingest", settings.ops, ready, registry), asyncio.TaskGroup() as tasks:
            tasks.create_task(ingest.flights.run(), name="flights")
            every = settings.write_keys_check.total_seconds()
            watches = [tasks.create_task(files.watch(every), name="watch") for files in (keys, webhooks)]
            async with ops.listening(ingest.app, settings.http.host, settings.http.port, grace=GRACE_SECONDS):
                await stop.wait()
            ingest.flights.close()
            for watch in watches:
                watch.cancel()


def _problem(error: Exception, meant: str | None) -> Problem:
    """The answer where no route matches; `meant` is the one that the path ends with."""
    if not isinstance(error, HTTPException):
        return Problem(500, "bug", "this is a fault of ours")
    code = {404: "no_such_route", 405: "method_not_allowed"}.get(error.status_code, "refused")
    messages = {404: "there is no such route", 405: "this route does not take this method"}
    message = messages.get(error.status_code, "refused")
    if meant:
        message = f"there is no such route: the client adds {meant} itself, so give it this server's address alone"
    return Problem(error.status_code, code, message, headers=error.headers)
