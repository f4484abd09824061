"""Plain text for people: tables in columns, and text by strangers that cannot control a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"-|-?\d+(\.\d+)?")
_UNLIMITED = 10_000
"""Columns where standard output is no terminal: a program reads a row as one line."""


def plain(text: str) -> str:
    """The text with its control characters escaped."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def columns(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table without colours, columns of numbers aligned right; on a terminal at most as wide as the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[plain(str(cell)) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for heading, column in zip(headings, zip(*cells, strict=True), strict=True):
        right = all(_NUMBER.fullmatch(cell) for cell in column)
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console = Console(color_system=None, width=None if sys.stdout.isatty() else _UNLIMITED)
    with console.capture() as printed:
        console.print(table)
    return "\n".join(line.rstrip() for line in printed.get().splitlines())
