"""The latest score of each lead, the only one that the router keeps, whatever the order of arrival."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

from desk.audit.content import Event
from desk.audit.topics import Raw

SCORES, SCORED, ERASED = "lead-scores", "baton.lead.scored.v1", "baton.lead.erased.v1"
_NOTHING: MappingProxyType[str, bytes | None] = MappingProxyType({})


class Latest(NamedTuple):
    """A lead's latest score, and its record without the content."""

    version: int
    key: bytes
    raw: Raw
    value: bytes
    """A digest of the record's value."""


class Scores:
    """Takes the records of `lead-scores` in their order."""

    def __init__(self) -> None:
        self._latest: dict[str, Latest] = {}
        self._erased: set[str] = set()

    def counts(self, raw: Raw, event: Event) -> bool:
        """Whether the record is a score of a lead that is not erased."""
        lead = event.key[0]
        if raw.topic == SCORES and event.body["type"] == ERASED and not in_part(event):
            self._erased.add(lead)
            self._latest.pop(lead, None)
        scored = raw.topic == SCORES and event.body["type"] == SCORED and _version(event) is not None
        return scored and lead not in self._erased

    def add(self, raw: Raw, event: Event, key: bytes) -> Latest | None:
        """The older one of this score and the lead's latest one so far; None for its first."""
        said = Latest(_version(event) or 0, key, raw._replace(key=None, value=None, headers=_NOTHING), value_of(raw))
        known = self._latest.setdefault(event.key[0], said)
        if known is said:
            return None
        if said.version <= known.version:
            return said
        self._latest[event.key[0]] = said
        return known

    def items(self) -> Iterable[tuple[str, Latest]]:
        """Lead -> its latest score."""
        return self._latest.items()


def in_part(event: Event) -> bool:
    """Whether the erasure leaves something of its lead, an alias that others have too."""
    data = event.body.get("data")
    return isinstance(data, dict) and bool(data.get("spans"))


def _version(event: Event) -> int | None:
    data = event.body.get("data")
    version = data.get("version") if isinstance(data, dict) else None
    return version if isinstance(version, int) else None


def value_of(raw: Raw) -> bytes:
    """A digest of the record's value as facts keep it, as in `ledger.fact_of`."""
    return sha256(raw.said or b"").digest()[:16]
