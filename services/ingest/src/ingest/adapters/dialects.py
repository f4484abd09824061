"""The dialects in which trackers write: one file each, and an entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ingest.adapters import cloudevents, posthog, segment, snowplow
from ingest.adapters.fields import Table
from ingest.rules import Item

Read = Callable[[object, str | None, Table | None], Item]
"""Reads one item; the route's call (None: the item names its own) and the batch that it came in. Raises Refused."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the families of clients.

    `name` begins the source of the events. `routes` has the call of each path; None: a batch. `batch` is the body's
    member that has a batch's items, `keys` those that may have the write key, of the body or of its first item.
    `limit` names the setting of how large an item may be.
    """

    name: str
    read: Read
    routes: Mapping[str, str | None]
    batch: str = "batch"
    keys: tuple[str, ...] = ("writeKey",)
    limit: Literal["event", "cloud_event"] = "event"


_CALLS: Final = ("track", "identify", "page", "screen", "group", "alias", "merge")
_SHORT: Final = {call[0]: call for call in _CALLS[:-1]}
_NAMES: Final = {"batch": None, "b": None, **_SHORT, **{call: call for call in _CALLS}}

SEGMENT = Dialect(
    "segment",
    segment.read,
    {f"/v1/{name}": call for name, call in _NAMES.items()} | {"/beacon/v1/batch": None},  # Rudder's, as a page is left
)
JITSU = Dialect("jitsu", segment.read, {f"/api/s{way}/{call}": call for way in ("", "/s2s") for call in _CALLS[:-1]})
POSTHOG = Dialect("posthog", posthog.read, {"/batch": None, "/capture": "capture"}, keys=("api_key", "token"))
SNOWPLOW = Dialect(
    "snowplow", snowplow.read, {"/com.snowplowanalytics.snowplow/tp2": None}, batch="data", keys=("aid",)
)
CLOUDEVENTS = Dialect("cloudevents", cloudevents.read, {}, limit="cloud_event")
"""Its one route, `ingest.http.events`, finds the items by the mode of the request."""
DIALECTS: Final = {dialect.name: dialect for dialect in (SEGMENT, JITSU, POSTHOG, SNOWPLOW, CLOUDEVENTS)}
