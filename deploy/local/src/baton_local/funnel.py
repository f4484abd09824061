"""How far people came and how promises were kept since the start, counted from the published events."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict

REMEMBERED = 10_000
"""Ids of known events, since an event may be published more than once; as many leads that have a score."""
_SCORED, _LINKED = "baton.lead.scored.v1", "baton.lead.linked.v1"
_KINDS = {
    "baton.lead.handed_off.v1": "handed over",
    "baton.clock.met.v1": "kept",
    "baton.sla.breached.v1": "breached",
    "baton.sla.breach_retracted.v1": "taken back",
}
_STAGES = {"sql": "validated", "disqualified": "turned down", "recycled": "given back", "won": "won", "lost": "lost"}


class Funnel:
    """Counts each event once. A lead counts as scored by its first score, and as handed off once per episode.

    An alias is nobody: one that had a score is taken off when its link is published.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._scored: OrderedDict[str, None] = OrderedDict()

    def take(self, value: bytes) -> None:
        """Takes a record's value; ignores what cannot be read, since anybody may write to a topic."""
        try:
            event = json.loads(value)
            step, identity = _step(event["type"], event["data"]), f"{event['source']}\t{event['id']}"
            lead = str(event["subject"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return
        if step == "linked":
            self._counts["scored"] -= lead in self._scored
            self._scored.pop(lead, None)
        elif step is not None and identity not in self._seen:
            self._counts[step] += 1
            _remember(self._seen, identity)
            if step == "scored":
                _remember(self._scored, lead)

    def people(self) -> str:
        """One line; its last steps only where somebody has reached them."""
        last = [step for step in _STAGES.values() if self._counts[step]]
        return ", ".join(f"{self._counts[step]:,} {step}" for step in ("scored", "handed over", *last))

    def promises(self) -> str:
        """One line; a breach that was taken back is among the breached ones."""
        return ", ".join(f"{self._counts[step]:,} {step}" for step in ("kept", "breached", "taken back"))

    @property
    def breached(self) -> bool:
        """Whether a breach stands."""
        return self._counts["breached"] > self._counts["taken back"]


def _step(kind: object, data: dict[str, object]) -> str | None:
    """The step that the event counts as."""
    if kind == _LINKED:
        return "linked"
    if kind == _SCORED:
        return "scored" if data["version"] == 1 else None
    if kind == "baton.lead.stage_changed.v1":
        return _STAGES.get(str(data["after"]))
    return _KINDS.get(str(kind))


def _remember(memory: OrderedDict[str, None], key: str) -> None:
    memory[key] = None
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
