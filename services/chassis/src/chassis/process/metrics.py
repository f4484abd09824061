"""Metrics of the workers. Outcomes are read from the partitions' durable totals, so a kill loses no increment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chassis.service import schema_of
from schemas.erasure import ERASED, FLOOD

if TYPE_CHECKING:  # ingest uses this module and has neither workers nor a database
    from chassis.kafka.publisher import Publisher
    from chassis.partition.supervisor import Supervisor
    from chassis.partition.worker import Worker

LAGS = (0.005, 0.025, 0.1, 0.25, 1, 2.5, 10)
"""Seconds; past 10, Kafka's session timeout, a consumer has lost its partitions."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A counter that shows the totals `<total>` or `<total>:<value>`; the values given start at 0."""

    total: str
    metric: str
    help: str
    label: str | None = None
    values: Sequence[str] = ()


RETRIES = (
    "broker",
    "database",
    "statement_timeout",
    "fact_known",
    "offsets_missing",
    "shared_rows",
    "not_member",
    "older_policy",
    "other",
)
REASONS = (
    "not_json",
    "too_large",
    "invalid_event",
    "wrong_key",
    "wrong_partition",
    "time_out_of_range",
    "id_conflict",
    "rules_failed",
    "refused_by_database",
)


DROPS = (FLOOD, ERASED)


def prefix_of(service: str) -> str:
    """The prefix of a service's metrics."""
    return f"baton_{schema_of(service)}"


def loop_lag(service: str, registry: CollectorRegistry) -> Histogram:
    """How late a process's event loop runs, in seconds."""
    text = "How late the event loop runs what is due, looked at twice a second"
    return Histogram(f"{prefix_of(service)}_loop_lag_seconds", text, buckets=LAGS, registry=registry)


def outcomes_of(service: str) -> tuple[Outcome, ...]:
    """What every worker counts. Each record is one of the facts, duplicates, replaced, dropped, forwarded, barriers or
    dead letters (I2).
    """
    prefix = prefix_of(service)
    return (
        Outcome("records", f"{prefix}_records", "Records read, each with exactly one outcome"),
        Outcome("facts", f"{prefix}_facts", "Records accepted as facts"),
        Outcome("duplicates", f"{prefix}_duplicates", "Records known already, without effect"),
        Outcome("replaced", f"{prefix}_replaced", "Scores that replace an older one, or are older than the one kept"),
        Outcome("forwarded", f"{prefix}_forwarded", "Records kept as proof, and published again for another lead"),
        Outcome(
            "moved",
            f"{prefix}_moved",
            "Facts published again for another lead, but not for having come: links, and what was kept before",
        ),
        Outcome("not_copied", f"{prefix}_not_copied", "Facts that cannot be published again: too large, or no JSON"),
        Outcome("barriers", f"{prefix}_barriers", "Records that only say how far an input has been read"),
        Outcome("dropped", f"{prefix}_dropped", "Records not kept, only counted", "reason", DROPS),
        Outcome("dead_letters", f"{prefix}_dead_letters", "Records set aside for good", "reason", REASONS),
        Outcome("published", f"{prefix}_published", "Records written to the outbox, each published at least once"),
        Outcome("repeats", f"{prefix}_repeats", "Records published by a new owner, perhaps a second time"),
        Outcome(
            "set_aside", f"{prefix}_set_aside", "Outputs that an operator has set aside: nobody downstream has them"
        ),
        Outcome("gaps", f"{prefix}_offset_gaps", "Gaps in a topic's offsets that the log itself has"),
        Outcome("tick_failures", f"{prefix}_tick_failures", "Leads whose tick failed and will be tried again"),
    )


