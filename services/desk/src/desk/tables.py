"""Plain text for operators: tables in columns, and strangers' words that cannot steer a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"-|-?\d+(\.\d+)?")


def plain(text: str) -> str:
    """The text with control characters spelled out: what a stranger wrote must not steer an operator's terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def columns(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in plain text; numbers to the right, a dash where there is none."""
    cells = [[plain(str(cell)) for cell in row] for row in rows]
    right = [all(_NUMBER.fullmatch(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = [list(headings), *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)).rstrip()
        for line in lines
    )
