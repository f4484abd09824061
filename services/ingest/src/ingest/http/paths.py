"""Finds the route that a client means: with doubled or trailing slashes, and what is wrong with other paths."""

from __future__ import annotations

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send


class Tidy:
    """Takes away slashes too many: `//v1/batch` and `/v1/batch/` are `/v1/batch`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if "//" in path or (path[-1:] == "/" and path != "/"):
            scope["path"] = "/" + "/".join(filter(None, path.split("/")))
        await self._app(scope, receive, send)


def doubled(path: str, routes: Collection[str]) -> str | None:
    """The route that a path ends with, where a client has put it behind another one: `/v1/batch/v1/batch`."""
    return max((route for route in routes if path.endswith(route) and path != route), key=len, default=None)
