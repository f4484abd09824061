"""Reads a request's body from the wire to JSON, trusting nothing that the sender says about it."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any

import orjson
from starlette.requests import Request

from ingest.flights import Held
from ingest.http.answers import Problem
from ingest.settings import Limits

MAX_DEPTH = 32
"""Most levels of nested objects and arrays."""
_CONTAINERS = (dict, list)


async def read(request: Request, limits: Limits, held: Held) -> bytes:
    """The decompressed body. Raises Problem 400, 408, 413 or 415, and Full."""
    inflate = _inflation(request, limits)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_deadline.total_seconds()):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limits.body:
                    raise too_large(f"a body may have {limits.body} bytes")
                part = inflate(chunk) if inflate and chunk else chunk
                held.more(len(part))
                parts.append(part)
    except TimeoutError as error:
        seconds = limits.body_deadline.total_seconds()
        close = {"Connection": "close"}
        raise Problem(408, "slow_body", f"the body has not arrived within {seconds:g} s", headers=close) from error
    if inflate:
        inflate.end()
    return b"".join(parts)


def too_large(message: str) -> Problem:
    """The answer to a request with more bytes, or more events, than a limit allows."""
    return Problem(413, "too_large", message)


def parse(body: bytes) -> Any:
    """The JSON value: finite numbers, whole characters, at most MAX_DEPTH levels. Raises Problem 400."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, "bad_json", f"the body is not JSON: {error.msg} at byte {error.pos}") from error
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise Problem(400, "too_deep", f"objects and arrays may be {MAX_DEPTH} levels deep")
    return value


def refuse_repeated_names(body: bytes) -> None:
    """Raises Problem 400 when an object of the parsed body has a name twice: readers would differ on its value."""

    def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(members)
        if len(value) < len(members):
            raise Problem(400, "repeated_name", "an object has two members of the same name")
        return value

    json.loads(body, object_pairs_hook=once)


def has_nul(encoded: bytes, value: object) -> bool:
    """Whether a text or name within `value` has a NUL character; `encoded` is JSON that contains the value's."""
    if rb"\u0000" not in encoded:
        return False
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in name or has_nul(encoded, member) for name, member in value.items())
    return isinstance(value, list) and any(has_nul(encoded, member) for member in value)


def _is_deeper(value: object, depth: int) -> bool:
    level = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(depth):
        level = [
            member
            for container in level
            for member in (container.values() if isinstance(container, dict) else container)
            if isinstance(member, _CONTAINERS)
        ]
        if not level:
            return False
    return True


def _inflation(request: Request, limits: Limits) -> _Gunzip | None:
    """By the Content-Encoding alone: these clients' Content-Type is unreliable."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return None
    if encoding in {"gzip", "x-gzip"}:
        return _Gunzip(limits.inflated)
    raise Problem(
        415, "unsupported_encoding", "a body may be sent plain or as gzip", headers={"Accept-Encoding": "gzip"}
    )


class _Gunzip:
    """Decompresses one gzip member part by part, to at most `most` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most
        self._inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    def __call__(self, chunk: bytes) -> bytes:
        if self._inflate.eof:
            raise Problem(400, "bad_gzip", "something follows the end of the gzip member")
        try:
            part = self._inflate.decompress(chunk, self._left + 1)
        except zlib.error as error:
            raise Problem(400, "bad_gzip", "the body is not gzip") from error
        self._left -= len(part)
        if self._left < 0:
            raise too_large(f"an inflated body may have {self._most} bytes")
        if self._inflate.unused_data:
            raise Problem(400, "bad_gzip", "something follows the end of the gzip member")
        return part

    def end(self) -> None:
        """Raises Problem 400 when the member is incomplete."""
        if not self._inflate.eof:
            raise Problem(400, "bad_gzip", "the gzip member ends early")
