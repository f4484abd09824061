"""The envelope of every event: CloudEvents 1.0.2 in structured mode, read by one strict decoder."""

from __future__ import annotations

import json
import struct
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from math import isfinite
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, cast

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import from_json
from typing_extensions import TypedDict

from schemas.content import content_of
from schemas.sizes import MAX_EVENT, MAX_RECORD

MAX_FUTURE = timedelta(hours=24)
MAX_LATENESS = timedelta(days=90)
"""An older event is refused at receipt: it would change what people have acted on long ago."""
WAY = "who cannot key by the lead's id may write to an inbox (deploy/inboxes.yaml)"
"""What a producer can do instead, said by dead letters of a wrong key or partition."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_READ = TypeAdapter(datetime).validate_json('"1970-01-01T00:00:00Z"')
"""The epoch as pydantic reads it: times read from JSON share its tzinfo, and subtract five times faster from it."""
_FIRST = datetime.min.replace(tzinfo=UTC) - _EPOCH
_DETAIL = 300
_INSTANT = struct.Struct(">d")
_NAMED = frozenset(("specversion", "type"))

Id = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,255}$")]
Type = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
SentBy = Literal["public", "server", "operator"]
"""What a key or an inbox is trusted with: `public` ones are on web pages, so anybody may have them."""
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2200, 1, 1)
Instant = Annotated[AwareDatetime, Field(ge=_EPOCH, le=datetime(2200, 1, 1, tzinfo=UTC))]
"""A time from 1970 to 2200: rules can add and subtract months, and Postgres returns it unchanged."""
Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
LeadId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]


class Frozen(BaseModel):
    """A value of the contract: immutable, finite numbers only; a field of a later minor version is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, ser_json_inf_nan="null")


class Head(Frozen):
    """What every event says of itself, whatever its data."""

    specversion: Literal["1.0"] = "1.0"
    id: Id
    source: Id
    type: Type
    subject: LeadId
    time: Instant
    sentat: Instant | None = Field(None, description="the sender's clock when it sent; corrects its skew")
    occurredat: Instant | None = Field(None, description="the sender's own time, kept once `time` is final")
    zoneassumed: bool | None = Field(None, description="the sender's own time had no zone, and was read as UTC")
    finaltime: bool = Field(False, description="`time` has been judged; nobody judges it again")
    timetrusted: bool = Field(False, description="the sender's clock is right: no skew correction")
    via: LeadId | None = Field(None, description="the alias for which the event came first; only Baton sets it")
    sentby: SentBy | None = Field(None, description="class of the key by which it came; only Baton sets it")
    mergedvia: LeadId | None = Field(
        None, description="the merged lead by which it came to `via`, the first if several; only Baton sets it"
    )


class Envelope(Head):
    """A published fact about one lead; `subject` is the lead and the record's key.

    `time` is when it happened by the sender's clock, or the judged effective time when `finaltime` is set.
    """

    topic: ClassVar[str]
    erases: ClassVar[bool] = False
    """Whether it asks that other facts of the lead be deleted."""

    data: Any

    @property
    def erases_all(self) -> bool:
        """Whether it asks that all other facts of the lead be deleted, so that those before it need no decision."""
        return self.erases

    def encode(self) -> bytes:
        """The record's value: one self-contained JSON object, absent optionals left out."""
        return self.model_dump_json(exclude_none=True, exclude_defaults=False).encode()


class UnknownEvent(Envelope):
    """A well-formed event of a type this version does not know: kept as a fact, worth nothing yet.

    Its data is in the fact's value only: no rule reads it, and as objects it would take 30 times the memory.
    """

    topic: ClassVar[str] = ""
    data: None = None


