"""Metrics of the workers. Outcomes come from the partitions' durable totals, so a kill loses no increment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chassis.database import schema_of
from chassis.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Outcome:
    """A counter fed by the totals `<total>` or `<total>:<value>`; the values named start at 0."""

    total: str
    metric: str
    help: str
    label: str | None = None
    values: Sequence[str] = ()


REASONS = (
    "not_json",
    "invalid_event",
    "wrong_key",
    "wrong_partition",
    "time_out_of_range",
    "id_conflict",
    "rules_failed",
    "refused_by_database",
)


def outcomes_of(service: str) -> tuple[Outcome, ...]:
    """What every worker counts: records = facts + duplicates + dead letters (invariant I2)."""
    prefix = f"baton_{schema_of(service)}"
    return (
        Outcome("records", f"{prefix}_records", "Records read, each with exactly one outcome"),
        Outcome("facts", f"{prefix}_facts", "Records accepted as facts"),
        Outcome("duplicates", f"{prefix}_duplicates", "Records known already, without effect"),
        Outcome("dead_letters", f"{prefix}_dead_letters", "Records set aside for good", "reason", REASONS),
        Outcome("published", f"{prefix}_published", "Records written to the outbox, each published at least once"),
        Outcome("gaps", f"{prefix}_offset_gaps", "Gaps in a topic's offsets that the log itself has"),
        Outcome("tick_failures", f"{prefix}_tick_failures", "Leads whose tick failed and will be tried again"),
    )


class WorkerCollector(Collector):
    """The state of one process's workers at the moment of the scrape."""

    def __init__(self, service: str, supervisor: Supervisor[Any], outcomes: Sequence[Outcome]) -> None:
        self._prefix = f"baton_{schema_of(service)}"
        self._supervisor = supervisor
        self._outcomes = (*outcomes_of(service), *outcomes)

    def collect(self) -> Iterator[Metric]:
        owned = [(str(w.part), w.ownership) for w in self._supervisor.workers if w.ownership is not None]
        for outcome in self._outcomes:
            labels = ["partition", *([outcome.label] if outcome.label else [])]
            family = CounterMetricFamily(outcome.metric, outcome.help, labels=labels)
            for part, ownership in owned:
                for value, count in _values(outcome, ownership.totals):
                    family.add_metric([part, *([value] if outcome.label else [])], count)
            yield family
        yield from self._gauges()

    def _gauges(self) -> Iterator[Metric]:
        working = GaugeMetricFamily(
            f"{self._prefix}_partition_working", "1: worked on, 0: waiting or stopped", labels=["partition"]
        )
        lag = GaugeMetricFamily(f"{self._prefix}_lag_records", "Records not read yet", labels=["partition", "topic"])
        happened = CounterMetricFamily(
            f"{self._prefix}_worker_events",
            "Takeovers, retries and the like since the process started",
            labels=["partition", "event"],
        )
        for worker in self._supervisor.workers:
            part = str(worker.part)
            working.add_metric([part], float(worker.waiting is None))
            for event in ("takeovers", "fenced", "not_member", "retry", "stopped"):
                happened.add_metric([part, event], worker.events[event])
            for topic, offset in worker.progress().get(worker.part, {}).items():
                lag.add_metric([part, topic], self._supervisor.lag(worker.part, topic, offset))
        yield from (working, lag, happened)


def _values(outcome: Outcome, totals: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    if outcome.label is None:
        yield "", totals.get(outcome.total, 0)
        return
    prefix = f"{outcome.total}:"
    found = {key.removeprefix(prefix): count for key, count in totals.items() if key.startswith(prefix)}
    for value in sorted({*outcome.values, *found}):
        yield value, found.get(value, 0)
