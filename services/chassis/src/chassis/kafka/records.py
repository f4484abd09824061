"""Reads batches that a broker accepts and Kafka's Python client cannot read, so that none stops a partition.

A broker checks a batch less than the client does. The client raises, at the same offset for ever, for a header key that
is not UTF-8, an attribute of 128 or more, and bytes after a compressed stream; it trusts offsets set by a producer, and
decompresses any size. So whoever may write to a topic could stop each of its partitions, or fill the memory of every
reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import UnsupportedCodecError
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

from chassis.kafka.inflation import CODECS, LARGEST, Bomb, inflated
from chassis.process.failures import Failure

UNREADABLE = "unreadable"
"""The only header of a record that stands for an unreadable one; its value is the reason."""
MOST_RECORDS, MOST_HEADERS = 65_536, 262_144
"""Most in a compressed batch: as many of the smallest events fit into LARGEST bytes, each with 4 headers.

An empty record takes 7 bytes of a batch and 300 of memory, an empty header 2 and 70.
"""
HARMLESS = 1024 * 1024
"""Bytes of a batch up to which its headers are not counted: the largest uncompressed batch."""
_OVERHEAD = 12
"""Bytes of a batch that its length does not count: its first offset and the length."""
_ATTRIBUTES, _RECORDS = 22, 61
"""Positions in a batch: the attributes, whose last 3 bits name the codec, and the first record."""
_CODEC = 0x07
LOG_APPEND_TIME = 1
"""Kafka's number for a time stamp set by the broker."""


class NoAppendTime(Failure):
    """The records of an input topic have no append time: stop, page."""


def read_all() -> None:
    """Makes this process's consumers read every batch that a broker accepts; calling it again has no effect."""
    fetcher.MemoryRecords = _Records  # type: ignore[attr-defined]


def require_append_time(records: Iterable[Any]) -> None:
    """Raises NoAppendTime for the first record whose time stamp is not the broker's.

    It looks at the records, since reading a topic's configuration takes a right that a service need not have.
    """
    for record in records:
        if record.timestamp_type != LOG_APPEND_TIME:
            raise NoAppendTime(
                f"{record.topic}/{record.partition} keeps its producers' time stamps, which are anybody's clock: set "
                f"message.timestamp.type=LogAppendTime, and make the topic anew (offset {record.offset})"
            )


class _Records(MemoryRecords):  # type: ignore[misc, valid-type]
    """The batches of one partition in one answer, as the client keeps them.

    The answer ends after the batch with which LARGEST bytes have been decompressed; the client then fetches the rest
    again. So memory is bounded by the size of a batch, not by how many fit into an answer.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._data = data
        self._place = 0
        self.inflated = 0

    def has_next(self) -> bool:
        return self.inflated < LARGEST and bool(super().has_next())

    def next_batch(self) -> Any:
        first = self._place
        self._place += _OVERHEAD + int.from_bytes(self._data[first + 8 : first + _OVERHEAD], "big")
        return _Batch(super().next_batch(), memoryview(self._data)[first : self._place], self)


class _Batch:
    """A batch as the client reads it, or leniently where the client cannot; its checksum was right."""

    __slots__ = (
        *("_answer", "_batch", "_raw", "base_offset", "is_control_batch", "is_transactional"),
        *("next_offset", "producer_id", "validate_crc"),
    )

    def __init__(self, batch: Any, raw: memoryview, answer: _Records) -> None:
        self._answer = answer
        self._batch = batch
        self._raw = raw
        self.base_offset = batch.base_offset
        self.is_control_batch = batch.is_control_batch
        self.is_transactional = batch.is_transactional
        self.next_offset = batch.next_offset
        self.producer_id = batch.producer_id
        self.validate_crc = batch.validate_crc

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        first, end, batch, raw = self.base_offset, self.next_offset, self._batch, self._raw
        if codec := batch.compression_type:
            if codec not in CODECS:  # this installation lacks the codec; the batch is not at fault
                raise UnsupportedCodecError(f"compression codec {codec}")
            try:
                raw = self._plain()
            except Exception as error:  # noqa: BLE001 - whatever it is, the batch was written so
                return _unreadable(batch, type(error).__name__)
            batch = DefaultRecordBatch(raw)
        try:
            records = list(batch)
        except Exception as error:  # noqa: BLE001 - as above
            return _leniently(raw, first, type(error).__name__)
        if len(records) == end - first and [record.offset for record in records] != list(range(first, end)):
            return _leniently(raw, first, "offsets")
        return iter(records)

    def _plain(self) -> memoryview:
        """The same batch, uncompressed. Raises Bomb, or the codec's error."""
        self._answer.inflated += LARGEST  # corrected below: a payload that fails costs as much as the largest
        content = inflated(self._batch.compression_type, bytes(self._raw[_RECORDS:]))
        if self.next_offset - self.base_offset > MOST_RECORDS:
            raise Bomb("records")
        if len(content) > HARMLESS and _headers(content) > MOST_HEADERS:
            raise Bomb("headers")
        self._answer.inflated -= LARGEST - len(content)
        head = bytearray(self._raw[:_RECORDS])
        head[_ATTRIBUTES] &= ~_CODEC
        return memoryview(head + content)


