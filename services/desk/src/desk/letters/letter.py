"""A dead letter: its headers, and the record that its replay publishes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeInt, StringConstraints, ValidationError

from chassis.kafka.consumer import append_time
from chassis.kafka.publisher import Headers, Record
from desk.letters.entry import COMMON, FOREIGN, Address
from desk.terminal import stamp
from schemas.binary import of_record
from schemas.envelope import Envelope, Refused, effective_time

SUFFIX = "-dlq"
MARK = "x-dlq-"


class Marks(BaseModel):
    """The headers of the service that set the record aside."""

    model_config = ConfigDict(frozen=True, alias_generator=lambda name: name.replace("_", "-"))

    reason: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,64}$")]
    error: str
    topic: str
    partition: NonNegativeInt
    offset: NonNegativeInt
    append_time: AwareDatetime
    service: str
    cut: str | None = None
    replay_of: str | None = Field(None, description="address of the first letter, when it failed again in a replay")


@dataclass(frozen=True, slots=True)
class Letter:
    """A record of a dead-letter topic. `key`, `value` and `headers` are the original's.

    `marks` is None for a foreign record; `flaw` says what is wrong with its headers.
    """

    address: Address
    set_aside_at: datetime
    key: bytes | None
    value: bytes | None
    headers: Headers
    marks: Marks | None
    flaw: str = ""

    @classmethod
    def of(cls, record: Any) -> Letter:
        """The letter in a record, whoever wrote it."""
        address = Address(record.topic, record.partition, record.offset)
        headers = [(name, value) for name, value in record.headers if not name.startswith(MARK)]
        marks, flaw = _marks(record)
        return cls(address, append_time(record.timestamp), record.key, record.value, headers, marks, flaw)

    @property
    def reason(self) -> str:
        return self.marks.reason if self.marks else FOREIGN

    @property
    def replay_of(self) -> str | None:
        """The address of the letter whose failed replay became this one."""
        return self.marks.replay_of if self.marks else None

    @property
    def origin(self) -> Address | None:
        """The original record's topic, partition and offset."""
        return Address(self.marks.topic, self.marks.partition, self.marks.offset) if self.marks else None

    @property
    def repeats(self) -> tuple[str, Address] | None:
        """The same for all letters of one record: a service publishes its letters at least once."""
        return (self.marks.service, self.origin) if self.marks and self.origin else None

    def about(self) -> dict[str, Any]:
        """The letter without its content, for JSON."""
        marks = self.marks
        return {
            "address": str(self.address),
            "reason": self.reason,
            "error": marks.error if marks else self.flaw,
            "service": marks.service if marks else None,
            "set_aside_at": stamp(self.set_aside_at),
            "origin": str(self.origin) if marks else None,
            "appended_at": stamp(marks.append_time) if marks else None,
            "cut": marks.cut if marks else None,
            "replay_of": self.replay_of,
        }

    def replayed(self) -> tuple[Record]:
        """The record to publish: same event, key and headers, its time judged against the original append time.

        The same bytes each time, so that a second replay is a duplicate. Raises Refused when the event can never be
        accepted: foreign, cut, not_json, no_envelope, wrong_key, id_conflict, time_out_of_range.
        """
        if self.marks is None:
            raise Refused(FOREIGN, self.flaw)
        if self.marks.cut is not None:
            raise Refused("cut", self.marks.cut)
        whole = of_record(self.headers, self.value)
        event = _envelope(whole)
        if self.key != event.subject.encode():
            raise Refused("wrong_key", "the record's key is not the event's subject")
        if self.reason == "id_conflict":
            raise Refused("id_conflict", "an event with this id and other content has been accepted")
        value = _final(whole or b"", event, self.marks.append_time)
        replay_of = self.replay_of or str(self.address)
        kept = self.headers if whole is self.value else [each for each in self.headers if not _is_binary(each[0])]
        headers = [*kept, (f"{MARK}replay-of", replay_of.encode())]
        return (Record(self.marks.topic, self.key, value, headers),)


def _marks(record: Any) -> tuple[Marks | None, str]:
    """The service appends its headers to the sender's, the reason first; headers before it may be forged."""
    names = [name for name, _ in record.headers]
    begin = max((place for place, name in enumerate(names) if name == f"{MARK}reason"), default=0)
    headers = {
        name.removeprefix(MARK): value
        for place, (name, value) in enumerate(record.headers)
        if name == f"{MARK}replay-of" or (place >= begin and name.startswith(MARK))
    }
    try:
        marks = Marks.model_validate({name: (value or b"").decode(errors="replace") for name, value in headers.items()})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return None, f"header {MARK}{first['loc'][0]}: {first['msg']}"
    if marks.topic + SUFFIX != record.topic:
        return None, f"header {MARK}topic: names another topic than this one's"
    return marks, ""


def _is_binary(name: str) -> bool:
    """Whether the header says something of an event in binary mode, which a replay publishes in structured mode."""
    return name.startswith("ce_") or name == "content-type"


def _envelope(value: bytes | None) -> Envelope:
    """The event's envelope without checking its data, which the service judges again."""
    if value is None:
        raise Refused("not_json", "the record has no value")
    try:
        event = Envelope.model_validate_json(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise Refused("not_json", first["msg"]) from error
        where = ".".join(str(part) for part in first["loc"])
        raise Refused("no_envelope", f"{where}: {first['msg']}") from error
    if "specversion" not in event.model_fields_set:
        raise Refused("no_envelope", "specversion: Field required")
    return event


def _final(value: bytes, event: Envelope, appended_at: datetime) -> bytes:
    """The event with its final time; unchanged bytes where the time was final already."""
    time, _ = effective_time(event, appended_at)
    if event.finaltime:
        return value
    try:
        document = json.loads(value)
        final = {**document, "time": time.isoformat(), "occurredat": document["time"], "finaltime": True}
        return json.dumps(final, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise Refused("not_json", "a number that JSON cannot hold") from error


class DeadLetters:
    """What services set aside, by topic."""

    verb, one, many, entries = "letters", "dead letter", "dead letters", "letters"
    fates: ClassVar[Mapping[str, str]] = {
        **COMMON,
        "cut": "cannot be replayed: too large to be kept whole",
        "not_json": "cannot succeed: not JSON",
        "no_envelope": "cannot succeed: its envelope is no event's, so neither lead nor time is known",
        "wrong_key": "cannot succeed: its key is not the event's subject",
        "id_conflict": "cannot succeed: an event with its id and other content has been accepted",
        "time_out_of_range": "cannot succeed: its time was out of range when it came",
    }

    def topics(self, there: Collection[str]) -> set[str]:
        return {topic for topic in there if topic.endswith(SUFFIX)}

    def named(self, topic: str) -> str:
        return topic.removesuffix(SUFFIX) + SUFFIX

    def of(self, record: Any) -> Letter:
        return Letter.of(record)
