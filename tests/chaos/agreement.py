"""A policy's file as the oracle reads it, from schemas/README.md alone."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.chaos.raw import Json

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
FADING = {"award": "per_event", "total_cap": 30, "decay": {"half_life": "1d"}}
"""The one rule that fades: after 30 days less than a thousandth of its points is left, which is nothing."""

LARGEST = 10_000_000
"""People of the largest company; the end of a range that has none."""


class Agreement:
    """A policy's file, as far as it uses what this model knows. Raises NotImplementedError where it uses more."""

    def __init__(self, path: Path) -> None:
        policy = yaml.safe_load(path.read_text())
        self.rules, self.bands = policy["scoring"]["rules"], policy["scoring"]["bands"]
        self.high_intent = set(policy["scoring"]["high_intent"])
        self.gate, self.clocks = policy["gate"], policy["clocks"]
        known = {"id", "group", "points", "exclusive", "attribute", "engagement", "count", "because"}
        self.faded = {rule["engagement"]["kind"] for rule in self.rules if rule.get("decay") == FADING["decay"]}
        unknown = self.gate.keys() - {"band", "fast_track", "intent_window", "cool_off"}
        fields = {field for rule in self.rules for field in rule if (field, rule[field]) not in FADING.items()}
        unknown |= fields - known
        unknown |= policy["scoring"].keys() - {"rules", "bands", "profile", "high_intent"}
        if unknown:
            raise NotImplementedError(f"the model knows no policy with {sorted(unknown)}")

    def worth(self, counts: Mapping[str, int], attributes: Mapping[str, Any]) -> tuple[float, str]:
        """Points and band of so many engagements by `kind` and `kind/content`, and of these attributes."""
        points, paid = 0.0, set()
        for rule in self.rules:
            group = rule.get("exclusive")
            if group not in paid and self._pays(rule, counts, attributes):
                points += rule["points"]
                paid |= {group} - {None}
        return points, [band["name"] for band in self.bands if _holds(band["least"], points)][-1]

    def reaches(self, band: str) -> bool:
        """Whether the gate is open for this band."""
        names = [one["name"] for one in self.bands]
        return names.index(band) >= names.index(self.gate["band"])

    def duration(self, text: str) -> timedelta:
        """As the policy writes it."""
        return timedelta(**{UNITS[text[-1]]: int(text[:-1])})

    def _pays(self, rule: Json, counts: Mapping[str, int], attributes: Mapping[str, Any]) -> bool:
        if "decay" in rule:
            return False
        if wanted := rule.get("engagement"):
            key = "/".join(filter(None, (wanted["kind"], wanted.get("content"))))
            return _holds(rule.get("count", {"op": ">=", "n": 1}), counts.get(key, 0))
        test = rule["attribute"]
        value = attributes.get(test["name"])
        if value is None:
            return False
        if "between" not in test:
            return re.sub(r"[\s_-]+", "_", value.lower()) in test["is"]
        (low, high), ends = test["between"], value if isinstance(value, list) else [value, value]
        return bool(low <= ends[0] and ends[1] <= high)


def _holds(bound: Json, value: float) -> bool:
    return bool(value > bound["n"] if bound["op"] == ">" else value >= bound["n"])