class WorkerCollector(Collector):
    """The state of a process's workers at the scrape."""

    def __init__(self, service: str, supervisor: Supervisor[Any], outcomes: Sequence[Outcome]) -> None:
        self._prefix = prefix_of(service)
        self._supervisor = supervisor
        self._outcomes = (*outcomes_of(service), *outcomes)

    def collect(self) -> Iterator[Metric]:
        owned = [(str(w.part), w.ownership) for w in self._supervisor.workers if w.ownership is not None]
        for outcome in self._outcomes:
            labels = ["partition", *([outcome.label] if outcome.label else [])]
            family = CounterMetricFamily(outcome.metric, outcome.help, labels=labels)
            for part, ownership in owned:
                for value, count in _values(outcome, ownership.committer.progress.totals):
                    family.add_metric([part, *([value] if outcome.label else [])], count)
            yield family
        yield from (*self._now(), *self._lags(), *self._happened())

    def _now(self) -> Iterator[Metric]:
        """Gauges of each partition."""
        workers = self._supervisor.workers
        for name, text, value in (
            ("partition_working", "1: worked on, 0: waiting or stopped", lambda w: w.waiting is None),
            ("partition_stopped", "1: stopped for good, a person is needed", lambda w: w.events["stopped"] > 0),
            ("last_progress_timestamp_seconds", "When work was last done, or there was none", _progressed),
            ("outbox_age_seconds", "Age of the oldest committed output that is not acknowledged", _outbox_age),
        ):
            gauge = GaugeMetricFamily(f"{self._prefix}_{name}", text, labels=["partition"])
            for worker in workers:
                gauge.add_metric([str(worker.part)], float(value(worker)))
            yield gauge

    def _lags(self) -> Iterator[Metric]:
        labels = ["partition", "topic"]
        records = GaugeMetricFamily(f"{self._prefix}_lag_records", "Records not read yet", labels=labels)
        seconds = GaugeMetricFamily(
            f"{self._prefix}_lag_seconds", "Age of the last record read while others are not read yet", labels=labels
        )
        for worker in self._supervisor.workers:
            for topic, offset in worker.offsets().get(worker.part, {}).items():
                lag = self._supervisor.lag(worker.part, topic, offset)
                records.add_metric([str(worker.part), topic], lag)
                behind = worker.ownership.committer.behind(topic).total_seconds() if lag and worker.ownership else 0
                seconds.add_metric([str(worker.part), topic], behind)
        yield from (records, seconds)

    def _happened(self) -> Iterator[Metric]:
        """Counters since the process started."""
        takeovers = CounterMetricFamily(f"{self._prefix}_takeovers", "Claims of a partition", labels=["partition"])
        fenced = CounterMetricFamily(
            f"{self._prefix}_fenced", "Commits refused because a newer owner had claimed", labels=["partition"]
        )
        retries = CounterMetricFamily(
            f"{self._prefix}_retries",
            "Partitions claimed anew after a failure, by its kind",
            labels=["partition", "kind"],
        )
        for worker in self._supervisor.workers:
            part = str(worker.part)
            takeovers.add_metric([part], worker.events["takeovers"])
            fenced.add_metric([part], worker.events["fenced"])
            for kind in RETRIES:
                retries.add_metric([part, kind], worker.events[f"retry:{kind}"])
        yield from (takeovers, fenced, retries)


class ProducerCollector(Collector):
    """The state of a process's producer at the scrape."""

    def __init__(self, service: str, publisher: Publisher) -> None:
        self._metric = f"{prefix_of(service)}_producer_rebuilds"
        self._publisher = publisher

    def collect(self) -> Iterator[Metric]:
        rebuilds = CounterMetricFamily(self._metric, "Producers replaced because they failed")
        rebuilds.add_metric([], self._publisher.rebuilds)
        yield rebuilds


def _progressed(worker: Worker[Any]) -> float:
    return worker.progressed_at.timestamp() if worker.progressed_at else 0


def _outbox_age(worker: Worker[Any]) -> float:
    return worker.ownership.committer.outbox_age().total_seconds() if worker.ownership else 0


def _values(outcome: Outcome, totals: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    if outcome.label is None:
        yield "", totals.get(outcome.total, 0)
        return
    prefix = f"{outcome.total}:"
    found = {key.removeprefix(prefix): count for key, count in totals.items() if key.startswith(prefix)}
    for value in sorted({*outcome.values, *found}):
        yield value, found.get(value, 0)
