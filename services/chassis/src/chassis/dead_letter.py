"""Dead letters: records set aside for good, whole and with their reason, and the limit past which we stop instead."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any

from chassis.failures import Failure
from chassis.publisher import Record
from schemas.envelope import Refused

RUN = 20
SHARE = 0.05
WINDOW = 1_000
RULES_FAILED = "rules_failed"
REFUSED_BY_DATABASE = "refused_by_database"


class TooManyDeadLetters(Failure):
    """More than 20 in a row, or 5 % of the last 1,000 records, failed by our own making: a bad deploy, not bad data."""


def dead_letter(record: Any, error: Refused, service: str, received_at: datetime) -> Record:
    """The original key, value and headers on `<topic>-dlq`, with `x-dlq-` headers that say why and where from."""
    about = {
        "reason": error.reason,
        "error": error.detail[:1024],
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "append-time": received_at.isoformat(),
        "service": service,
    }
    headers = [*record.headers, *((f"x-dlq-{name}", text.encode()) for name, text in about.items())]
    return Record(f"{record.topic}-dlq", record.key, record.value, headers, record.partition)


class Limiter:
    """Counts failures of our own making (rules, SQL) among a partition's records; an outsider's bad record is none."""

    def __init__(self) -> None:
        self._recent: deque[bool] = deque(maxlen=WINDOW)
        self._failed = 0
        self._run = 0

    def passed(self, count: int) -> None:
        """`count` records went well."""
        if count:
            self._run = 0
        for _ in range(min(count, WINDOW)):
            self._push(failed=False)

    def failed(self) -> None:
        """One failed by our own making. Raises TooManyDeadLetters at the limit."""
        self._run += 1
        self._push(failed=True)
        full = len(self._recent) == WINDOW
        if self._run > RUN or (full and self._failed > SHARE * WINDOW):
            raise TooManyDeadLetters(f"{self._run} in a row, {self._failed} of the last {len(self._recent)}")

    def _push(self, *, failed: bool) -> None:
        if len(self._recent) == WINDOW:
            self._failed -= self._recent[0]
        self._recent.append(failed)
        self._failed += failed