class Refused(ValueError):  # noqa: N818 - a verdict on a record, not a fault
    """The record can never be accepted; `reason` is a word of a closed set, `detail` names the field."""

    def __init__(self, reason: str, detail: str) -> None:
        detail = detail[:_DETAIL]
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Fact(NamedTuple):
    """An accepted event with its final effective time (UTC) and its fingerprint.

    `received` is the broker's append time of the first accepted record; a repeat does not change it.
    """

    event: Envelope
    time: datetime
    clamped: bool
    fingerprint: bytes
    value: bytes
    received: datetime

    @property
    def lead_id(self) -> str:
        return self.event.subject

    @property
    def key(self) -> tuple[str, str]:
        """The event's identity within its lead: `(source, id)`."""
        return (self.event.source, self.event.id)

    @property
    def order(self) -> tuple[datetime, str, str]:
        """The total order of a lead's facts."""
        return (self.time, self.event.source, self.event.id)


def effective_time(event: Envelope, received_at: datetime, *, sent_anew: bool = False) -> tuple[datetime, bool]:
    """When the event counts, and whether that was clamped to `received_at`. UTC in, UTC out.

    The skew of the sender's clock is removed as far as `sentat` shows it. `sent_anew`: the sender sets it anew at every
    attempt, as the Segment family does; then a slow clock is corrected too. From other senders it may be a retry of the
    same bytes, so only a fast clock is corrected. Sent before it happened shows nothing. Raises Refused
    `time_out_of_range` for a time more than 24 h ahead or 90 days behind, checked before the clamp. A final time is
    taken as it is, unless it is more than 24 h ahead, which no judgement gives.
    """
    time, received = event.time - _EPOCH_READ, received_at - _EPOCH
    if event.sentat is not None and not event.timetrusted and not event.finaltime:
        sent = event.sentat - _EPOCH_READ
        if time <= sent and (sent_anew or sent > received):
            time += received - sent
    if (event.finaltime or received - MAX_LATENESS <= time) and time <= received + MAX_FUTURE:
        if time > received and not event.finaltime:
            return received_at, True
        if time >= _FIRST:
            return _EPOCH + time, False
    raise Refused("time_out_of_range", f"time {event.time.isoformat()} against receipt at {received_at.isoformat()}")


def fingerprint(event: Envelope, data: Any = None) -> bytes:
    """A digest of what a retry keeps the same: type, subject, the client's own time, data.

    `data` is the record's own JSON, so that the fingerprint does not depend on the version of the contract that reads
    it; without it, as `encode` writes it. White space, the order of keys, the spelling of a number (1, 1.0) and null
    keys make no difference; fields that this version does not know do, and so does a default that is written out.
    Raises Refused `invalid_event` for what Postgres or JSON cannot store: a NUL, an infinite number.
    """
    if data is None and event.data is not None:
        data = from_json(event.data.__pydantic_serializer__.to_json(event.data, exclude_none=True))
    try:
        content = content_of(data)
    except ValueError as error:
        raise Refused("invalid_event", f"data: {error}") from None
    return _digest(event, content.encode())


def forwarded(fact: Fact, to: str) -> bytes:
    """The value of the fact's event told for the lead `to`: its time judged, `via` the lead that it came for.

    Source, id and content stay, so that however often it comes it is one fact of that lead. An attribute that this
    version does not know stays too, but for numbers that are none in JSON: the content has none.
    """
    body = json.loads(fact.value, parse_constant=lambda _: None, parse_float=_finite)
    if not fact.event.finaltime:
        body |= {"occurredat": body["time"], "time": fact.time.isoformat(), "finaltime": True}
    body |= {"subject": to, "via": fact.lead_id}
    if fact.event.mergedvia is not None:
        body["mergedvia"] = fact.event.mergedvia
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _finite(number: str) -> float | None:
    value = float(number)
    return value if isfinite(value) else None


def older_fingerprint(fact: Fact) -> bytes:
    """The fingerprint as versions before 2026-11-28 computed it, for facts kept by them."""
    data = fact.event.data
    if data is None:
        content = json.dumps(_body(fact.value).get("data", {}), sort_keys=True).encode()
    else:
        content = data.__pydantic_serializer__.to_json(data, exclude_none=True)
    return _digest(fact.event, content)


