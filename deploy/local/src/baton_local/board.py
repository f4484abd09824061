"""The content of a view: counts and rates per stage, the funnel, the last events, the state of each process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from baton_local.funnel import Funnel

STAGES = {
    "ingest": ("engagements", "sales-activities"),
    "scorer": ("lead-scores",),
    "router": ("lead-handoffs",),
    "sla-monitor": ("sla-clocks", "sla-breaches"),
}
"""Each stage with the topics of its work; engagements also come from elsewhere."""

RATE_SECONDS = 60.0
"""Window of a rate: the demo's people come every 20 s, so a shorter window would mostly show 0."""


@dataclass
class Counter:
    """How many events a topic has received since the start, and how fast during the last minute."""

    total: int = 0
    _samples: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=128))

    def sample(self) -> None:
        """Called about once a second; `per_minute` is computed from these samples."""
        now = time.monotonic()
        self._samples.append((now, self.total))
        while now - self._samples[0][0] > RATE_SECONDS:
            self._samples.popleft()

    @property
    def per_minute(self) -> float:
        """Over the last minute, or since the first sample."""
        if len(self._samples) < 2:
            return 0.0
        (since, before), (now, total) = self._samples[0], self._samples[-1]
        return RATE_SECONDS * (total - before) / (now - since) if now > since else 0.0


@dataclass
class Board:
    """Filled by the watchers, read by a view."""

    counters: dict[str, Counter] = field(default_factory=dict)
    funnel: Funnel = field(default_factory=Funnel)
    lines: deque[tuple[datetime, str]] = field(default_factory=lambda: deque(maxlen=200))
    said: int = 0
    """Number of lines so far, by which a view that prints finds the new ones."""
    states: Callable[[], Mapping[str, str]] = dict
    addresses: Mapping[str, str] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Adds a line."""
        self.lines.append((datetime.now().astimezone(), text))
        self.said += 1

    def aside(self) -> int:
        """Records refused or set aside since the start."""
        return sum(counter.total for name, counter in self.counters.items() if name.endswith(("-dlq", "-rejected")))
