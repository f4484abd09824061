"""What dead letters and rejected items share: a record set aside, its reason, and its replay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from chassis.kafka.publisher import Headers, Record

REPLAYED, SAME, REFUSED, NO_TOPIC, FOREIGN = "replayed", "same", "refused", "no_topic", "foreign"
COMMON = {
    REPLAYED: "published to its topic",
    SAME: "the event of another one, which is replayed",
    REFUSED: "refused by the broker: larger than its topic takes, or not allowed",
    NO_TOPIC: "cannot succeed: its topic does not exist",
    FOREIGN: "cannot be replayed: not written by a service of this deployment",
}
"""The fates of entries of both kinds."""


@dataclass(frozen=True, slots=True)
class Address:
    """The place of a record; written `<topic>/<partition>/<offset>`."""

    topic: str
    part: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address in this text. Raises ValueError."""
        topic, part, offset = text.strip().rsplit("/", 2)
        if not topic or not (part + offset).isdecimal():
            raise ValueError("expected <topic>/<partition>/<offset>")
        return cls(topic, int(part), int(offset))

    def __str__(self) -> str:
        return f"{self.topic}/{self.part}/{self.offset}"


class Entry(Protocol):
    """A record set aside, whoever wrote it."""

    @property
    def address(self) -> Address: ...
    @property
    def set_aside_at(self) -> datetime: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def reason(self) -> str: ...
    @property
    def replay_of(self) -> str | None:
        """The address of the entry whose failed replay became this one."""

    @property
    def repeats(self) -> object | None:
        """Equal for entries that a service wrote twice after a crash; None where that cannot be."""

    def about(self) -> Mapping[str, Any]:
        """Reason and origin without the content, for JSON."""

    def replayed(self) -> Sequence[Record]:
        """The records to publish, the same bytes each time. Raises Refused where the entry can never be accepted."""


class Kind(Protocol):
    """Dead letters, or what ingest rejected."""

    @property
    def verb(self) -> str:
        """The command's name."""

    @property
    def one(self) -> str: ...
    @property
    def many(self) -> str: ...
    @property
    def entries(self) -> str:
        """The name of the entries' count in JSON."""

    @property
    def fates(self) -> Mapping[str, str]:
        """The sentence for each fate; the closed set."""

    def topics(self, there: Collection[str]) -> set[str]:
        """Those of the topics that hold such entries."""

    def named(self, topic: str) -> str:
        """The topic with this name, or with the name of its original."""

    def of(self, record: Any) -> Entry:
        """The entry in a fetched record."""
