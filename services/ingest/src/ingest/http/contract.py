"""GET /openapi.json and /docs: the contract of the routes. Made at the first request, which few processes ever get."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ingest.http.answers import JSON


async def as_openapi(_: Request) -> Response:
    """The document, as in schemas/openapi.json."""
    from ingest.openapi.document import text

    return Response(text(), media_type=JSON)


async def as_page(_: Request) -> Response:
    """The same to read."""
    from ingest.openapi.page import html

    return HTMLResponse(html(), headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"})
