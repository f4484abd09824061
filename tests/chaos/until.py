"""Waiting for what only looking tells."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

LOOK_EVERY = 0.1


async def until(condition: Callable[[], Awaitable[object] | object]) -> None:
    """Returns once the condition is true, however long that takes: the caller bounds it."""
    while True:
        answer = condition()
        if await answer if inspect.isawaitable(answer) else answer:
            return
        await asyncio.sleep(LOOK_EVERY)
