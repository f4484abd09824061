"""Raw records read for the oracle, from schemas/README.md: the event, its time, or why neither."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid5

BARRIER_KEY = b"baton/barrier"
NAMESPACE = UUID("b46f1a5c-6a0e-5d0c-9f57-0e6d1c0ba701")
MOST_AHEAD, MOST_BEHIND = timedelta(hours=24), timedelta(days=90)

Json = dict[str, Any]


class Record(Protocol):
    """A raw record; the timestamp is the broker's append time, in milliseconds."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...


class Poison(Exception):  # noqa: N818 - a verdict
    """The record must become a dead letter; the message is the reason."""


def lead_id(name: str, by: str = "email") -> str:
    """Who has this (canonical) address, or other identifier."""
    return str(uuid5(NAMESPACE, f"{by.removesuffix('_id')}:{name}"))


def derived(*parts: object) -> str:
    """The id of what follows from these parts."""
    return str(uuid5(NAMESPACE, "\0".join(str(part) for part in parts)))


def is_barrier(record: Record) -> bool:
    """Whether it is no event: sla-monitor writes such to its inputs, and anybody may."""
    return record.key == BARRIER_KEY


def appended(record: Record) -> datetime:
    """When the broker took it."""
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)


def read(record: Record) -> tuple[Json, datetime]:
    """The event and when it counts. Raises Poison."""
    try:
        event = json.loads(record.value or b"")
    except ValueError as error:
        raise Poison("not_json") from error
    received = appended(record)
    if not _valid(event):
        raise Poison("invalid_event")
    if record.key != event["subject"].encode():
        raise Poison("wrong_key")
    time = datetime.fromisoformat(event["time"])
    if event.get("finaltime"):
        return event, time
    if not received - MOST_BEHIND <= time <= received + MOST_AHEAD:
        raise Poison("time_out_of_range")
    return event, min(time, received)


def _valid(event: Any) -> bool:
    if not isinstance(event, dict) or event.get("specversion") != "1.0" or not isinstance(event.get("data"), dict):
        return False
    if not all(isinstance(event.get(name), str) for name in ("id", "source", "type", "subject", "time")):
        return False
    size, kind = event["data"].get("company_size", 0), event["data"].get("kind", "")
    sized = isinstance(size, int) and 0 <= size <= 10_000_000
    named = kind_of(event) != "engagement.recorded" or bool(re.fullmatch(r"[a-z][a-z0-9_]{0,63}", str(kind)))
    zoned = datetime.fromisoformat(event["time"]).tzinfo is not None
    return event["type"].startswith("baton.") and sized and named and zoned


def kind_of(event: Json) -> str:
    return str(event["type"]).removeprefix("baton.").removesuffix(".v1")


def print_of(event: Json) -> int:
    """What a retry keeps the same."""
    own = event.get("occurredat") if event.get("finaltime") else event["time"]
    when = datetime.fromisoformat(own) if own else None
    return hash((event["type"], when, json.dumps(event["data"], sort_keys=True)))
