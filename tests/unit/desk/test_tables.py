"""Tables: one line a row for programs, no wider than the terminal for people, and never in control of it."""

import sys

import pytest

from desk.tables import columns

HEADINGS = ("rule", "points", "event")
ROWS = [("size", 30, "2026-11-28 " * 15), ("taken", "-7.5", "[red]\x1b[2J[/red]"), ("none", "-", "")]


def test_a_program_reads_a_row_as_one_line_without_colours_or_control_characters() -> None:
    heading, *rows = columns(HEADINGS, ROWS).split("\n")
    assert heading == "rule   points  event"
    assert rows == [
        "size       30  " + ("2026-11-28 " * 15).rstrip(),
        r"taken    -7.5  [red]\x1b[2J[/red]",
        "none        -",
    ]


def test_on_a_terminal_a_table_is_no_wider_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    table = columns(HEADINGS, ROWS)
    assert max(map(len, table.split("\n"))) <= 80
    assert table.count("2026-11-28") == 15
    assert "\x1b" not in table
