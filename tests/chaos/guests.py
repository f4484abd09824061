"""One more instance that joins a service's group and leaves it again: every partition changes hands."""

import asyncio
import contextlib
import signal
import time

from tests.chaos.trial import Trial
from tests.processes import Instance
from tests.until import until

BEAT_SECONDS = 5
JOINED_SECONDS = 15


async def visits(trial: Trial, service: str, seconds: float) -> None:
    """A guest joins and leaves, over and over, 5 s between, until so many seconds are over."""
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        guest = trial.stage.make(f"{service}/9")
        mark, life = guest.mark(), asyncio.create_task(guest.run())
        try:
            trial.happened["joined"] += await _joined(trial, guest, mark)
            await guest.signal(signal.SIGTERM)
            await asyncio.sleep(BEAT_SECONDS)
        finally:
            await guest.end(4)
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)


async def _joined(trial: Trial, guest: Instance, mark: int) -> bool:
    """Whether the guest has claimed a partition before long."""
    await guest.pid()
    with contextlib.suppress(TimeoutError):
        await until(lambda: guest.said('"event": "claimed"', mark), "a claim", JOINED_SECONDS * trial.slack)
        return True
    return False
