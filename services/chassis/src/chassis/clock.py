"""The only clock that decides: the database's."""

from __future__ import annotations

import time
from datetime import datetime, timedelta


class DatabaseClock:
    """The database's time, carried on between round trips by this machine's monotonic clock."""

    def __init__(self, now: datetime) -> None:
        self.set(now)

    def set(self, now: datetime) -> None:
        self._at, self._monotonic = now, time.monotonic()

    def now(self) -> datetime:
        return self._at + timedelta(seconds=time.monotonic() - self._monotonic)
