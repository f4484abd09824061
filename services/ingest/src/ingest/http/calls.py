"""Takes the calls of trackers, one or a batch in a request, whichever dialect they are written in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chassis.kafka.publisher import Record
from ingest import rules
from ingest.adapters import fields
from ingest.adapters.dialects import DIALECTS, Dialect
from ingest.adapters.fields import Table
from ingest.flights import Held
from ingest.http import body as bodies
from ingest.http import originals, sender
from ingest.http.answers import Problem, success
from ingest.http.door import Door, Endpoint, records_of
from ingest.rules import Item
from ingest.settings import Limits
from schemas.engagements import LeadLinked
from schemas.envelope import Envelope, Refused, SentBy
from schemas.sizes import REJECTED, record_limit

MOST_WHOLE = record_limit(REJECTED) - 64 * 1024
"""Bytes of the largest item that is set aside whole; the rest of the record describes it."""
BEGINNING = 16 * 1024
"""Bytes kept of a larger item, to identify its sender and lead."""


@dataclass(frozen=True, slots=True)
class Call:
    """The context of an item: its sender, its receipt, and what of the request is needed to read it."""

    source: str
    sentby: SentBy | None
    received_at: datetime
    name: str | None
    """The route's call; None: the item's `type` names it."""
    batch: Table | None
    """The batch with the item; its `sentAt` applies to items without one."""


@dataclass(slots=True)
class Sorted:
    """A request's items: their events, and the indexes and reasons of the refused ones."""

    source: str
    sentby: SentBy
    received_at: datetime
    strict: bool = True
    """Whether the body is JSON as the strict parser reads it."""
    events: list[Envelope] = field(default_factory=list)
    refused: list[tuple[int, str, str]] = field(default_factory=list)
    """Index, reason, detail. Never the exception: its frames hold the whole body, in a cycle with this list."""
    rejected: list[Record] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    junk: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Identifiers that were left out of the events: (identifier, why)."""
    mended: Counter[str] = field(default_factory=Counter)
    """Values that were not taken as sent, by a word of rules.MENDED."""
    links: set[tuple[str, str]] = field(default_factory=set)
    accepted: list[tuple[int, str | None]] = field(default_factory=list)
    """Index and lead; None for a call that links nobody to anybody."""

    def outcomes(self) -> list[dict[str, str | None]]:
        """What became of each item, for a sender who asks (`?explain`)."""
        said: dict[int, dict[str, str | None]] = {index: {"lead": lead} for index, lead in self.accepted}
        for index, reason, detail in self.refused:
            said[index] = {"refused": reason, "why": rules.REASONS[reason], "detail": detail}
        return [said[index] for index in sorted(said)]

    def take(self, index: int, events: Sequence[Envelope]) -> None:
        """Adds an item's events; a link only once per request, since a second one would be an exact duplicate."""
        self.accepted.append((index, events[0].subject if events else None))
        for event in events:
            if isinstance(event, LeadLinked):
                if (event.subject, event.id) in self.links:
                    continue
                self.links.add((event.subject, event.id))
            self.events.append(event)


