"""What the browser libraries of the Segment family ask for before they send: their settings."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ingest.http import sender
from ingest.http.answers import JSON, Problem
from ingest.http.door import Door

CACHED = {"Cache-Control": "max-age=300"}
"""As long as a revoked key may still find its settings in a browser; it can send nothing."""


class Settings:
    """Answers with the settings of a write key."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def of_segment(self, request: Request) -> Response:
        """GET /v1/projects/{write key}/settings: all events go to this server, and to no other.

        `keepalive` lets a browser finish what a page was sending as it was closed.
        """
        name = request.path_params["key"]
        self._known(name, request)
        here = {
            "apiKey": name,
            "apiHost": f"{request.url.netloc}/v1",
            "protocol": request.url.scheme,
            "deliveryStrategy": {"strategy": "standard", "config": {"keepalive": True}},
        }
        return _answer({"integrations": {"Segment.io": here}, "plan": {"track": {"__default": {"enabled": True}}}})

    async def of_rudder(self, request: Request) -> Response:
        """GET /sourceConfig?writeKey=: the library sends everything to its data plane, and loads nothing more."""
        name = request.query_params.get("writeKey") or _basic(request)
        self._known(name, request)
        source = {
            "id": name,
            "name": "baton",
            "writeKey": name,
            "enabled": True,
            "workspaceId": "baton",
            "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
            "destinations": [],
        }
        return _answer({"source": source, "updatedAt": "2026-01-01T00:00:00.000Z"})

    def _known(self, name: str, request: Request) -> None:
        """Raises Problem where nobody may send with the key from this page."""
        sender.from_body(name, self._door.keys, request)


def _basic(request: Request) -> str:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        raise Problem(401, "no_write_key", "a write key is needed, as writeKey in the URL")
    return sender.basic(scheme, encoded)


def _answer(content: object) -> Response:
    return Response(orjson.dumps(content), headers=CACHED, media_type=JSON)
