"""Canonical JSON of data, for fingerprints; the same in every version of the contract."""

from __future__ import annotations

import re
from json.encoder import c_make_encoder, encode_basestring_ascii  # type: ignore[attr-defined]
from typing import Any

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""The escape of a NUL in a JSON text: after an even number of backslashes."""
_encoder = c_make_encoder(None, None, encode_basestring_ascii, None, ":", ",", True, False, False)


def content_of(data: Any) -> str:
    """ASCII JSON with sorted keys, whole numbers as integers, and without keys that are null.

    Raises ValueError for what cannot be stored: a number that JSON does not have, a NUL.
    """
    content = "".join(_encoder(data, 0))
    if "null" in content or ".0" in content or "e+" in content:
        content = "".join(_encoder(_plain(data), 0))
    if has_nul(content):
        raise ValueError("a text has a NUL, which Postgres cannot hold")
    return content


def has_nul(text: str) -> bool:
    """Whether a text in the JSON has a NUL."""
    return "\\u0000" in text and _NUL.search(text) is not None


def _plain(data: Any) -> Any:
    """The data without null keys, whole numbers as integers."""
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items() if value is not None}
    if isinstance(data, list):
        return [_plain(value) for value in data]
    return int(data) if isinstance(data, float) and data.is_integer() else data
