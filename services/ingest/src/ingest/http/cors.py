"""Lets web pages send: which answers a browser shows to a page, and the question that it asks before.

What a page may send is decided by its write key (`Key.allows`), with the request itself; so every page may read why its
events were refused.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

METHODS = "GET, POST"
HEADERS = "authorization, content-type, anonymousid, sentat, x-retry-count, x-write-key"
"""Those that the clients of the Segment family send."""
MAX_AGE = "7200"
"""Seconds for which a browser keeps the answer; Chromium's own limit."""


def preflight(request: Request) -> Response:
    """The answer to OPTIONS. 200, since old browsers take no other.

    CloudEvents' webhook handshake asks the same way whether it may deliver here; its rate is bounded by 503 alone.
    """
    if (sender := request.headers.get("webhook-request-origin")) is not None:
        return Response(headers={"WebHook-Allowed-Origin": sender, "WebHook-Allowed-Rate": "*", "Allow": METHODS})
    asked = {"Access-Control-Allow-Methods": METHODS, "Access-Control-Allow-Headers": HEADERS}
    return shown(request, Response(headers={**asked, "Access-Control-Max-Age": MAX_AGE}))


def shown(request: Request, response: Response) -> Response:
    """The response, which the page that asked may read; never with cookies."""
    origin = request.headers.get("origin")
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        response.headers.add_vary_header("Origin")
    return response
