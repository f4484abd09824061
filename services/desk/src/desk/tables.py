"""Plain text for people: tables in columns, and text by strangers that cannot control a terminal."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from shutil import get_terminal_size
from textwrap import TextWrapper

from pydantic import TypeAdapter

_NUMBER = re.compile(r"-|-?\d+(\.\d+)?")
_UNLIMITED = 10_000
"""Columns where standard output is no terminal: a program reads a row as one line."""

LABEL = 10
"""Columns of a line's first word, such as `Stage`."""


def plain(text: str) -> str:
    """The text as one line: all that moves the cursor or reorders characters is escaped, line breaks too."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def joined(lines: Iterable[str]) -> str:
    """The lines, each as `plain`: a stranger's words can neither add a line nor hide one."""
    return "\n".join(map(plain, lines))


def dumped(value: object, kind: type[object]) -> str:
    """JSON of a value of the type, in ASCII, which no terminal obeys."""
    return json.dumps(TypeAdapter(kind).dump_python(value, mode="json"), indent=2)


def wrapped(lines: Iterable[str]) -> str:
    """As `joined`; on a terminal wrapped at words to its width, the rest of a line below the text after its label."""
    if not sys.stdout.isatty():
        return joined(lines)
    width = get_terminal_size().columns
    wrapper = TextWrapper(width, subsequent_indent=" " * LABEL, break_long_words=False, break_on_hyphens=False)
    return "\n".join(part for line in lines for part in wrapper.wrap(plain(line)))


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
