"""Waits for a condition that nothing signals, by asking again and again."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

ASK_EVERY = 0.05


async def until(condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """Returns the condition's first true answer, awaited if it has to be.

    Raises TimeoutError that names `what` after `seconds`, also while an answer is awaited.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            while True:
                answer = condition()
                if inspect.isawaitable(answer):
                    answer = await answer
                if answer:
                    return answer
                await asyncio.sleep(ASK_EVERY)
    except TimeoutError as error:
        if limit.expired():
            raise TimeoutError(f"waited {seconds} s for {what}") from error
        raise
