"""A company's size that is known as a range only, as a state keeps it: the text "51..200", or "1000.." without an end.

A text, since every version can read a state that has one: to a version that knows no ranges no rule about sizes holds.
"""

from __future__ import annotations

from functools import lru_cache

from schemas.engagements import LARGEST_COMPANY, Description, SizeRange

SIZE, SIZE_RANGE = "company_size", "company_size_range"


def text_of(range_: SizeRange | None) -> str | None:
    """The range as text."""
    return None if range_ is None else f"{range_.least}..{'' if range_.most is None else range_.most}"


def stated(description: Description, attribute: str) -> int | str | None:
    """What the description says of the attribute; of a size the number, where it has both."""
    value: int | str | None = getattr(description, attribute)
    return text_of(description.company_size_range) if value is None and attribute == SIZE else value


@lru_cache(maxsize=4096)
def ends_of(text: str) -> tuple[int, int]:
    """The ends of the range, both included; one without an end may be as large as a company can be."""
    least, _, most = text.partition("..")
    return int(least), int(most) if most else LARGEST_COMPANY


def range_of(text: str) -> SizeRange:
    """The range that was made a text."""
    least, _, most = text.partition("..")
    return SizeRange(least=int(least), most=int(most) if most else None)
