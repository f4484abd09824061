"""No term of a policy is without words."""

import pytest
from pydantic import BaseModel

from schemas.policy import ClockRule, Gate, Policy, Routing
from schemas.scoring import Band, Clamp, Count, Decay, Rule, Scoring

GATE_TERMS = {"suppressed_domains", "fast_track", "intent_window", "cool_off"}
RULE_TERMS = {"award", "count_by", "per_day_cap", "total_cap", "decay", "valid_from", "valid_to"}


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (Policy, {"apply_to_past", "scoring", "gate", "routing", "clocks"}),
        (Scoring, {"rules", "groups", "max", "bands", "profile", "high_intent"}),
        (Rule, {"id", "group", "points", "attribute", "engagement", "count", "exclusive", *RULE_TERMS, "because"}),
        (Count, {"op", "n", "window"}),
        (Decay, {"linear", "share", "half_life", "expire"}),
        (Clamp, {"min", "max"}),
        (Band, {"name", "least"}),
        (Gate, {"band", "double_opt_in", "fit_profile", "engaged", *GATE_TERMS}),
        (Routing, {"roster"}),
        (ClockRule, {"id", "party", "start", "stop", "intent", "target", "warn"}),
    ],
)
def test_no_field_of_a_policy_was_added_without_words(model: type[BaseModel], told: set[str]) -> None:
    """A new term has to get its words in wording.py, its place on the page and its line among the differences."""
    assert set(model.model_fields) - {"policy", "version", "effective_from", "about"} == told
