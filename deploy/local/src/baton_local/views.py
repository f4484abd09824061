"""Two ways to watch: a live picture on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from baton_local.board import STAGES, Board

SHOWN = 10
"""Events on the picture at most; a low terminal has room for fewer."""
SUMMARY_SECONDS = 10.0
BURST = 20
"""Lines printed per second at most; the rest is only counted."""


class View(Protocol):
    """Shows a board until cancelled."""

    async def show(self) -> None: ...


class Picture:
    """The live view of a terminal."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._console = console

    async def show(self) -> None:
        """Redraws twice a second; the last picture stays on the screen."""
        with Live(self, console=self._console, auto_refresh=False) as live:
            try:
                while True:
                    await asyncio.sleep(0.5)
                    live.refresh()
            finally:
                live.refresh()

    def __rich__(self) -> RenderableType:
        stages, addresses = self._stages(), self._addresses()
        taken = sum(len(self._console.render_lines(part)) for part in (stages, addresses)) + 2
        shown = max(1, min(SHOWN, self._console.height - taken))
        return Group(stages, Text(), self._events(shown), addresses)

    def _stages(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("stage", style="bold", no_wrap=True)
        table.add_column("state", max_width=24)
        table.add_column("records since the start", min_width=32)
        table.add_column("per s", justify="right", no_wrap=True)
        states = dict(self._board.states())
        for stage, topics in STAGES.items():
            state = states.pop(stage, "")
            counters = [(topic, self._board.counters[topic]) for topic in topics if topic in self._board.counters]
            counts = ", ".join(f"{counter.total:,} {topic}" for topic, counter in counters)
            rate = sum(counter.rate for _, counter in counters)
            table.add_row(stage, _coloured(state), counts, f"{rate:,.1f}")
        aside = self._board.aside()
        table.add_row("set aside", "", Text(f"{aside:,} records", style="red" if aside else "dim"), "")
        for name, state in states.items():
            table.add_row(name, _coloured(state), "", "")
        return table

    def _events(self, shown: int) -> Text:
        lines = list(self._board.lines)[-shown:]
        events = Text(no_wrap=True, overflow="ellipsis")
        for at, text in lines:
            events.append(f"{at:%H:%M:%S}  ", "dim")
            events.append(f"{text}\n", "bold red" if text.startswith("BREACH") else "")
        return events.append("\n" * (shown - len(lines)))

    def _addresses(self) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for name, address in self._board.addresses.items():
            table.add_row(name, address)
        return table


class Lines:
    """Plain lines for a log or a pipe: one per event of interest, one summary per 10 s at most."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._console = console
        self._printed = 0
        self._summary = ""

    async def show(self) -> None:
        """Prints once a second what is new; nothing when nothing is."""
        for name, address in self._board.addresses.items():
            self._print(f"{name}: {address}")
        last = time.monotonic()
        try:
            while True:
                self._print_new()
                if time.monotonic() - last >= SUMMARY_SECONDS:
                    last = time.monotonic()
                    self._summarise()
                await asyncio.sleep(1)
        finally:
            self._print_new()

    def _print_new(self) -> None:
        new = self._board.said - self._printed
        self._printed = self._board.said
        lines = list(self._board.lines)[-min(new, BURST) :] if new else []
        for at, text in lines:
            self._print(text, at)
        if new > len(lines):
            self._print(f"... and {new - len(lines)} more")

    def _summarise(self) -> None:
        counts = [f"{counter.total} {name}" for name, counter in self._board.counters.items() if counter.total]
        odd = [f"{name} {state}" for name, state in self._board.states().items() if state not in {"ready", "running"}]
        summary = ", ".join(counts + odd)
        if summary and summary != self._summary:
            self._summary = summary
            self._print(summary)

    def _print(self, text: str, at: datetime | None = None) -> None:
        stamp = (at or datetime.now().astimezone()).strftime("%H:%M:%S")
        self._console.print(f"{stamp} {text}", markup=False, highlight=False, soft_wrap=True)


def _coloured(state: str) -> Text:
    return Text(state, style="green" if state in {"ready", "running"} else "yellow")
