"""Metrics of ingest."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ingest.flights import Room
from ingest.formats import Read
from ingest.keys import WriteKeys
from ingest.rules import MENDED, REASONS
from schemas.links import STRENGTH
from schemas.spelling import WHYS

LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds; the answer's deadline is 5, the body's 10."""


class Metrics:
    """Declared once per process, in its own registry."""

    def __init__(self, registry: CollectorRegistry, room: Room, keys: WriteKeys) -> None:
        self.requests = Counter(
            "baton_ingest_requests", "Requests answered, by route and status", ["route", "status"], registry=registry
        )
        self.duration = Histogram(
            "baton_ingest_request_duration_seconds",
            "From a request's first byte to its answer",
            ["route"],
            buckets=LATENCIES,
            registry=registry,
        )
        self.events = Counter(
            "baton_ingest_events",
            "Events by outcome: published, rejected (both acknowledged by the broker), unacknowledged (503)",
            ["outcome"],
            registry=registry,
        )
        self.rejected = Counter("baton_ingest_rejected", "Items refused for good", ["reason"], registry=registry)
        # each series exists from the start, so that its first increase is seen
        self.published, self.refused, self.unacknowledged = map(
            self.events.labels, ("published", "rejected", "unacknowledged")
        )
        for reason in REASONS:
            self.rejected.labels(reason)
        self.dropped = Counter(
            "baton_ingest_properties_dropped", "Properties left out: nested, or too many", registry=registry
        )
        self.identifiers = Counter(
            "baton_ingest_identifiers_dropped",
            "Identifiers left out of items that were taken, by identifier and reason",
            ["identifier", "why"],
            registry=registry,
        )
        for identifier in (*STRENGTH, "other"):
            for why in WHYS:
                self.identifiers.labels(identifier, why)
        self.mended = Counter(
            "baton_ingest_values_mended",
            "Values not taken as sent: " + ", ".join(f"{word} ({meaning})" for word, meaning in MENDED.items()),
            ["what"],
            registry=registry,
        )
        for what in MENDED:
            self.mended.labels(what)
        self.resent = Counter(
            "baton_ingest_requests_resent", "Requests that say they are a retry (X-Retry-Count)", registry=registry
        )
        kept = "1 while the file of write keys is missing or invalid, so that a change to it has no effect"
        Gauge("baton_ingest_write_keys_kept", kept, registry=registry).set_function(lambda: keys.kept)
        for name, text, count in (
            ("events", "Records handed over and not yet acknowledged", lambda: room.events),
            ("bytes", "Bytes of bodies being read and of records not yet acknowledged", lambda: room.bytes),
        ):
            Gauge(f"baton_ingest_in_flight_{name}", text, registry=registry).set_function(count)

    def count_read(self, found: Read) -> None:
        """Counts what was left out of items that were taken, and values not taken as sent."""
        if found.dropped:
            self.dropped.inc(found.dropped)
        self.count_mended(found.mended)
        for (identifier, why), count in found.junk.items():
            self.identifiers.labels(identifier, why).inc(count)

    def count_mended(self, mended: Mapping[str, int]) -> None:
        """Counts values not taken as sent, by a word of MENDED."""
        for what, count in mended.items():
            self.mended.labels(what).inc(count)
