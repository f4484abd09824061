"""The sender of a request, by its write key."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request

from ingest.http.answers import Problem
from ingest.keys import Key, WriteKeys


def from_header(request: Request, keys: WriteKeys) -> Key | None:
    """The sender by `Authorization: Basic base64(key + ":")`; None without that header. Raises Problem 401."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, encoded = header.partition(" ")
    try:
        name = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        name = ""
    if scheme.lower() != "basic" or not name:
        raise _unauthorized("bad_authorization", "the header must be \"Authorization: Basic base64(write key + ':')\"")
    return _found(name, keys)


def from_body(body: dict[str, object], keys: WriteKeys) -> Key:
    """The sender by the body's `writeKey`, which browsers send. Raises Problem 401."""
    name = body.get("writeKey")
    if not isinstance(name, str) or not name:
        raise _unauthorized("no_write_key", "a write key is needed, as Basic user name or as writeKey in the body")
    return _found(name, keys)


def server(request: Request, keys: WriteKeys) -> Key:
    """The sender by the header, if its key is a server's. Raises Problem 401."""
    key = from_header(request, keys)
    if key is None:
        raise _unauthorized("no_write_key", "a server's write key is needed, as Basic user name")
    if key.kind != "server":
        raise _unauthorized("server_key_needed", "this route needs a server's write key; this one is public")
    return key


def _found(name: str, keys: WriteKeys) -> Key:
    key = keys.find(name)
    if key is None:
        raise _unauthorized("unknown_write_key", "this write key is not known, or has been revoked")
    return key


def _unauthorized(code: str, message: str) -> Problem:
    return Problem(401, code, message, headers={"WWW-Authenticate": 'Basic realm="write key"'})
