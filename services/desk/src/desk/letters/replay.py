"""Replays entries: publishes each event once, however many entries have it, or counts why it cannot be replayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from hashlib import blake2b

from chassis.kafka.publisher import Publisher, Record
from chassis.process.failures import Unpublishable
from desk.letters.entry import NO_TOPIC, REFUSED, REPLAYED, SAME, Entry
from schemas.envelope import Refused

CHUNK_RECORDS = 100
CHUNK_BYTES = 1024 * 1024
Fates = Counter[tuple[str, str, str]]
"""(topic, reason, fate) -> number of entries."""


class Replay:
    """Takes entries one by one and counts them in `fates`; a replayed one once its records are acknowledged.

    Without a `publisher` nothing is published, and counted the same. `topics` are those that exist.
    """

    def __init__(self, publisher: Publisher | None, topics: Collection[str], fates: Fates) -> None:
        self._publisher = publisher
        self._topics = topics
        self._fates = fates
        self._seen: set[bytes] = set()
        self._chunk: list[tuple[Entry, Sequence[Record]]] = []
        self._bytes = 0

    async def take(self, entry: Entry) -> None:
        """Replays the entry, at the latest with `flush`. Raises BrokerAway as Publisher.publish."""
        try:
            records = entry.replayed()
        except Refused as refused:
            return self._count(entry, refused.reason)
        if any(record.topic not in self._topics for record in records):
            return self._count(entry, NO_TOPIC)
        if (digest := _digest(records)) in self._seen:
            return self._count(entry, SAME)
        self._seen.add(digest)
        self._chunk.append((entry, records))
        self._bytes += sum(len(record.value or b"") for record in records)
        if len(self._chunk) >= CHUNK_RECORDS or self._bytes >= CHUNK_BYTES:
            await self.flush()
        return None

    async def flush(self) -> None:
        """Publishes what was taken. Raises BrokerAway as Publisher.publish."""
        refusal = Unpublishable("nothing")
        if self._publisher is not None and self._chunk:
            try:
                await self._publisher.publish([record for _, records in self._chunk for record in records])
            except Unpublishable as error:
                refusal = error
        for entry, records in self._chunk:
            self._count(entry, REFUSED if any(map(refusal.names, records)) else REPLAYED)
        self._chunk, self._bytes = [], 0

    def _count(self, entry: Entry, fate: str) -> None:
        self._fates[entry.address.topic, entry.reason, fate] += 1


def _digest(records: Sequence[Record]) -> bytes:
    """Digest of keys and values: two services may have set the same record aside, or a replay may have failed
    before.
    """
    digest = blake2b(digest_size=16)
    for record in records:
        digest.update(b"\0".join((record.topic.encode(), record.key or b"", record.value or b"", b"")))
    return digest.digest()
