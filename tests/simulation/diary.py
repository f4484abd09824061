"""The trace of a run: what happened, in order."""

import asyncio
from typing import Any

from tests.simulation.loop import PROCESS, Process

NOBODY = Process("")


class Diary:
    """What happened, in order: the trace. Stands in for the workers' logs as well."""

    def __init__(self) -> None:
        self.lines: list[tuple[float, str, str, str]] = []
        self.stopped: list[str] = []

    def tell(self, who: str, what: str, about: object = "") -> None:
        self.lines.append((asyncio.get_running_loop().time(), who, what, str(about)))

    def info(self, event: str, **fields: Any) -> None:
        if "exc_info" in fields:
            self.stopped.append(f"{event}: {fields.pop('exc_info')!r}")
        self.tell(PROCESS.get(NOBODY).name, event, " ".join(f"{key}={fields[key]}" for key in fields))

    warning = error = info
