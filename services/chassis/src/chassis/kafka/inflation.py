"""Decompresses a batch's records up to a limit: 20 KB of zstd may hold 600 MiB, and a broker accepts them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping

import cramjam

LARGEST = 16 * 1024 * 1024
"""Most bytes of a batch's records: 16 times the largest record, more than the 5 to 10 MiB of a full batch of events."""
_FIRST_GUESS = 8
"""First buffer, in multiples of a payload's compressed size; events compress 5 to 10 times."""
_XERIAL = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"
"""The header of Java's snappy, followed by blocks that each have their length in the 4 bytes before."""


class Bomb(Exception):  # noqa: N818 - a verdict on the batch
    """The records take more than LARGEST bytes."""


def inflated(codec: int, payload: bytes) -> bytes:
    """The decompressed payload. Memory stays below twice LARGEST, whatever size the payload claims.

    `codec` is a key of CODECS. Raises Bomb, or the codec's own error for an invalid payload.
    """
    return CODECS[codec](payload)


def _gzip(payload: bytes) -> bytes:
    content = gzip.GzipFile(fileobj=io.BytesIO(payload)).read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Bomb
    return content


def _snappy(payload: bytes) -> bytes:
    """Checks each block's stated size before decompressing it."""
    if not payload.startswith(_XERIAL):
        return _block(payload, LARGEST)
    content, place = bytearray(), len(_XERIAL)
    while place < len(payload):
        end = place + 4 + int.from_bytes(payload[place : place + 4], "big")
        content += _block(payload[place + 4 : end], LARGEST - len(content))
        place = end
    return bytes(content)


def _block(block: bytes, room: int) -> bytes:
    if cramjam.snappy.decompress_raw_len(block) > room:
        raise Bomb
    return bytes(cramjam.snappy.decompress_raw(block))


def _stream(into: Callable[[bytes, bytearray], int]) -> Callable[[bytes], bytes]:
    """Decompressor for a codec that states no size: the buffer grows until the content fits, up to the limit."""

    def inflate(payload: bytes) -> bytes:
        room = max(4096, _FIRST_GUESS * len(payload))
        while True:
            content = bytearray(min(room, LARGEST))
            try:
                return bytes(memoryview(content)[: into(payload, content)])
            except cramjam.DecompressionError as error:
                if "whole buffer" not in str(error):
                    raise
                if len(content) == LARGEST:
                    raise Bomb from error
                room *= 4

    return inflate


CODECS: Mapping[int, Callable[[bytes], bytes]] = {
    1: _gzip,
    2: _snappy,
    3: _stream(cramjam.lz4.decompress_into),
    4: _stream(cramjam.zstd.decompress_into),
}
"""By Kafka's codec number."""