class Calls:
    """Takes calls. Items that give no event go to `events-rejected`, and the answer is 200 as well."""

    def __init__(self, door: Door, dialect: Dialect) -> None:
        self._door = door
        self._dialect = dialect

    def routes(self) -> Iterator[tuple[str, Endpoint]]:
        """Each path with its answer: it takes one call, or for None a batch of items each of which names its own."""
        for path, call in self._dialect.routes.items():
            yield path, partial(self._answer, call)

    async def _answer(self, call: str | None, request: Request) -> Response:
        received_at = datetime.now(UTC)
        door = self._door
        key = sender.from_header(request, door.keys)
        before = key or sender.from_url(request, door.keys)
        with door.reading(before) as held:
            content, body, mended = await self._content(request, held)
            key = key or sender.from_body(self._key_in(content), door.keys, request, before)
            found = Sorted(f"{self._dialect.name}/{key.name}", key.kind, received_at, mended is None)
            found.mended.update(mended or ())
            self._read(content, body, call, found)
        await self._publish(found)
        return success(items=found.outcomes()) if b"explain" in request.scope["query_string"] else success()

    async def _publish(self, found: Sorted) -> None:
        """Returns once the broker has acknowledged all of it, and counts it. Raises as `Door.publish`."""
        door = self._door
        await door.publish([*records_of(found.events), *found.rejected], len(found.events), found.reasons)
        if found.dropped:
            door.metrics.dropped.inc(found.dropped)
        door.metrics.count_mended(found.mended)
        for (identifier, why), count in found.junk.items():
            door.metrics.identifiers.labels(identifier, why).inc(count)

    def _key_in(self, content: dict[str, object]) -> object:
        """What the body has for a key, or else its first item."""
        items = content.get(self._dialect.batch)
        first = items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}
        return next((of[name] for of in (content, first) for name in self._dialect.keys if of.get(name)), None)

    async def _content(self, request: Request, held: Held) -> tuple[dict[str, object], bytes, Counter[str] | None]:
        body = await bodies.read(request, self._door.limits, held)
        content, mended = bodies.parse(body, self._door.limits)
        if not isinstance(content, dict):
            raise Problem(400, "bad_body", "the body must be an object", [{"path": "", "message": "no object"}])
        return content, body, mended

    def _read(self, content: dict[str, object], body: bytes, call: str | None, found: Sorted) -> None:
        door, dialect = self._door, self._dialect
        if call is None:
            items = self._items(content)
        elif len(body) > door.limits.event:
            raise bodies.too_large(f"an event may have {door.limits.event} bytes")
        else:
            items = [{name: value for name, value in content.items() if name not in dialect.keys}]
        self._sort(items, call, content, found)
        if found.refused:
            whole = originals.of_batch(body, dialect.batch) if call is None else [originals.of_call(body, dialect.keys)]
            self._set_aside(found, whole, about(found, call, content))

    def _set_aside(self, found: Sorted, whole: Sequence[bytes], about: dict[str, Any]) -> None:
        found.rejected = [
            rejected(whole[index], {"reason": reason, "detail": detail, **about}, strict=found.strict)
            for index, reason, detail in found.refused
        ]

    def _items(self, content: dict[str, object]) -> list[object]:
        name = self._dialect.batch
        items = content.get(name)
        if not isinstance(items, list) or not items:
            where = [{"path": f"/{name}", "message": "no filled array"}]
            raise Problem(400, "bad_body", f"{name} must be an array of calls", where)
        if len(items) > self._door.limits.batch:
            raise bodies.too_large(f"a batch may have {self._door.limits.batch} calls")
        return items

    def _sort(self, items: list[object], call: str | None, content: dict[str, object], found: Sorted) -> None:
        batch = content if call is None else None
        request = Call(found.source, found.sentby, found.received_at, call, batch)
        for index, item in enumerate(items):
            try:
                events, read = taken(item, request, self._door.limits)
            except Refused as refused:
                found.reasons[refused.reason] += 1
                found.refused.append((index, refused.reason, refused.detail))
            else:
                found.take(index, events)
                found.dropped += read.dropped
                found.junk.update(read.junk)
                found.mended.update(read.mended)


def taken(item: object, call: Call, limits: Limits) -> tuple[Sequence[Envelope], Item]:
    """The events of one item, and the item as it was read. Raises Refused.

    A function of item and call, so that a refused item can be read again later.
    """
    compact = orjson.dumps(item)
    dialect = DIALECTS[call.source.partition("/")[0]]
    if len(compact) > (most := getattr(limits, dialect.limit)):
        raise Refused("too_large", f"an event may have {most} bytes")
    if bodies.has_nul(compact, item):
        raise Refused("nul_character", "a text with a NUL character")
    found = dialect.read(item, call.name, call.batch)
    return rules.events_of(found, call.source, call.received_at, call.sentby), found


def about(found: Sorted, call: str | None, content: dict[str, object]) -> dict[str, Any]:
    """What of the request is needed to read an item of it again."""
    sent_at = None if call else fields.hint(content, "sentAt") or fields.hint(content, "sent_at")
    return {
        "source": found.source,
        "sentby": found.sentby,
        "received_at": found.received_at.isoformat(),
        **({"call": call} if call else {}),
        **({"sent_at": fields.as_sent(sent_at)} if sent_at else {}),
    }


def rejected(original: bytes, about: dict[str, Any], *, strict: bool = True) -> Record:
    """Everything an operator needs to correct the item and send it again.

    An item that is not strictly JSON, in a body that is not, is `item_text`: its bytes in `item_encoding`. A larger one
    is cut: `cut` is its size in bytes, there is neither of the two, so it cannot be replayed.
    """
    value, said, how = dict(about), original, "item"
    if not strict and not _is_json(original):
        text, value["item_encoding"] = _text(original)
        said, how = orjson.dumps(text), "item_text"
    if len(said) <= MOST_WHOLE:
        value[how] = orjson.Fragment(said)
    else:
        value |= {"cut": len(original), "beginning": original[:BEGINNING].decode(errors="replace")}
    return Record(REJECTED, None, orjson.dumps(value), (("content-type", b"application/json"),))


def _is_json(original: bytes) -> bool:
    try:
        orjson.loads(original)
    except orjson.JSONDecodeError:
        return False
    return True


def _text(original: bytes) -> tuple[str, str]:
    """A text of the bytes, and the encoding that gives them again."""
    try:
        return original.decode(), "utf-8"
    except UnicodeDecodeError:
        return original.decode("latin-1"), "latin-1"
