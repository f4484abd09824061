"""GET /t.js, the tracker for web pages, and GET /try, a page that sends by it and shows what becomes of each event."""

from __future__ import annotations

import gzip
from hashlib import sha256
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

WEB = Path(__file__).parents[1] / "web"
CACHED = "public, max-age=3600, stale-while-revalidate=86400"
"""An hour: so long a mended tracker may take to reach a page that was seen before."""
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Script:
    """A file of `web`, served with its digest, so that a browser that has it asks no more than whether it changed."""

    def __init__(self, name: str) -> None:
        self.plain = (WEB / name).read_bytes()
        self.packed = gzip.compress(self.plain, 9, mtime=0)
        tag = sha256(self.plain).hexdigest()[:16]
        self._headers = {
            "Cache-Control": CACHED,
            "ETag": f'"{tag}"',
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }

    async def answer(self, request: Request) -> Response:
        """The file, or 304 to who has it."""
        headers = dict(self._headers)
        if self._headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        packed = "gzip" in request.headers.get("accept-encoding", "")
        if packed:
            headers["Content-Encoding"] = "gzip"
        return Response(self.packed if packed else self.plain, headers=headers, media_type="text/javascript")


class Try:
    """The page for experiments, which sends with a public write key."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._page = (WEB / "try.html").read_text()

    async def answer(self, request: Request) -> Response:
        """The page; neither script nor style of anybody else runs on it."""
        origin = f"{request.url.scheme}://{request.url.netloc}"
        page = self._page.replace("{key}", escape(self._key)).replace("{origin}", escape(origin))
        return HTMLResponse(page, headers=PAGE_HEADERS)
