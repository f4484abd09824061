"""What a view shows: counts and rates per stage, the last events, the state of each process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

STAGES = {
    "ingest": ("engagements", "sales-activities"),
    "scorer": ("lead-scores",),
    "router": ("lead-handoffs",),
    "sla-monitor": ("sla-clocks", "sla-breaches"),
}
"""Each stage with the topics that show its work; engagements also come from elsewhere."""

RATE_SECONDS = 5.0


@dataclass
class Counter:
    """How many records a topic has got since the start, and how fast lately."""

    total: int = 0
    _samples: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=64))

    def set(self, total: int) -> None:
        self.total = total
        now = time.monotonic()
        self._samples.append((now, total))
        while now - self._samples[0][0] > RATE_SECONDS:
            self._samples.popleft()

    @property
    def rate(self) -> float:
        """Records a second over the last five."""
        if len(self._samples) < 2:
            return 0.0
        (since, before), (now, total) = self._samples[0], self._samples[-1]
        return (total - before) / (now - since) if now > since else 0.0


@dataclass
class Board:
    """Filled by the watchers, read by a view."""

    counters: dict[str, Counter] = field(default_factory=dict)
    lines: deque[tuple[datetime, str]] = field(default_factory=lambda: deque(maxlen=200))
    said: int = 0
    """How many lines there have ever been; a view that prints knows by it what is new."""
    states: Callable[[], Mapping[str, str]] = dict
    addresses: Mapping[str, str] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Adds a line for the person who watches."""
        self.lines.append((datetime.now().astimezone(), text))
        self.said += 1

    def aside(self) -> int:
        """Records refused or set aside since the start."""
        return sum(counter.total for name, counter in self.counters.items() if name.endswith(("-dlq", "-rejected")))
