"""Metrics of the inbox."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from chassis.kafka.publisher import Place
from ingest.inbox.reader import Outcome
from ingest.rules import REASONS


class InboxMetrics:
    """Declared once per process, in its own registry."""

    def __init__(self, registry: CollectorRegistry, topics: Iterable[str]) -> None:
        self.lags: dict[Place, int] = {}
        """Records that wait in each partition that was read by this process."""
        self._events = Counter(
            "baton_inbox_events",
            "What came of the records of an inbox: published, rejected (both acknowledged by the broker)",
            ["topic", "outcome"],
            registry=registry,
        )
        self._records = Counter("baton_inbox_records", "Records read, by topic", ["topic"], registry=registry)
        self._rejected = Counter("baton_inbox_rejected", "Items refused for good", ["reason"], registry=registry)
        lag = Gauge("baton_inbox_lag_records", "Records that wait, as of the last fetch", ["topic"], registry=registry)
        for reason in REASONS:
            self._rejected.labels(reason)
        for topic in topics:
            self._records.labels(topic)
            for outcome in ("published", "rejected"):
                self._events.labels(topic, outcome)
            lag.labels(topic).set_function(lambda topic=topic: self._lag(topic))  # type: ignore[misc]

    def count(self, topic: str, outcome: Outcome) -> None:
        """Counts what was published."""
        self._records.labels(topic).inc(outcome.count)
        self._events.labels(topic, "published").inc(len(outcome.read.events))
        self._events.labels(topic, "rejected").inc(len(outcome.aside))
        for reason, count in outcome.reasons.items():
            self._rejected.labels(reason).inc(count)

    def _lag(self, topic: str) -> int:
        return sum(lag for (name, _), lag in self.lags.items() if name == topic)
