"""Sends the demo's events: as a web tracker and a sales tool over HTTP, as a marketing platform to Kafka."""

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
"""Keys of write-keys.yaml: public, for the local stack only."""
LONGEST_DELAY = 5.0
"""Most seconds between two attempts to send the same event."""


class SendingRefusedError(Exception):
    """The relay refuses the demo's traffic for good."""


class Senders:
    """The three senders. Each retries with the same ids until it is accepted, so an event counts once."""

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
        """Sends as a Segment tracker on the web site."""
        await self._post("/v1/batch", TRACKER_KEY, json={"batch": items})

    async def report(self, activity: SalesActivity) -> None:
        """Sends as a sales tool."""
        content = "application/cloudevents+json"
        await self._post(
            "/v1/sales-activities", SALES_KEY, content=activity.encode(), headers={"Content-Type": content}
        )

    async def publish(self, event: Envelope) -> None:
        """Writes to the topic as a marketing platform: keyed by the lead."""
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
                answer = None  # the service is being restarted
            if answer is not None and answer.is_success:
                return
            if answer is not None and answer.status_code < 500 and answer.status_code != 429:
                raise SendingRefusedError(f"{path} answered {answer.status_code}: {answer.text[:200]}")
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