def _digest(event: Envelope, content: bytes) -> bytes:
    occurred = event.occurredat if event.finaltime else event.time
    when = b"" if occurred is None else _INSTANT.pack((occurred - _EPOCH_READ).total_seconds())
    what = f"{event.type}\0{event.subject}\0".encode()
    return blake2b(b"".join((what, when, content)), digest_size=16).digest()


class _Body(TypedDict, total=False):
    data: Any


class Decoder:
    """Reads a record's value as one of the `events`; the only way in, so an event is always complete.

    A `baton.` event of another type is kept as UnknownEvent, so that an old service loses nothing of a newer one.
    """

    def __init__(self, *events: type[Envelope]) -> None:
        union: Any = Annotated[_union(events), Field(discriminator="type")] if len(events) > 1 else events[0]
        adapter: TypeAdapter[Envelope] = TypeAdapter(union)
        self._read = adapter.validator.validate_json
        self._types = {str(event.model_fields["type"].default) for event in events}

    def event(self, value: bytes | None) -> Envelope:
        """The event, or Refused: `not_json`, `invalid_event`."""
        if value is None:
            raise Refused("not_json", "the record has no value")
        try:
            event = cast(Envelope, self._read(value, strict=True))
        except ValidationError as error:
            return self._other(value, error)
        if not event.model_fields_set >= _NAMED:
            raise Refused("invalid_event", "specversion, type: Field required")
        return event

    def fact(self, key: bytes | None, value: bytes | None, received_at: datetime) -> Fact:
        """The event with its time judged against `received_at`, or Refused.

        Reasons: those of `event`, `too_large`, `wrong_key`, `time_out_of_range`.
        """
        if value is not None and len(value) > MAX_RECORD:
            raise Refused("too_large", f"{len(value)} bytes, {MAX_EVENT} at the most")
        event = self.event(value)
        if len(cast(bytes, value)) > MAX_EVENT and event.via is None:
            raise Refused("too_large", f"{len(cast(bytes, value))} bytes, {MAX_EVENT} at the most")
        if not (event.id.strip() and event.source.strip()):
            raise Refused("invalid_event", "id, source: blank")
        value = cast(bytes, value)
        if key is None or key != event.subject.encode():
            raise Refused("wrong_key", f"the record's key is not the event's subject; {WAY}")
        time, clamped = effective_time(event, received_at)
        return Fact(event, time, clamped, fingerprint(event, _body(value).get("data")), value, received_at)

    def stored(self, value: bytes, time: datetime, fingerprint: bytes, received: datetime) -> Fact:
        """A fact as it was stored, with its time and fingerprint.

        A version that was less strict may have kept what this one refuses: that is an UnknownEvent.
        """
        try:
            event = self.event(value)
        except Refused:
            head = from_json(value)
            named = {name: head[name] for name in ("specversion", "id", "source", "type", "subject")}
            event = UnknownEvent.model_construct(set(named), **named, time=time)
        return Fact(event, time, False, fingerprint, value, received)

    def _other(self, value: bytes, error: ValidationError) -> Envelope:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise Refused("not_json", first["msg"]) from None  # the error holds the parsed record
        try:
            head = Head.model_validate_json(value, strict=True)
        except ValidationError:
            head = None
        if head is None or head.type in self._types or not head.type.startswith("baton."):
            raise Refused("invalid_event", place_and_rule(error)) from None
        return UnknownEvent.model_construct(set(head.model_fields_set), **dict(head))


def place_and_rule(error: ValidationError) -> str:
    """Path and rule of the first error; never a value, nor a name chosen by the sender."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "union_tag_invalid":
        return "type: none that is read here"
    place = [str(part) for part in first["loc"]]
    known = place[: place.index("properties") + 1] if "properties" in place else place
    return f"{'.'.join(known)}: {first['msg']}"


def _union(events: tuple[type[Envelope], ...]) -> Any:
    union: Any = events[0]
    for event in events[1:]:
        union = union | event
    return union


_body = TypeAdapter(_Body).validator.validate_json
