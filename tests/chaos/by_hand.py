"""Raw records for the oracle's tests, written by hand."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.raw import lead_id

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ADA = lead_id("ada@example.com")


@dataclass
class Raw:
    """A record as a consumer gets it."""

    key: bytes | None
    value: bytes | None
    timestamp: int


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def raw(event: dict[str, Any], heard: float = 1, key: str | None = None) -> Raw:
    """The event on its topic, appended `heard` seconds after NOON."""
    return Raw((key or event["subject"]).encode(), json.dumps(event).encode(), int(at(heard).timestamp() * 1000))


def event(type_: str, id_: str, seconds: float = 0, **data: Any) -> dict[str, Any]:
    """An event of Ada's at NOON and so many seconds."""
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "hand",
        "type": f"baton.{type_}.v1",
        "subject": ADA,
        "time": at(seconds).isoformat(),
        "data": {"identifiers": {"email": "ada@example.com"}, **data},
    }


def did(kind: str, id_: str = "", **data: Any) -> dict[str, Any]:
    return event("engagement.recorded", id_ or f"{kind}-{data}", kind=kind, **data)
