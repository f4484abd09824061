"""Whether a webhook's request comes from the platform: its signature over the bytes as they came, or its token.

Standard Webhooks are checked by their own library. HubSpot's and Mautic's signatures have none in Python.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from standardwebhooks.webhooks import Webhook as Signed
from standardwebhooks.webhooks import WebhookVerificationError
from starlette.requests import Request

from ingest.http.answers import Problem
from ingest.webhooks import Webhook

OLDEST: Final = timedelta(minutes=5)
"""How far HubSpot's time stamp may be from now; Standard Webhooks has the same."""


def check(hook: Webhook, request: Request, body: bytes, now: datetime) -> None:
    """Returns if one of the webhook's secrets is the sender's. Raises Problem 401, which says nothing of the secret."""
    if not any(_CHECKS[hook.kind](hook, secret, request, body, now) for secret in hook.secrets):
        messages = {"token": "the token is missing or wrong (Authorization: Bearer, or ?token=)"}
        messages["salesforce"] = "the token is missing or wrong (?token=)"
        message = messages.get(hook.kind, "the signature is missing, wrong, or older than 5 minutes")
        raise Problem(401, "bad_signature", message)


def _hubspot(hook: Webhook, secret: str, request: Request, body: bytes, now: datetime) -> bool:
    stamp = request.headers.get("x-hubspot-request-timestamp", "")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 16):
        return False
    if abs(now.timestamp() - int(stamp) / 1000) > OLDEST.total_seconds():
        return False
    said = b"".join((request.method.encode(), hook.url.encode(), body, stamp.encode()))
    return _same(_signature(secret, said), request.headers.get("x-hubspot-signature-v3", ""))


def _mautic(_: Webhook, secret: str, request: Request, body: bytes, __: datetime) -> bool:
    return _same(_signature(secret, body), request.headers.get("webhook-signature", ""))


def _standard(_: Webhook, secret: str, request: Request, body: bytes, __: datetime) -> bool:
    try:
        Signed(secret).verify(body, dict(request.headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # ValueError: a header or body that the library cannot read
        return False
    return True


def _token(hook: Webhook, secret: str, request: Request, _: bytes, __: datetime) -> bool:
    scheme, _blank, token = request.headers.get("authorization", "").partition(" ")
    if hook.kind == "salesforce" or scheme.lower() != "bearer":
        token = request.query_params.get("token", "")
    return _same(secret, token.strip())


def _signature(secret: str, said: bytes) -> str:
    return b64encode(hmac.digest(secret.encode(), said, "sha256")).decode()


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())


_CHECKS: Final[dict[str, Callable[[Webhook, str, Request, bytes, datetime], bool]]] = {
    "hubspot": _hubspot,
    "mautic": _mautic,
    "salesforce": _token,
    "standard": _standard,
    "token": _token,
}