def _leniently(raw: memoryview, first: int, trouble: str) -> Iterator[_DefaultRecordPy]:
    """The records of the uncompressed batch that begins at offset `first`; `_unreadable` if none can be read."""
    batch: Any = _DefaultRecordBatchPy(raw)
    try:
        place, records = batch._pos, []
        for number in range(batch._num_records):
            record, place = _record(batch, first + number, place)
            records.append(record)
    except Exception:  # noqa: BLE001 - as above
        return _unreadable(batch, trouble)
    return iter(records)


def _unreadable(batch: Any, trouble: str) -> Iterator[_DefaultRecordPy]:
    """An empty record for each offset, made when it is asked for: there may be millions."""
    said: list[tuple[str, bytes | None]] = [(UNREADABLE, trouble.encode())]
    time, kind = batch.max_timestamp, batch.timestamp_type
    return (
        _DefaultRecordPy(offset, time, kind, None, None, said) for offset in range(batch.base_offset, batch.next_offset)
    )


def _record(batch: Any, offset: int, place: int) -> tuple[_DefaultRecordPy, int]:
    """The record at byte `place`, and the byte after it. Its offset is its index in the batch, as for the broker."""
    length, place = decode_varint(batch._buffer, place)
    end, place = place + length, place + 1  # skips the attributes, one byte without meaning yet
    delta, place = decode_varint(batch._buffer, place)
    _, place = decode_varint(batch._buffer, place)
    key, place = _sized(batch._buffer, place)
    value, place = _sized(batch._buffer, place)
    count, place = decode_varint(batch._buffer, place)
    headers = []
    for _ in range(count):
        name, place = _sized(batch._buffer, place)
        content, place = _sized(batch._buffer, place)
        headers.append(((name or b"").decode("utf-8", "backslashreplace"), content))
    if place != end:
        raise ValueError("a record that is not as long as it says")
    time = batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + delta
    return _DefaultRecordPy(offset, time, batch.timestamp_type, key, value, headers), end


def _headers(content: Any) -> int:
    """How many headers the records have, counted without making any."""
    found = place = 0
    while place < len(content):
        length, place = decode_varint(content, place)
        end, place = place + length, place + 1
        for _ in range(2):
            _, place = decode_varint(content, place)
        for _ in range(2):
            length, place = decode_varint(content, place)
            place += max(0, length)
        count, _ = decode_varint(content, place)
        if end <= place:
            raise ValueError("a record that is not as long as it says")
        found, place = found + count, end
    return found


def _sized(buffer: bytearray, place: int) -> tuple[bytes | None, int]:
    length, place = decode_varint(buffer, place)
    return (None, place) if length < 0 else (bytes(buffer[place : place + length]), place + length)
