"""Reads a request's body from the wire to JSON, trusting nothing that the sender says about it."""

from __future__ import annotations

import asyncio
import zlib
from codecs import BOM_UTF8
from collections import Counter
from typing import Any

import orjson
from starlette.requests import Request

from ingest.flights import Held
from ingest.http import lenient
from ingest.http.answers import Problem
from ingest.settings import Limits

MAX_DEPTH = 32
"""Most levels of nested objects and arrays."""
_CONTAINERS = (dict, list)
_GZIP = b"\x1f\x8b"
"""A gzip member's first bytes, and no JSON's."""


async def read(request: Request, limits: Limits, held: Held) -> bytes:
    """The body, inflated if its first bytes say gzip: what the header says is stale where a proxy has inflated it.

    Raises Problem 400, 408, 413 or 415, and Full.
    """
    return plain(await received(request, limits, held), limits, held)


async def received(request: Request, limits: Limits, held: Held) -> bytes:
    """The body as it was sent. Raises Problem 408, 413 or 415, and Full."""
    _refuse_other_encodings(request)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_deadline.total_seconds()):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limits.body:
                    raise too_large(f"a body may have {limits.body} bytes")
                held.more(len(chunk))
                parts.append(chunk)
    except TimeoutError as error:
        seconds = limits.body_deadline.total_seconds()
        close = {"Connection": "close"}
        raise Problem(408, "slow_body", f"the body has not arrived within {seconds:g} s", headers=close) from error
    return b"".join(parts)


def plain(body: bytes, limits: Limits, held: Held) -> bytes:
    """The received body inflated, without a byte order mark. Raises Problem 400 or 413, and Full."""
    if body.startswith(_GZIP):
        body = _inflated(body, limits.inflated)
        held.more(len(body))
    return body.removeprefix(BOM_UTF8)


def too_large(message: str) -> Problem:
    """The answer to a request with more bytes, or more events, than a limit allows."""
    return Problem(413, "too_large", message)


def parse(body: bytes, limits: Limits) -> tuple[Any, Counter[str] | None]:
    """The JSON value: finite numbers, whole characters, at most MAX_DEPTH levels. Raises Problem 400.

    What the strict parser refuses is read once more, leniently; then with what was mended, else with None.
    """
    mended = None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        value, mended = _leniently(body, limits.lenient, f"the body is not JSON: {error.msg} at byte {error.pos}")
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise _too_deep()
    return value, mended


def _leniently(body: bytes, most: int, why: str) -> tuple[Any, Counter[str]]:
    try:
        if len(body) <= most:
            return lenient.loads(body)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        pass
    raise Problem(400, "bad_json", why)


def refuse_repeated_names(body: bytes) -> None:
    """Raises Problem 400 when an object of the parsed body has a name twice: readers would differ on its value."""

    def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(members)
        if len(value) < len(members):
            raise Problem(400, "repeated_name", "an object has two members of the same name")
        return value

    lenient.loads(body, once)


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


def _too_deep() -> Problem:
    return Problem(400, "too_deep", f"objects and arrays may be {MAX_DEPTH} levels deep")


def _refuse_other_encodings(request: Request) -> None:
    if request.headers.get("content-encoding", "").strip().lower() not in {"", "identity", "gzip", "x-gzip"}:
        headers = {"Accept-Encoding": "gzip"}
        raise Problem(415, "unsupported_encoding", "a body may be sent plain or as gzip", headers=headers)


def _inflated(body: bytes, most: int) -> bytes:
    """One gzip member, inflated to at most `most` bytes. Raises Problem 400 or 413."""
    inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = inflate.decompress(body, most + 1)
    except zlib.error as error:
        raise Problem(400, "bad_gzip", "the body is not gzip") from error
    if len(plain) > most:
        raise too_large(f"an inflated body may have {most} bytes")
    if not inflate.eof:
        raise Problem(400, "bad_gzip", "the gzip member ends early")
    if inflate.unused_data:
        raise Problem(400, "bad_gzip", "something follows the end of the gzip member")
    return plain
