"""The only clock that decides: the database's."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta


class DatabaseClock:
    """The database's time, carried on between round trips by the event loop's monotonic one."""

    def __init__(self, now: datetime) -> None:
        self.set(now)

    def set(self, now: datetime) -> None:
        self._at, self._monotonic = now, asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return self._at + timedelta(seconds=asyncio.get_running_loop().time() - self._monotonic)
