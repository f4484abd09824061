"""Keeps what Baton publishes about the demo's people, for its sales people who wait for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from baton_local.words import FOLLOW_UPS

HANDED_OFF = "baton.lead.handed_off.v1"
BREACHED = "baton.sla.breached.v1"
_MARKS = (b"baton.lead.handed_off", b"baton.sla.breached")

Data = dict[str, Any]


class Replies:
    """Keeps the first handoff and the first breached follow-up of each expected lead, and nothing else."""

    def __init__(self) -> None:
        self._expected: dict[str, dict[str, asyncio.Future[Data]]] = {}

    @contextmanager
    def expecting(self, lead_id: str) -> Iterator[None]:
        """`first` may be called for the lead while the block runs; earlier events are not seen."""
        loop = asyncio.get_running_loop()
        self._expected[lead_id] = {kind: loop.create_future() for kind in (HANDED_OFF, BREACHED)}
        try:
            yield
        finally:
            del self._expected[lead_id]

    async def first(self, kind: str, lead_id: str, seconds: float) -> Data | None:
        """The data of the lead's first event of the kind; None when none comes within so many seconds."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._expected[lead_id][kind]), seconds)
        except TimeoutError:
            return None

    def take(self, value: bytes) -> None:
        """Takes a record's value; ignores what cannot be read, since anybody may write to a topic."""
        if not any(mark in value for mark in _MARKS):
            return
        try:
            event = json.loads(value)
            kind, data = event["type"], event["data"]
            reply = self._expected.get(event["subject"], {}).get(kind)
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        if reply is None or reply.done() or not isinstance(data, dict):
            return
        if kind == HANDED_OFF or data.get("clock") in FOLLOW_UPS:
            reply.set_result(data)
