"""Entries counted by topic and reason, and an entry in full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from desk.letters.entry import Entry
from desk.tables import plain
from desk.terminal import stamp
from schemas.envelope import Refused


@dataclass(slots=True)
class Row:
    """The entries of one topic with one reason; `again` counts those from a failed replay."""

    topic: str
    reason: str
    oldest: datetime
    newest: datetime
    count: int = 0
    again: int = 0

    def add(self, entry: Entry) -> None:
        """Counts one more entry."""
        self.count += 1
        self.again += entry.replay_of is not None
        self.oldest = min(self.oldest, entry.set_aside_at)
        self.newest = max(self.newest, entry.set_aside_at)

    def as_json(self, entries: str) -> dict[str, Any]:
        """For JSON."""
        return {
            "topic": self.topic,
            "reason": self.reason,
            entries: self.count,
            "again": self.again,
            "oldest": stamp(self.oldest),
            "newest": stamp(self.newest),
        }


class Overview:
    """Rows by topic and reason."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Row] = {}

    def add(self, entry: Entry) -> None:
        """Counts one more entry."""
        topic, reason, instant = entry.address.topic, entry.reason, entry.set_aside_at
        self._rows.setdefault((topic, reason), Row(topic, reason, instant, instant)).add(entry)

    @property
    def rows(self) -> list[Row]:
        return [row for _, row in sorted(self._rows.items())]


def whole(entry: Entry) -> dict[str, Any]:
    """The entry with its content and the result of a replay; bytes as text if they are UTF-8, else as hex."""
    try:
        first, *_ = entry.replayed()
        replay = {"topic": first.topic, "value": (first.value or b"").decode()}
    except Refused as refused:
        replay = {"refused": refused.reason, "detail": refused.detail}
    headers = [{"name": name, **_bytes("value", value)} for name, value in entry.headers]
    return {
        **entry.about(),
        "replay": replay,
        "headers": headers,
        **_bytes("key", entry.key),
        **_bytes("value", entry.value),
    }


def lines_of(entry: Entry, fates: Mapping[str, str]) -> list[str]:
    """The entry with its content, for people."""
    about = whole(entry)
    names = entry.about()
    replay = about["replay"]
    fate = f"{fates[replay['refused']]} ({replay['detail']})" if "refused" in replay else f"to {replay['topic']}"
    rows = [(name.replace("_", " "), about[name]) for name in names if about[name] is not None]
    rows += [("replay", fate), ("key", _shown("key", about))]
    rows += [(f"header {header['name']}", _shown("value", header)) for header in about["headers"]]
    width = max(len(name) for name, _ in rows)
    size = "none" if entry.value is None else f"{len(entry.value)} bytes"
    return [
        *(f"{plain(name):{width}}  {plain(str(text))}" for name, text in rows),
        f"value, {size}:",
        _shown("value", about),
    ]


def replay_of_words(entry: Entry) -> str:
    """Whether a replay has failed before, and whether one is possible."""
    if entry.replay_of:
        return f"again, of {entry.replay_of}"
    return "cannot: cut" if entry.about().get("cut") else ""


def _shown(name: str, content: dict[str, Any]) -> str:
    if name in content:
        return plain(content[name] or "")
    return f"0x{content[f'{name}_hex']}"


def _bytes(name: str, value: bytes | None) -> dict[str, str | None]:
    if value is None:
        return {name: None}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_hex": value.hex()}


def second(instant: datetime) -> str:
    """The instant, to the second."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
