"""Tables: one line a row for programs, no wider than the terminal for people, and never in control of it."""

import json
import sys
from dataclasses import replace

import pytest

from desk.lead.screen import Screen, lines
from desk.lead.standing import Overview, overview, tell
from desk.tables import columns, dumped, joined, wrapped
from tests.builders import LEAD, NOON
from tests.unit.router.journeys import a_context, a_handed_off_lead

HOSTILE = "Eve\x1b[2J\r\n\tScore\u2028\x9b1A\u202eada\u2066"
ESCAPED = r"Eve\x1b[2J\r\n\tScore\u2028\x9b1A\u202eada\u2066"
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


def test_a_stranger_s_words_neither_add_a_line_nor_reorder_one() -> None:
    assert joined([HOSTILE, "next"]) == f"{ESCAPED}\nnext"
    assert columns(("lead", "state"), [(HOSTILE, "running")]).split("\n")[1:] == [f"{ESCAPED}  running"]


def test_a_lead_s_name_does_not_control_the_terminal_and_json_is_ascii() -> None:
    view = replace(overview(a_handed_off_lead(), a_context(NOON)), name=HOSTILE)
    screen = Screen(LEAD, None, view, ())
    for told in (tell(view), lines(screen)):
        assert joined(told).split("\n")[0] == f"Lead      {ESCAPED} <ada@example.com>, {LEAD}"
    for text, name in (
        (dumped(view, Overview), json.loads(dumped(view, Overview))["name"]),
        (dumped(screen, Screen), json.loads(dumped(screen, Screen))["standing"]["name"]),
    ):
        assert (text.isascii(), name) == (True, HOSTILE)


def test_lines_are_wrapped_below_their_text_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "Score     65 points, band nurture, in it or above since 2026-11-28 22:48:29, asked for sales 2026-11-28"
    assert wrapped([line, HOSTILE]) == f"{line}\n{ESCAPED}"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert wrapped(["Stage     sql", line, HOSTILE]).split("\n") == [
        "Stage     sql",
        "Score     65 points, band nurture, in it or above since 2026-11-28 22:48:29,",
        "          asked for sales 2026-11-28",
        ESCAPED,
    ]
