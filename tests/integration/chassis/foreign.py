"""Batches written byte by byte, as our client library never writes them, to see what a broker accepts."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBase
from aiokafka.record.util import calc_crc32c, encode_varint


@dataclass(frozen=True)
class Raw:
    """A record whose header keys are bytes, which need not be text; its time is milliseconds."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[bytes, bytes | None]] = ()
    time: int = 0


def body(records: Sequence[Raw], attributes: int = 0, deltas: Sequence[int] | None = None) -> bytes:
    """The records one after another, uncompressed, their offsets counted as `deltas` has them."""
    places = range(len(records)) if deltas is None else deltas
    first = records[0].time
    return b"".join(_record(attributes, place, each, first) for place, each in zip(places, records, strict=True))


def batch(
    records: Sequence[Raw],
    payload: bytes | None = None,
    codec: int = 0,
    attributes: int = 0,
    deltas: Sequence[int] | None = None,
) -> bytes:
    """A batch that says it holds the records; `payload` is what it does hold, where that is something else."""
    content = body(records, attributes, deltas) if payload is None else payload
    times = [record.time for record in records]
    counts = (codec, len(records) - 1, times[0], max(times), -1, -1, -1, len(records))
    tail = struct.pack(">hiqqqhii", *counts) + content
    return struct.pack(">qiibI", 0, len(tail) + 9, -1, 2, calc_crc32c(tail)) + tail


def size(raw: bytes) -> int:
    """How many records the batch says it holds."""
    return int(DefaultRecordBase.HEADER_STRUCT.unpack_from(raw)[12])


async def send(producer: AIOKafkaProducer, topic: str, partition: int, raw: bytes) -> int:
    """Writes the batch as it is; returns its offset. Raises KafkaError where the broker refuses it."""
    sent = await producer.send_batch(_Finished(raw), topic, partition=partition)
    return int((await sent).offset)


class _Finished(BatchBuilder):
    """A batch that is built already."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(len(raw), 0)
        self._relative_offset = size(raw)
        self._buffer = bytearray(raw)
        self.close()


def now() -> int:
    """Milliseconds."""
    return int(time.time() * 1000)


def _record(attributes: int, place: int, record: Raw, first: int) -> bytes:
    fields = [
        bytes([attributes]),
        varint(record.time - first),
        varint(place),
        _sized(record.key),
        _sized(record.value),
    ]
    fields.append(varint(len(record.headers)))
    fields += [_sized(part) for header in record.headers for part in header]
    content = b"".join(fields)
    return varint(len(content)) + content


def _sized(part: bytes | None) -> bytes:
    return varint(-1) if part is None else varint(len(part)) + part


def varint(number: int) -> bytes:
    """As records have their lengths, counts and differences."""
    written = bytearray()
    encode_varint(number, written.append)
    return bytes(written)
