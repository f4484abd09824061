"""Items on `events-rejected`, refused by ingest or set aside by an operator: read, and judged again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from chassis.documents import BadDocument
from chassis.kafka.consumer import append_time
from chassis.kafka.dead_letter import UNSENT
from chassis.kafka.publisher import Headers, Record
from desk.letters.entry import COMMON, FOREIGN, Address
from desk.letters.letter import MARK
from desk.terminal import stamp
from ingest.formats import Formats, Origin, read
from ingest.http import lenient
from ingest.http.calls import Call, taken
from ingest.http.door import records_of
from ingest.inbox.reader import content_of
from ingest.rules import REASONS
from ingest.settings import Limits
from schemas.envelope import Envelope, Refused, SentBy
from schemas.sizes import REJECTED


class _Said(BaseModel):
    """What ingest wrote of the item."""

    model_config = ConfigDict(frozen=True)

    reason: str
    detail: str
    source: str
    sentby: SentBy | None = None
    received_at: AwareDatetime
    call: str | None = None
    sent_at: str | None = None
    cut: int | None = None
    item_text: str | None = None
    item_encoding: str = "utf-8"
    format: str | None = None
    """Of what came by a webhook or inbox, as `ingest.formats.Origin` has it; so are the three after it."""
    sends: frozenset[str] = frozenset()
    id: str | None = None
    queued: bool = False
    whole: bool = False
    """It is a record as a whole, of which the format could make no items."""
    address: str | None = None
    """The record in its inbox: <topic>/<partition>/<offset>."""

    def item(self, value: bytes) -> object:
        """The item as ingest parses it, from the record's `value`: a long integer becomes a float."""
        if self.item_text is None:
            return orjson.loads(value).get("item")
        item, _ = lenient.loads(self._original())
        return item

    def events(self, value: bytes, limits: Limits, formats: Formats) -> Sequence[Envelope]:
        """The events of the item. Raises Refused."""
        if self.format is None:
            call = Call(self.source, self.sentby, self.received_at, self.call, {"sentAt": self.sent_at})
            return taken(self.item(value), call, limits)[0]
        origin = Origin(
            self.source, self.sentby or "public", self.received_at, self.format, self.sends, self.id, self.queued
        )
        try:
            how = formats.find(self.format)
        except BadDocument as error:
            raise Refused("unreadable", error.problems[0]) from error
        if not self.whole:
            return read(self.item(value), how, origin, limits).events
        original = orjson.dumps(self.item(value)) if self.item_text is None else self._original()
        items = how.split(content_of(original, limits))
        origins = [origin.at(place, len(items)) for place in range(len(items))]
        return [event for one, its in zip(items, origins, strict=True) for event in read(one, how, its, limits).events]

    def _original(self) -> bytes:
        return (self.item_text or "").encode(self.item_encoding)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record of `events-rejected`; `said` is None where ingest did not write it."""

    address: Address
    set_aside_at: datetime
    key: bytes | None
    value: bytes | None
    headers: Headers
    said: _Said | None
    limits: Limits
    """Those of ingest today."""
    formats: Formats
    replay_of: str | None = None
    repeats: object | None = None

    @classmethod
    def of(cls, record: Any, limits: Limits, formats: Formats) -> Rejected:
        """The entry in a fetched record, whoever wrote it."""
        try:
            said = _Said.model_validate_json(record.value or b"")
        except ValidationError:
            said = None
        address = Address(record.topic, record.partition, record.offset)
        at, headers = append_time(record.timestamp), record.headers
        return cls(address, at, record.key, record.value, headers, said, limits, formats)

    @property
    def reason(self) -> str:
        if self.said is not None:
            return self.said.reason
        return UNSENT if (f"{MARK}reason", UNSENT.encode()) in self.headers else FOREIGN

    def about(self) -> dict[str, Any]:
        """Without its content, for JSON."""
        said = self.said
        return {
            "address": str(self.address),
            "reason": self.reason,
            "error": said.detail if said else "",
            "service": "ingest" if said else None,
            "set_aside_at": stamp(self.set_aside_at),
            "source": said.source if said else None,
            "origin": said.address if said else None,
            "received_at": stamp(said.received_at) if said else None,
            "cut": said.cut if said else None,
            "replay_of": None,
        }

    def replayed(self) -> Sequence[Record]:
        """The records of the item as ingest reads it today, with the source and the receipt of the original."""
        said = self.said
        if said is None:
            raise Refused(self.reason, "ingest did not write it")
        if said.cut is not None:
            raise Refused("cut", f"it had {said.cut} bytes, and its beginning is kept only")
        try:
            events = said.events(self.value or b"", self.limits, self.formats)
        except Refused:
            raise
        except Exception as error:  # the bytes are a stranger's: whatever they break, the other items go on
            raise Refused("bad_item", f"cannot be read: {type(error).__name__}") from error
        return [
            replace(record, headers=[*record.headers, (f"{MARK}replay-of", str(self.address).encode())])
            for record in records_of(events)
        ]


@dataclass(frozen=True, slots=True)
class RejectedItems:
    """Items that ingest refused and answered with success, since their senders cannot correct them.

    `limits` are those of ingest today, `formats` those of its webhooks and inboxes.
    """

    limits: Limits
    formats: Formats

    verb, one, many, entries = "rejected", "rejected item", "rejected items", "items"
    fates: ClassVar[Mapping[str, str]] = {
        **COMMON,
        **{reason: f"cannot succeed: {meaning}" for reason, meaning in REASONS.items()},
        "cut": "cannot be replayed: too large to be kept whole",
        UNSENT: "cannot be replayed: an output that its topic did not take, set aside by an operator",
    }

    def topics(self, there: Collection[str]) -> set[str]:
        return {REJECTED} & set(there)

    def named(self, topic: str) -> str:  # noqa: ARG002 - there is one
        return REJECTED

    def of(self, record: Any) -> Rejected:
        return Rejected.of(record, self.limits, self.formats)
