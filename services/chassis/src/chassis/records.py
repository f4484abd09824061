"""What a broker lets through and Kafka's Python client cannot read: such a batch stops nothing and hides no record.

A broker looks at a batch less closely than the client does. The client raises, at the same offset for ever, for a
header key that is not UTF-8, an attribute of 128 or more and bytes behind a compressed stream, and it believes offsets
that a producer made up. Whoever may write to a topic could stop each of its partitions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import UnsupportedCodecError
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

_OVERHEAD = 12
"""Bytes before those that a batch's length counts: its first offset, and that length."""


def read_all() -> None:
    """From now on this process's consumers read whatever a broker lets through; a second call changes nothing."""
    fetcher.MemoryRecords = _Records  # type: ignore[attr-defined]


class _Records(MemoryRecords):  # type: ignore[misc, valid-type]
    """One partition's batches of one answer, as the client has them."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._data = data

    def next_batch(self) -> Any:
        return _Batch(super().next_batch(), self._data)


class _Batch:
    """A batch as the client reads it, or leniently where it cannot: by then its checksum has been found right."""

    __slots__ = (
        *("_batch", "_data", "base_offset", "is_control_batch", "is_transactional"),
        *("next_offset", "producer_id", "validate_crc"),
    )

    def __init__(self, batch: Any, data: bytes) -> None:
        self._batch = batch
        self._data = data
        self.base_offset = batch.base_offset
        self.is_control_batch = batch.is_control_batch
        self.is_transactional = batch.is_transactional
        self.next_offset = batch.next_offset
        self.producer_id = batch.producer_id
        self.validate_crc = batch.validate_crc

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        first, end = self.base_offset, self.next_offset
        try:
            records = list(self._batch)
        except UnsupportedCodecError:  # this installation's fault, not the batch's
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the batch was written so
            return iter(_leniently(self._data, first, type(error).__name__))
        if len(records) == end - first and [record.offset for record in records] != list(range(first, end)):
            return iter(_leniently(self._data, first, "offsets"))
        return iter(records)


def _leniently(data: bytes, first: int, trouble: str) -> list[_DefaultRecordPy]:
    """The records of the batch that begins at offset `first`; if none can be had, an empty one for each offset."""
    batch: Any = _in_python(data, first)
    try:
        iter(batch)  # decompresses it
        place, records = batch._pos, []
        for number in range(batch._num_records):
            record, place = _record(batch, first + number, place)
            records.append(record)
        return records
    except Exception:  # noqa: BLE001 - as above
        said: list[tuple[str, bytes | None]] = [("unreadable", trouble.encode())]
        time, kind = batch.max_timestamp, batch.timestamp_type
        return [_DefaultRecordPy(offset, time, kind, None, None, said) for offset in range(first, batch.next_offset)]


def _in_python(data: bytes, first: int) -> _DefaultRecordBatchPy:
    place = 0
    while True:
        end = place + _OVERHEAD + int.from_bytes(data[place + 8 : place + _OVERHEAD], "big")
        if int.from_bytes(data[place : place + 8], "big") == first:
            return _DefaultRecordBatchPy(data[place:end])
        place = end


def _record(batch: Any, offset: int, place: int) -> tuple[_DefaultRecordPy, int]:
    """The record at `place`, and where the next one begins. Its offset is its place in the batch, as for the broker."""
    length, place = decode_varint(batch._buffer, place)
    end, place = place + length, place + 1  # past the attributes, which are one byte and mean nothing yet
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


def _sized(buffer: bytearray, place: int) -> tuple[bytes | None, int]:
    length, place = decode_varint(buffer, place)
    return (None, place) if length < 0 else (bytes(buffer[place : place + length]), place + length)
