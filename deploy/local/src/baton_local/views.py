"""Two views: a live picture on a terminal, plain lines elsewhere."""

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

SHOWN = 12
"""Most events in the picture; a low terminal has room for fewer."""
SHORT = 13
"""Characters of a state that fits beside its stage; a longer one has its own line."""
SUMMARY_SECONDS = 10.0
BURST = 20
"""Most lines printed per second; the rest is only counted."""


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
        above, below = Group(self._stages(), self._sums(), Text()), self._addresses()
        taken = sum(len(self._console.render_lines(part)) for part in (above, below)) + 1
        shown = max(1, min(SHOWN, self._console.height - taken))
        return Group(above, self._events(shown), below)

    def _stages(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
        table.add_column("stage", style="bold", no_wrap=True)
        table.add_column("state", no_wrap=True, min_width=SHORT)
        table.add_column("events since the start", ratio=1)
        table.add_column("per min", justify="right", no_wrap=True)
        states = self._board.states()
        for stage, topics in STAGES.items():
            state = states.get(stage, "")
            counters = [(topic, self._board.counters[topic]) for topic in topics if topic in self._board.counters]
            counts = ", ".join(f"{counter.total:,} {topic}" for topic, counter in counters)
            rate = sum(counter.per_minute for _, counter in counters)
            table.add_row(stage, _coloured(state if len(state) <= SHORT else "not ready"), counts, f"{rate:,.0f}")
        return table

    def _sums(self) -> Table:
        aside, funnel = self._board.aside(), self._board.funnel
        table = _pairs()
        states = self._board.states()
        table.add_row("servers", ", ".join(f"{name} {state}" for name, state in states.items() if name not in STAGES))
        for name, state in states.items():
            if name in STAGES and len(state) > SHORT:
                table.add_row(name, _coloured(state))
        table.add_row("people", funnel.people())
        table.add_row("promises", Text(funnel.promises(), style="red" if funnel.breached else ""))
        table.add_row("set aside", Text(f"{aside:,} records", style="red" if aside else ""))
        return table

    def _events(self, shown: int) -> Text:
        lines = list(self._board.lines)[-shown:]
        events = Text(no_wrap=True, overflow="ellipsis")
        for at, text in lines:
            events.append(f"{at:%H:%M:%S}  ", "dim")
            events.append(f"{text}\n", "bold red" if text.startswith("BREACH") else "")
        return events.append("\n" * (shown - len(lines)))

    def _addresses(self) -> Table:
        table = _pairs()
        for name, address in self._board.addresses.items():
            table.add_row(name, address)
        return table


class Lines:
    """Plain lines for a log or a pipe: one per event of interest, at most one summary per 10 s."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._console = console
        self._printed = 0
        self._summary = ""

    async def show(self) -> None:
        """Prints once a second what is new."""
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
        parts = (", ".join(counts + odd), self._board.funnel.people(), self._board.funnel.promises())
        summary = "; ".join(part for part in parts if part)
        if summary != self._summary:
            self._summary = summary
            self._print(summary)

    def _print(self, text: str, at: datetime | None = None) -> None:
        stamp = (at or datetime.now().astimezone()).strftime("%H:%M:%S")
        self._console.print(f"{stamp} {text}", markup=False, highlight=False, soft_wrap=True)


def _pairs() -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", min_width=11)
    table.add_column(overflow="fold")
    return table


def _coloured(state: str) -> Text:
    return Text(state, style="green" if state in {"ready", "running"} else "yellow")
