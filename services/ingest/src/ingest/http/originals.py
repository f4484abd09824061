"""The original bytes of a request's items, for items that are set aside: written again, `1e15` takes four times as
many.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence

_scan = json.JSONDecoder(parse_int=len, strict=False).scan_once  # type: ignore[attr-defined]
"""Goes past a value: as lenient as `lenient.loads`."""
_EXACT = "surrogateescape"
"""Bytes that are no UTF-8 become characters and the same bytes again."""
_blank = re.compile(r"[ \t\n\r]*")


def of_batch(body: bytes, batch: str) -> Sequence[bytes]:
    """The bytes of each item of the member called `batch`; the body is parsed already and has it, not empty."""
    text = body.decode(errors=_EXACT)
    found: Sequence[tuple[int, int]] = ()
    at = _past(text, text.index("{") + 1)
    while text[at] != "}":
        name, value = _name(text, at)
        if name == batch and text[value] == "[":
            found, at = _elements(text, value)  # of a doubled name the last one counts
        else:
            _, at = _scan(text, value)
        at = _next(text, at)
    return [text[first:end].encode(errors=_EXACT) for first, end in found]


def of_array(body: bytes) -> Sequence[bytes]:
    """The bytes of each element of the body, an array that is parsed already."""
    text = body.decode(errors=_EXACT)
    return [text[first:end].encode(errors=_EXACT) for first, end in _elements(text, text.index("["))[0]]


def of_call(body: bytes, keys: Collection[str]) -> bytes:
    """The body, an object, without its members `keys`."""
    text, kept = body.decode(errors=_EXACT), list[str]()
    at = _past(text, text.index("{") + 1)
    while text[at] != "}":
        name, value = _name(text, at)
        _, end = _scan(text, value)
        if name not in keys:
            kept.append(text[at:end])
        at = _next(text, end)
    return f"{{{','.join(kept)}}}".encode(errors=_EXACT)


def _name(text: str, at: int) -> tuple[str, int]:
    """The member's name and where its value begins."""
    name, at = _scan(text, at)
    return name, _past(text, _past(text, at) + 1)


def _elements(text: str, at: int) -> tuple[Sequence[tuple[int, int]], int]:
    """Where each element begins and ends, and where the array ends."""
    spans = []
    at = _past(text, at + 1)
    while text[at] != "]":
        _, end = _scan(text, at)
        spans.append((at, end))
        at = _next(text, end)
    return spans, at + 1


def _next(text: str, at: int) -> int:
    at = _past(text, at)
    return _past(text, at + 1) if text[at] == "," else at


def _past(text: str, at: int) -> int:
    blank = _blank.match(text, at)
    return blank.end() if blank else at
