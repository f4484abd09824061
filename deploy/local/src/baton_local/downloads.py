"""Shows the download of a first start: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from threading import Event, Lock

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from baton_local.jars import cache_folder, fetch, missing

TITLE = "Kafka 4.3.1, once per user"


def ensure_kafka(console: Console, stopped: Event) -> None:
    """Every jar of the broker is in the cache on return; no network access if it was there before.

    Blocks until then, or until `stopped` is set. LocalError when it cannot be downloaded.
    """
    folder = cache_folder() / "kafka"
    total = sum(jar.size for jar in missing(folder))
    if not total:
        return
    if not console.is_terminal:
        lines = _Lines(console, total)
        fetch(folder, lines.advance, stopped)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(TITLE, total=total)
        fetch(folder, lambda count: progress.advance(task, count), stopped)


class _Lines:
    """A line per quarter of the download, for logs and pipes."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._done = 0
        self._said = 0
        self._lock = Lock()
        console.print(f"Downloading {TITLE}: {total / 1e6:.0f} MB")

    def advance(self, count: int) -> None:
        with self._lock:
            self._done += count
            quarter = self._done * 4 // self._total
            if quarter > self._said:
                self._said = quarter
                self._console.print(f"  {self._done / 1e6:.0f} of {self._total / 1e6:.0f} MB")
