"""Reads a company's size: a number of people, or a range of numbers, as forms and data vendors write it.

| Written | Read as |
|---|---|
| 120, "120", "1,200", "1'200", "10K", "1.5K" | the number |
| 158.5 | [158, 159]: it is in between |
| "51-200" (or another dash), "51 to 200", "1K-5K" | [51, 200] |
| "1000+", "10,001+ employees" | from 1000 on |
| ">1000", "<=50" | from 1001 on, [0, 50] |

Anything else is no size: one below 0 or past LARGEST_COMPANY, a range whose ends are the wrong way round, "about 50",
"05-2023", "51 200", which may be a range, "1.200", which is 1.2 to some and 1,200 to others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import ceil, floor
from typing import Final

from schemas.engagements import LARGEST_COMPANY, SizeRange

_LONGEST: Final = 64
"""Characters of a text that may be a size."""
_NUMBER: Final = r"([1-9][0-9]{0,2}(?:[,'\u00a0\u202f][0-9]{3})+|[1-9][0-9]*|0)(\.[0-9]{1,2}|\.[0-9]{4,9})?\s?(k)?"
"""Without a plain blank in it: "51 200" may be a range that lost its dash; nor a 0 before it, as months have."""
_PEOPLE: Final = r"(?:\s?(?:employees|people|staff|fte))?"
_ONE = re.compile(rf"(<=?|>=?|[\u2264\u2265])?\s?{_NUMBER}\s?(\+)?{_PEOPLE}")
_TWO = re.compile(rf"{_NUMBER}\s?(?:[-\u2010-\u2015\u2212]|to|\.\.)\s?{_NUMBER}{_PEOPLE}")
_SEPARATOR = re.compile(r"[^0-9]")
_BOUNDS: Final[dict[str, Callable[[float], tuple[int, int | None]]]] = {
    "": lambda number: (floor(number), ceil(number)),
    **dict.fromkeys(("+", ">=", "\u2265"), lambda number: (floor(number), None)),
    ">": lambda number: (floor(number) + 1, None),
    **dict.fromkeys(("<=", "\u2264"), lambda number: (0, floor(number))),
    "<": lambda number: (0, ceil(number) - 1),
}
"""Least and most by the sign beside a number."""


def size_of(value: object) -> int | SizeRange | None:
    """The size; None where it cannot be read for certain."""
    if type(value) is int:  # not a truth value; the usual case, at a third of the cost
        return value if 0 <= value <= LARGEST_COMPANY else None
    if isinstance(value, float):
        return _within(*_BOUNDS[""](value))
    text = value.strip().lower() if isinstance(value, str) else ""
    if len(text) > _LONGEST:
        return None
    if two := _TWO.fullmatch(text):
        return _within(floor(_number(two[1], two[2], two[3])), ceil(_number(two[4], two[5], two[6])))
    one = _ONE.fullmatch(text)
    if one is None or (one[1] and one[5]):
        return None
    return _within(*_BOUNDS[one[1] or one[5] or ""](_number(one[2], one[3], one[4])))


def _number(whole: str, fraction: str | None, thousands: str | None) -> float:
    number = float(_SEPARATOR.sub("", whole) + (fraction or ""))
    return number * 1000 if thousands else number


def _within(least: int, most: int | None) -> int | SizeRange | None:
    if not 0 <= least <= LARGEST_COMPANY or (most is not None and not least <= most <= LARGEST_COMPANY):
        return None
    return least if least == most else SizeRange(least=least, most=most)
