"""The live picture of `make run` on the smallest terminal that people still use."""

import asyncio
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from baton_local import views
from baton_local.board import STAGES, Board, Counter
from baton_local.options import Ports, Run
from baton_local.run import addresses_of
from baton_local.stack import Stack, StackOptions
from baton_local.views import Lines, Picture

RUN = Run(Path("/home/grace/baton/.baton"), Ports(), "demo", demo=True, fresh=False)


@pytest.mark.parametrize("state", ["ready", "waits for the database: it does not answer on its port"])
def test_on_80_by_24_no_column_is_lost_and_no_line_falls_off(state: str) -> None:
    addresses = addresses_of(RUN, Stack(RUN.data, StackOptions(kafka_port=19092, postgres_port=15432)))
    states = {**dict.fromkeys(STAGES, state), "Kafka": "running", "Postgres": "running"}
    board = Board(addresses=addresses, states=lambda: states)
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
    assert lines[0].split() == ["stage", "state", "events", "since", "the", "start", "per", "min"]
    assert next(line for line in lines if line.startswith("scorer")).rstrip().endswith(" 0")
    assert f"{board.lines[-1][0]:%H:%M:%S}  BREACH: Grace owed Ada" in screen.getvalue()
    assert lines[-1].split() == ["logs", addresses["logs"]]
    assert [line.split()[0] for line in lines if line.startswith(("people", "promises", "set aside"))] == [
        *("people", "promises", "set"),
    ]
    assert sum("BREACH" in line for line in lines) >= (4 if state == "ready" else 1)


async def test_a_summary_has_only_the_parts_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "SUMMARY_SECONDS", 0.0)
    screen = StringIO()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Lines(Board(), Console(file=screen)).show(), 0.2)
    assert screen.getvalue().partition(" ")[2].splitlines() == [
        "0 scored, 0 handed over; 0 kept, 0 breached, 0 taken back"
    ]
