"""The HTTP port for operators: /livez, /readyz, /metrics."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from chassis.process.failures import CannotListen
from chassis.process.metrics import loop_lag
from chassis.process.settings import Ops

Ready = Callable[[], str | None]
"""None when the process works, else what it waits for, in plain words."""


class Server(uvicorn.Server):
    """uvicorn inside a process that handles its own signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(service: str, ops: Ops, ready: Ready, registry: CollectorRegistry) -> AsyncIterator[None]:
    """Serves the ops port and measures the event loop while the block runs. Raises CannotListen."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        waiting = ready()
        return PlainTextResponse("ok\n" if waiting is None else f"{waiting}\n", 200 if waiting is None else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    routes = [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
    measuring = asyncio.create_task(_measure(loop_lag(service, registry)), name="loop lag")
    try:
        async with listening(Starlette(routes=routes), ops.host, ops.port):
            yield
    finally:
        measuring.cancel()


async def _measure(lag: Histogram) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.5
        await asyncio.sleep(0.5)
        lag.observe(loop.time() - due)


@contextlib.asynccontextmanager
async def listening(app: object, host: str, port: int, grace: int = 2) -> AsyncIterator[Server]:
    """Serves an ASGI app on asyncio's own loop while the block runs (uvloop breaks aiokafka).

    At its end it stops accepting and gives running requests `grace` seconds. Raises CannotListen.
    """
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=host,
        port=port,
        loop="asyncio",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=grace,
        server_header=False,
        proxy_headers=False,  # the client's address is not used, and a header could forge it
    )
    server = Server(config)
    try:
        bound = socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise CannotListen(f"port {port} on {host}: {error.strerror}") from error
    # Connections inherit this; asyncio does not set it for them. Without it each answer, two writes, waits 40 ms for
    # the client's delayed acknowledgement of the first write.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    task = asyncio.create_task(server.serve(sockets=[bound]), name=f"http {port}")
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event to wait for
            await asyncio.sleep(0.01)
        if task.done():
            await task  # uvicorn ended before it started; raises its error, if it has one
            raise CannotListen(f"port {port} on {host}: the server ended at once")
        yield server
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(task, grace + 3)
        bound.close()
