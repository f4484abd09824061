"""Dead letters: records set aside for good, complete and with a reason; the limit past which the partition stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.kafka.consumer import Received
from chassis.kafka.producers import MAX_RECORD_BYTES
from chassis.kafka.publisher import Record
from chassis.kafka.records import UNREADABLE
from chassis.process.failures import Failure
from schemas.envelope import Refused
from schemas.sizes import REJECTED, dead_letter_topic

RUN = 20
SHARE = 0.05
WINDOW = 1_000
LARGEST = MAX_RECORD_BYTES - 64 * 1024
HEADER_BYTES = 10
"""Most bytes that Kafka adds to a header, for its two lengths."""
RULES_FAILED = "rules_failed"
REFUSED_BY_DATABASE = "refused_by_database"
UNSENT = "unsent"
"""Reason: an operator has set the output aside, which its topic refuses."""
WRONG_PARTITION = "wrong_partition"
"""Reason: a lead in two partitions would have two writers, and each would overwrite the other's."""


class TooManyDeadLetters(Failure):
    """Of the records that Baton wrote, more than 20 in a row or 5 % of the last 1,000 failed: a bad deploy."""


def dead_letter(record: Received, error: Refused, service: str) -> Record:
    """The original key, value and headers on `<topic>-dlq`, with `x-dlq-` headers that say why and where from.

    A record that came compressed may be larger than any record may be published: it is cut, and marked so.
    """
    about = {
        "reason": error.reason,
        "error": error.detail[:1024],
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "append-time": record.append_time.isoformat(),
        "service": service,
    }
    return _aside(record, dead_letter_topic(record.topic), about, record.partition)


def unsent(record: Record, service: str, part: int, seq: int) -> Record:
    """An output that its topic refuses, on `events-rejected`, with the headers of a dead letter.

    Not on a `-dlq` topic: those hold inputs, and a replay would publish it where it was refused.
    """
    about = {"reason": UNSENT, "topic": record.topic, "partition": str(part), "seq": str(seq), "service": service}
    return _aside(record, REJECTED, about, None)


def _aside(record: Received | Record, topic: str, about: dict[str, str], part: int | None) -> Record:
    key, value, kept = record.key, record.value, record.headers
    if (size := _size(record)) > LARGEST:
        key, value, kept = key and key[:1024], value and value[: LARGEST // 2], ()
        about["cut"] = f"{size} bytes, whole at its offset only"
    elif record.value is None and any(name == UNREADABLE for name, _ in kept):
        about["cut"] = "whole at its offset only"
    headers = [*kept, *((f"x-dlq-{name}", text.encode()) for name, text in about.items())]
    return Record(topic, key, value, headers, part)


def _size(record: Received | Record) -> int:
    headers = sum(len(name.encode()) + len(value or b"") + HEADER_BYTES for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


@dataclass(frozen=True, slots=True)
class Limiter:
    """Counts records that Baton wrote and those of them that failed, by rules, SQL or the decoder."""

    seen: int = 0
    failures: tuple[int, ...] = ()
    """Numbers of those of the last 1,000 records that failed, counted from the first record."""
    run: int = 0
    lifted: int = 0
    """The limit does not apply to so many first records: an operator has resumed the partition."""

    def after(self, count: int, failed: Sequence[int] = ()) -> Limiter:
        """The limiter after `count` more records, of which those at the indexes `failed` failed.

        Raises TooManyDeadLetters at the limit; call it before the outcomes are committed.
        """
        failures, run, before = self.failures, self.run, -1
        for index in failed:
            run = run + 1 if index == before + 1 else 1
            before, number = index, self.seen + index
            failures = (*(earlier for earlier in failures if earlier > number - WINDOW), number)
            many = run > RUN or (number >= WINDOW - 1 and len(failures) > SHARE * WINDOW)
            if many and number >= self.lifted:
                raise TooManyDeadLetters(
                    f"{run} in a row, {len(failures)} of the last {WINDOW}: `serve --resume` goes on"
                )
        return Limiter(self.seen + count, failures, run if before == count - 1 else 0, self.lifted)
