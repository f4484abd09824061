"""The sender of a request, by its write key: in a header, in the URL or in the body; never logged."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request

from ingest.http.answers import Problem
from ingest.keys import Key, WriteKeys

WRITE_KEY = "x-write-key"
"""Jitsu's header. Its keys are `id:secret`: one that is not known as a whole is known by the part before the colon, as
Basic's user name is.
"""


def from_header(request: Request, keys: WriteKeys) -> Key | None:
    """The sender by `Authorization: Basic base64(key + ":")` or X-Write-Key; None without these. Raises Problem."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme and scheme.lower() != "bearer":
        return _found(basic(scheme, encoded), keys, request)
    name = request.headers.get(WRITE_KEY, "").strip()
    return _found(name, keys, request) if name else None


def from_url(request: Request, keys: WriteKeys) -> Key | None:
    """The sender by `?writeKey=` or `Authorization: Bearer`; None without these. Raises Problem."""
    name = request.query_params.get("writeKey", "").strip()
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not name and scheme.lower() == "bearer":
        name = token.strip()
    return _found(name, keys, request) if name else None


def from_body(name: object, keys: WriteKeys, request: Request, before: Key | None = None) -> Key:
    """The sender by what the body has for a key, else the one found `before`. Raises Problem."""
    if isinstance(name, str) and name:
        return _found(name, keys, request)
    if before is None:
        raise _unauthorized("no_write_key", "a write key is needed, as Basic user name or as writeKey in the body")
    return before


def beside_body(request: Request, keys: WriteKeys) -> Key:
    """The sender by header or URL. Raises Problem."""
    key = from_header(request, keys) or from_url(request, keys)
    if key is None:
        raise _unauthorized("no_write_key", "a write key is needed, as Basic user name, Bearer token or ?writeKey=")
    return key


def server(request: Request, keys: WriteKeys) -> Key:
    """The same, if its key is not a public one. Raises Problem."""
    key = beside_body(request, keys)
    if key.kind == "public":
        raise _unauthorized("server_key_needed", "this route needs a server's write key; this one is public")
    return key


def basic(scheme: str, encoded: str) -> str:
    """The user name of Basic authorization. Raises Problem."""
    try:
        name = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        name = ""
    if scheme.lower() != "basic" or not name:
        raise _unauthorized("bad_authorization", "the header must be \"Authorization: Basic base64(write key + ':')\"")
    return name


def _found(name: str, keys: WriteKeys, request: Request) -> Key:
    key = keys.find(name) or (keys.find(name.partition(":")[0]) if ":" in name else None)
    if key is None:
        raise _unauthorized("unknown_write_key", "this write key is not known, or has been revoked")
    origin = request.headers.get("origin")
    if origin is not None and not key.allows(origin) and not _is_own(origin, request):
        about = "is not among the key's origins" if key.kind == "public" else "may use no secret key"
        raise Problem(403, "origin_not_allowed", f"a page of this origin {about} (origins in the file of write keys)")
    return key


def _is_own(origin: str, request: Request) -> bool:
    """Whether the page is one of ours."""
    return origin.partition("://")[2] == request.headers.get("host")


def _unauthorized(code: str, message: str) -> Problem:
    return Problem(401, code, message, headers={"WWW-Authenticate": 'Basic realm="write key"'})
