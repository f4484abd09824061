"""The formats in which platforms write, to a webhook or to a topic: a body becomes items, an item events.

`segment` is what trackers send, one call or a batch; `cloudevents` an event or an array of them, sales activities among
them. Every other format is a mapping: a file of the folder of mappings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Mapped
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import orjson

from chassis.documents import BadDocument, read_document
from ingest import rules
from ingest.adapters import cloudevents, sales, segment
from ingest.adapters.mapping import Mapping
from ingest.adapters.sales import Invalid
from ingest.settings import Limits
from schemas.content import has_nul
from schemas.engagements import EngagementRecorded, LeadLinked
from schemas.envelope import Envelope, Refused, SentBy
from schemas.sales import SALES_ACTIVITIES, SalesContacted
from schemas.spelling import given

ENGAGEMENTS, SALES = EngagementRecorded.topic, SalesContacted.topic
SEGMENT, CLOUDEVENTS = "segment", "cloudevents"
Made = tuple[Literal["call", "event", "activity"], Any]
"""A call of the Segment family, a CloudEvent or a sales activity that an item amounts to."""
_ACTIVITIES = frozenset(str(activity.model_fields["type"].default) for activity in SALES_ACTIVITIES)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an item came in, and what is needed to read it again.

    `id` is that of an event without its own. `sends` are the topics that it may write to, of which that
    of sales activities stands for merges too. `queued`: nobody knows how
    long it waited before `received_at`, so `sentAt` shows no skew.
    """

    source: str
    sentby: SentBy
    received_at: datetime
    format: str
    sends: frozenset[str]
    id: str | None = None
    queued: bool = False

    def at(self, place: int, count: int) -> Origin:
        """The origin of one of `count` items that came together."""
        return self if self.id is None or count == 1 else replace(self, id=f"{self.id}/{place}")

    def as_json(self) -> dict[str, Any]:
        """For the record of an item that is set aside."""
        about = {"source": self.source, "sentby": self.sentby, "received_at": self.received_at.isoformat()}
        more = {"id": self.id} if self.id is not None else {}
        return {**about, **more, "format": self.format, "sends": sorted(self.sends), "queued": self.queued}


@dataclass(slots=True)
class Read:
    """What was read of items: their events, and what was left out of them."""

    events: list[Envelope] = field(default_factory=list)
    dropped: int = 0
    junk: Counter[tuple[str, str]] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    links: set[tuple[str, str, str]] = field(default_factory=set)

    def add(self, more: Read) -> None:
        """Adds it; a link only once, since a second one would be an exact duplicate."""
        for event in more.events:
            if isinstance(event, LeadLinked):
                if (link := (event.subject, event.source, event.id)) in self.links:
                    continue
                self.links.add(link)
            self.events.append(event)
        self.dropped += more.dropped
        self.junk += more.junk
        self.mended += more.mended


class Format(Protocol):
    """Splits a body into items, and makes calls and sales activities of each."""

    def split(self, content: object) -> Sequence[object]:
        """The items of a body; each is read, and set aside, by itself. Raises Refused."""
        ...

    def made(self, item: object, id_: str | None) -> Iterable[Made]:
        """What the item amounts to; `id_` is the id of a call or activity without its own. Raises Refused."""
        ...


class Segment:
    """Calls of the Segment family."""

    def split(self, content: object) -> Sequence[object]:
        if isinstance(content, dict) and isinstance(content.get("batch"), list):
            sent_at = content.get("sentAt")
            return [{"sentAt": sent_at, **one} if isinstance(one, dict) else one for one in content["batch"]]
        return content if isinstance(content, list) else [content]

    def made(self, item: object, id_: str | None) -> Iterable[Made]:
        if isinstance(item, dict) and id_ is not None and given(item.get("messageId")) is None:
            item = {**item, "messageId": id_}
        yield "call", item


class CloudEvents:
    """CloudEvents in structured mode."""

    def split(self, content: object) -> Sequence[object]:
        return content if isinstance(content, list) else [content]

    def made(self, item: object, id_: str | None) -> Iterable[Made]:  # noqa: ARG002 - an event has an id
        is_activity = isinstance(item, dict) and item.get("type") in _ACTIVITIES
        yield "activity" if is_activity else "event", item


class Formats:
    """Every format by name; a mapping is read from its file at first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: set[Path] = set()
        """The files that have been read."""
        self._known: dict[str, Format] = {SEGMENT: Segment(), CLOUDEVENTS: CloudEvents()}

    def find(self, name: str) -> Format:
        """The format. Raises BadDocument where there is none of that name, or its file is wrong."""
        if name not in self._known:
            path = self.folder / f"{name}.yaml"
            if path.parent != self.folder or not path.is_file():
                there = ", ".join(sorted((*self._known, *(file.stem for file in self.folder.glob("*.yaml")))))
                raise BadDocument([f"no format {name!r}: expected one of {there} (mappings are in {self.folder})"])
            self._known[name] = read_document(path, Mapping)
            self.files.add(path)
        return self._known[name]


def read(item: object, how: Format, origin: Origin, limits: Limits) -> Read:
    """The events of one item, all or none. Raises Refused.

    A function of item and origin, so that a refused item can be read again later.
    """
    result = Read()
    for kind, said in how.made(item, origin.id):
        compact = orjson.dumps(said)
        if len(compact) > (most := limits.cloud_event if kind == "event" else limits.event):
            raise Refused("too_large", f"an event may have {most} bytes")
        if has_nul(compact.decode()):
            raise Refused("nul_character", "a text with a NUL character")
        if (SALES if kind == "activity" else ENGAGEMENTS) not in origin.sends:
            raise Refused("not_allowed", f"what comes this way may send {', '.join(sorted(origin.sends))} only")
        result.add(_activity(said, origin) if kind == "activity" else _events(kind, said, origin))
    return result


def _events(kind: str, said: object, origin: Origin) -> Read:
    item = segment.read(said) if kind == "call" else cloudevents.read(said)
    if origin.queued:
        item = replace(item, sent_at=None)
    events = rules.events_of(item, origin.source, origin.received_at, origin.sentby)
    return Read(list(events), item.dropped, Counter(item.junk), Counter(item.mended))


def _activity(activity: Mapped[str, Any], origin: Origin) -> Read:
    try:
        events = sales.activities([activity], True, origin.source, origin.received_at)
    except Invalid as invalid:
        first = invalid.errors[0]
        raise Refused("bad_event", f"{first.path}: {first.message}") from invalid
    return Read([event.model_copy(update={"sentby": origin.sentby}) for event in events])
