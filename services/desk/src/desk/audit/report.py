"""The result of an audit: a verdict on each invariant, and figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

EXAMPLES = 5
Verdict = Literal["held", "broken", "not checkable"]

MEANING = {
    "I1": "every event answered with success is in its topic",
    "I2": "every record below the stored offset has one outcome in the totals",
    "I3": "the facts are the first record of each (lead, source, id) that is no dead letter, but for as many as its"
    " lead says were dropped or erased",
    "I4": "a writer whose epoch is over writes nothing",
    "I5": "every output that the state announces is on its topic or in the outbox, and no other",
    "I6": "each version of a score has one content, and none is above the database's",
    "I7": "one handoff per (lead, episode), with one content",
    "I8": "each version of a breach has one content, and the last word on each is the database's",
    "I9": "no breach is published before its due",
    "I10": "accepted = facts + duplicates + replaced + dropped + forwarded + dead letters + in flight",
    "I11": "the oldest record not read yet is younger than half of its topic's retention",
    "I12": "no decision reads a service's clock or a replica",
}
NOT_CHECKABLE = {
    "I1": "needs the sender's list of what was acknowledged",
    "I4": "shows only while a frozen owner comes back: the chaos suite's test",
    "I12": "shows in the code, and under a false clock: lint and the chaos suite's test",
}
LIMITS = {
    "I3": "what follows from a lead's facts is that service's business: `baton explain` recomputes one score",
    "I8": "whether the facts deny a breach is sla-monitor's business: the chaos suite's model recomputes it",
}


@dataclass(frozen=True, slots=True)
class Invariant:
    """An invariant and its verdict. `examples` are places in topics or lead ids, `violations` counts all of them."""

    name: str
    verdict: Verdict
    text: str
    violations: int = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Every invariant in order, and counts: what was compared, repeats, dead letters by reason, records in flight."""

    invariants: tuple[Invariant, ...]
    figures: dict[str, Any]

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of the invariants that do not hold."""
        return tuple(each.name for each in self.invariants if each.verdict == "broken")

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {"broken": self.broken, **asdict(self)}


@dataclass(slots=True)
class Findings:
    """Collects violations, at most five examples of each, and what could not be compared."""

    violations: Counter[str] = field(default_factory=Counter)
    figures: dict[str, Any] = field(default_factory=dict)
    not_checkable: dict[str, str] = field(default_factory=lambda: dict(NOT_CHECKABLE))
    notes: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _examples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def wrong(self, name: str, example: str) -> None:
        """The invariant is broken; `example` says where."""
        self.violations[name] += 1
        if len(self._examples[name]) < EXAMPLES:
            self._examples[name].append(example)

    def count(self, figure: str, key: str, by: int = 1) -> None:
        """Adds to a figure that has parts."""
        parts = self.figures.setdefault(figure, {})
        parts[key] = parts.get(key, 0) + by

    def report(self) -> Report:
        return Report(tuple(self._invariant(name) for name in MEANING), self.figures)

    def _invariant(self, name: str) -> Invariant:
        text = "; ".join([MEANING[name], *([LIMITS[name]] if name in LIMITS else []), *self.notes[name]])
        if self.violations[name]:
            return Invariant(name, "broken", text, self.violations[name], tuple(self._examples[name]))
        if name in self.not_checkable:
            return Invariant(name, "not checkable", f"{MEANING[name]}: {self.not_checkable[name]}")
        return Invariant(name, "held", text)
