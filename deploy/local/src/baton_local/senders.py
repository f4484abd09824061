"""How the demo's events come in: a web tracker and a sales tool over HTTP, a marketing platform straight to Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx

from chassis.kafka.publisher import Publisher, Record
from chassis.process.failures import BrokerAway
from chassis.process.settings import Kafka
from schemas.envelope import Envelope
from schemas.sales import SalesActivity

TRACKER_KEY = "pk_demo_tracker"
SALES_KEY = "sk_demo_sales"
"""Keys of write-keys.yaml: public knowledge, good for the local stack alone."""
LONGEST_DELAY = 5.0
"""Seconds between two attempts to send the same."""


class SendingRefusedError(Exception):
    """The demo's traffic is not wanted: a refusal that no retry will change."""


class Senders:
    """The three of them. Each sends until it is accepted, every time with the same ids, so it counts once."""

    def __init__(self, http: httpx.AsyncClient, publisher: Publisher) -> None:
        self._http = http
        self._publisher = publisher

    @classmethod
    @asynccontextmanager
    async def open(cls, http_url: str, kafka: Kafka) -> AsyncIterator[Self]:
        """Connected while the block runs."""
        async with (
            Publisher(kafka) as publisher,
            httpx.AsyncClient(base_url=http_url, timeout=10, trust_env=False) as http,
        ):
            yield cls(http, publisher)

    async def track(self, items: list[dict[str, Any]]) -> None:
        """As a Segment tracker on the web site sends them."""
        await self._post("/v1/batch", TRACKER_KEY, json={"batch": items})

    async def report(self, activity: SalesActivity) -> None:
        """As a sales tool reports what a person did."""
        content = "application/cloudevents+json"
        await self._post(
            "/v1/sales-activities", SALES_KEY, content=activity.encode(), headers={"Content-Type": content}
        )

    async def publish(self, event: Envelope) -> None:
        """As a marketing platform writes to the topic: keyed by the lead."""
        record = Record(type(event).topic, event.subject.encode(), event.encode())
        while True:
            try:
                return await self._publisher.publish([record])
            except BrokerAway:
                await asyncio.sleep(LONGEST_DELAY)

    async def _post(self, path: str, key: str, **body: Any) -> None:
        delay = 0.5
        while True:
            try:
                answer = await self._http.post(path, auth=(key, ""), **body)
            except httpx.TransportError:
                answer = None  # a service that is being restarted
            if answer is not None and answer.is_success:
                return
            if answer is not None and answer.status_code < 500 and answer.status_code != 429:
                raise SendingRefusedError(f"{path} answered {answer.status_code}: {answer.text[:200]}")
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
