"""Whether a partition's records follow on, offset by offset: the guard against records skipped in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis.kafka.consumer import Received

Gap = tuple[str, int, int]
"""Topic, the offset that was expected, the offset that came."""


def following(records: Sequence[Received], offsets: Mapping[str, int], seen: set[Gap]) -> int:
    """How many of the records may be taken, counted from the first.

    A gap is the log's own (a transaction's mark, a compacted record) only if it shows again after a new claim, so the
    first time it ends what may be taken and is remembered in `seen`, with all that are behind it.
    """
    expected = dict(offsets)
    taken = len(records)
    for place, record in enumerate(records):
        wanted = expected[record.topic]
        if record.offset != wanted:
            gap = (record.topic, wanted, record.offset)
            if gap in seen and taken == len(records):
                seen.discard(gap)
            else:
                taken = min(taken, place)
                if record.offset > wanted:
                    seen.add(gap)
        expected[record.topic] = record.offset + 1
    return taken
