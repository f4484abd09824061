"""A first load, until the real one is there."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter

import httpx

from tests.e2e import people
from tests.relay import WRITE_KEY


class Load:
    def __init__(self, bootstrap_servers: str, prefix: str, http_port: int, seed: int, rate: float = 200.0) -> None:
        self.url, self.rate, self.seed = f"http://127.0.0.1:{http_port}/v1/batch", rate, seed
        self.counts: Counter[str] = Counter()
        self.acknowledged: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        round_ = 0
        async with httpx.AsyncClient(trust_env=False, timeout=10) as http, asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                round_ += 1
                items = [
                    people.tracked(f"p{random.randrange(500)}@example.com", "Email Opened")
                    for _ in range(int(self.rate / 4))
                ]
                self.counts["events"] += len(items)
                tasks.create_task(self._send(http, items))
                await asyncio.sleep(0.25)

    async def _send(self, http: httpx.AsyncClient, items: list[people.Item]) -> None:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await http.post(self.url, auth=WRITE_KEY, json={"batch": items})
                if answer.status_code == 200:
                    self.counts["acknowledged"] += len(items)
                    self.acknowledged |= {i["messageId"] for i in items}
                    return
            self.counts["retries"] += 1
            await asyncio.sleep(1)

    async def finish(self, seconds: float = 120) -> None:
        pass

    async def close(self) -> None:
        pass
