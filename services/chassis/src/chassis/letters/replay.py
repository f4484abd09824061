"""Replaying: each letter's event is published once, however many letters carry it, or it is said why it cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from hashlib import blake2b

from chassis.kafka.publisher import Publisher, Record
from chassis.letters.letter import Letter
from chassis.process.failures import Unpublishable
from schemas.envelope import Refused

CHUNK_RECORDS = 100
CHUNK_BYTES = 1024 * 1024
REPLAYED = "replayed"
SAME = "same"
REFUSED = "refused"
NO_TOPIC = "no_topic"
FATES = {
    REPLAYED: "published to its topic",
    SAME: "the event of another letter, which is replayed",
    REFUSED: "refused by the broker: larger than its topic takes, or not allowed",
    NO_TOPIC: "cannot succeed: its topic does not exist",
    "foreign": "cannot be replayed: not written by a service of this deployment",
    "cut": "cannot be replayed: too large to be kept whole",
    "not_json": "cannot succeed: not JSON",
    "no_envelope": "cannot succeed: its envelope is no event's, so neither lead nor time is known",
    "wrong_key": "cannot succeed: its key is not the event's subject",
    "id_conflict": "cannot succeed: an event with its id and other content has been accepted",
    "time_out_of_range": "cannot succeed: its time was out of range when it came",
}
"""What becomes of a letter, in words; the closed set."""


Fates = Counter[tuple[str, str, str]]
"""(topic, reason, fate) -> letters."""


class Replay:
    """Takes letters one by one, and counts in `fates`, those replayed once their records are acknowledged.

    Without a `publisher` nothing is published, but all is counted as if. `topics` are those that exist.
    """

    def __init__(self, publisher: Publisher | None, topics: Collection[str], fates: Fates) -> None:
        self._publisher = publisher
        self._topics = topics
        self._fates = fates
        self._seen: set[bytes] = set()
        self._chunk: list[tuple[Letter, Record]] = []
        self._bytes = 0

    async def take(self, letter: Letter) -> None:
        """Replays the letter, at the latest with `flush`. Raises BrokerAway as Publisher.publish does."""
        try:
            record = letter.replayed()
        except Refused as refused:
            return self._count(letter, refused.reason)
        if record.topic not in self._topics:
            return self._count(letter, NO_TOPIC)
        if (digest := _digest(record)) in self._seen:
            return self._count(letter, SAME)
        self._seen.add(digest)
        self._chunk.append((letter, record))
        self._bytes += len(record.value or b"")
        if len(self._chunk) >= CHUNK_RECORDS or self._bytes >= CHUNK_BYTES:
            await self.flush()
        return None

    async def flush(self) -> None:
        """Publishes what has been taken. Raises BrokerAway as Publisher.publish does."""
        refusal = Unpublishable("nothing")
        if self._publisher is not None and self._chunk:
            try:
                await self._publisher.publish([record for _, record in self._chunk])
            except Unpublishable as told:
                refusal = told
        for letter, record in self._chunk:
            self._count(letter, REFUSED if refusal.names(record) else REPLAYED)
        self._chunk, self._bytes = [], 0

    def _count(self, letter: Letter, fate: str) -> None:
        self._fates[letter.address.topic, letter.reason, fate] += 1


def _digest(record: Record) -> bytes:
    """Key and value: two services may have set the same record aside, and a replay may have failed before."""
    return blake2b(b"\0".join((record.topic.encode(), record.key or b"", record.value or b"")), digest_size=16).digest()
