"""Reads JSON that the strict parser refuses, so that one bad value of a batch concerns its own item only.

Taken besides JSON: half a character (a lone surrogate, a byte that is no UTF-8) becomes U+FFFD, a number that is not
finite (NaN, Infinity, 1e400) becomes null, which is absent, and a text may have control characters. Integers past 64
bits become floats, as in the strict parser. It is ten times slower than that, so `MOST_MENDED` and the caller bound it;
Python's recursion limit bounds the depth.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from math import isfinite
from typing import Any

HALF, NOT_FINITE = "half_character", "not_finite"
MOST_MENDED = 10_000
"""Most values of one body that are mended: 20 for each event of the largest batch."""

_HALF = re.compile(
    r"(?<!\\)((?:\\\\)*+)"  # not an escape after an odd number of backslashes
    r"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|[c-fC-F][0-9a-fA-F]{2})"
)
"""An escape of half a character; the second group is the other half."""


def loads(
    body: bytes, pairs: Callable[[list[tuple[str, Any]]], dict[str, Any]] | None = None
) -> tuple[Any, Counter[str]]:
    """The value, and how often each of HALF and NOT_FINITE was mended. `pairs` as in `json.loads`.

    Raises ValueError, and RecursionError for a value too deep.
    """
    mended = Counter[str]()

    def mend(what: str, count: int = 1) -> None:
        mended[what] += count
        if mended.total() > MOST_MENDED:
            raise ValueError(f"more than {MOST_MENDED} values to mend")

    def finite(number: str) -> float | None:
        value = float(number)
        if isfinite(value):
            return value
        mend(NOT_FINITE)
        return None

    def integer(digits: str) -> float | None:
        exact = len(digits) <= len(str(2**64)) and -(2**63) <= int(digits) < 2**64
        return int(digits) if exact else finite(digits)

    def whole(found: re.Match[str]) -> str:
        if found[2]:
            return found[0]
        mend(HALF)
        return rf"{found[1]}\ufffd"

    text = body.decode(errors="replace")
    if text.count("\ufffd") > (said := body.count("\ufffd".encode())):
        mend(HALF, text.count("\ufffd") - said)
    text = _HALF.sub(whole, text)
    value = json.loads(
        text, strict=False, parse_float=finite, parse_int=integer, parse_constant=finite, object_pairs_hook=pairs
    )
    return value, mended
