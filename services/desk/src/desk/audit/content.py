"""The auditor's own reading of an event: its lead, its identity, and whether two events have the same content.

Lenient where the services' contract is: the spelling of numbers and instants, the order of keys, white space, and
fields that only one of two retries has (absent, null, at their default, or unknown to the contract) make no difference.
Type, lead, the sender's own time and every field of both do. So a retry in which a foreign producer changes a field
unknown to the contract is reported as a conflict; ingest sends no such field.
"""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

Key = tuple[str, str, str]
"""Lead, source, id."""
_NEEDED = ("specversion", "id", "source", "type", "subject", "time")


class Event(NamedTuple):
    """An envelope with its required fields."""

    key: Key
    body: dict[str, Any]


def event_of(value: bytes | None) -> Event | None:
    """The event, None where the bytes are no envelope."""
    try:
        body = json.loads(value or b"")
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or not all(isinstance(body.get(name), str) for name in _NEEDED):
        return None
    return Event((body["subject"], body["source"], body["id"]), body)


def digest(*parts: str | bytes | None) -> bytes:
    """A digest of the parts, 16 bytes."""
    hashed = blake2b(digest_size=16)
    for part in parts:
        raw = b"\xff" if part is None else part.encode(errors="surrogatepass") if isinstance(part, str) else part
        hashed.update(len(raw).to_bytes(8, "big") + raw)
    return hashed.digest()


def content_of(body: dict[str, Any]) -> bytes:
    """Equal for two events only if their content is the same."""
    return digest(json.dumps(_told(body), sort_keys=True))


def conflict(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two events of one id have different content."""
    return _differ(_told(one), _told(other))


def minute_of(body: dict[str, Any]) -> int | None:
    """The minute of receipt, since 1970, of an event without a sender's time; None where it has one."""
    received = _instant(body["time"])
    untimed = body.get("finaltime") is True and body.get("occurredat") is None and isinstance(received, float)
    return int(received // 60) if untimed else None


def _told(body: dict[str, Any]) -> list[Any]:
    when = body.get("occurredat") if body.get("finaltime") is True else body["time"]
    return [body["type"], body["subject"], _instant(when), body.get("data")]


def _differ(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return any(_differ(one[name], other[name]) for name in one.keys() & other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) != len(other) or any(map(_differ, one, other))
    return bool(_instant(one) != _instant(other))


def _instant(value: Any) -> Any:
    """The same for equal instants, however they are written; other values unchanged."""
    if not isinstance(value, str) or len(value) < 19 or value[10] not in "Tt _":
        return value
    try:
        return datetime.fromisoformat(value.upper()).timestamp()
    except ValueError:
        return value
