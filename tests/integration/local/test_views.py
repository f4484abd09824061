"""The live picture of `make run` on the smallest terminal that people still use."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from baton_local.board import STAGES, Board, Counter
from baton_local.views import Picture

ADDRESSES = {
    "ingest": "http://127.0.0.1:8080/v1/batch (write key pk_demo_tracker, for sales activities sk_demo_sales)",
    "logs": "/home/grace/baton/.baton/logs",
}


@pytest.mark.parametrize("state", ["ready", "waits for the database: it does not answer on its port"])
def test_on_80_by_24_no_column_is_lost_and_no_line_falls_off(state: str) -> None:
    board = Board(addresses=ADDRESSES, states=lambda: {**dict.fromkeys(STAGES, state), "kafka": "running"})
    for topics in STAGES.values():
        for topic in topics:
            board.counters[topic] = Counter(total=1_234_567)
    for _ in range(20):
        board.say(f"BREACH: Grace owed Ada the follow-up, {'and ' * 20}so on")
    screen = StringIO()
    console = Console(file=screen, width=80, height=24, force_terminal=True, color_system=None)

    console.print(Picture(board, console))

    lines = screen.getvalue().splitlines()
    assert len(lines) <= 24
    assert lines[0].split() == ["stage", "state", "records", "since", "the", "start", "per", "s"]
    assert next(line for line in lines if line.startswith("scorer")).rstrip().endswith(" 0.0")
    assert f"{board.lines[-1][0]:%H:%M:%S}  BREACH: Grace owed Ada" in screen.getvalue()
    assert lines[-1].split() == ["logs", ADDRESSES["logs"]]
