"""The dialects in which trackers write: one file each, and an entry here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ingest.adapters import segment
from ingest.adapters.fields import Table
from ingest.rules import Item

Read = Callable[[object, str | None, Table | None], Item]
"""Reads one item; the route's call (None: the item names its own) and the batch that it came in. Raises Refused."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the families of clients.

    `name` begins the source of the events. `batch` is the body's member that has a batch's items, `key` the one that
    has the write key.
    """

    name: str
    read: Read
    batch: str = "batch"
    key: str = "writeKey"


SEGMENT = Dialect("segment", segment.read)
DIALECTS: Final = {dialect.name: dialect for dialect in (SEGMENT,)}
