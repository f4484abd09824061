"""What sales may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.sales import Feedback, Opportunity, Reasoned, Recycling, Revenue


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Reasoned, {}),
        (Recycling, {}),
        (Feedback, {"outcome": "disqualified"}),
    ],
)
def test_a_reason_of_ones_own_needs_a_note(model: type[Reasoned | Feedback], data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="needs a note"):
        model.model_validate({**data, "reason": "other"})
    with pytest.raises(ValidationError, match="needs a note"):
        model.model_validate({**data, "reason": "other", "note": ""})
    assert model.model_validate({**data, "reason": "other", "note": "moved abroad"}).reason == "other"
    assert model.model_validate({**data, "reason": "no_budget"}).note is None


def test_an_outcome_needs_a_reason_and_feedback_does_not() -> None:
    with pytest.raises(ValidationError, match="Field required"):
        Reasoned.model_validate({})
    assert Feedback.model_validate({"outcome": "sql"}).reason is None


@pytest.mark.parametrize(
    "data", [{}, {"value": 1}, {"close_date": "2026-06-30"}, {"value": 0, "close_date": "2026-06-30"}]
)
def test_an_opportunity_without_a_value_and_a_date_is_none(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Opportunity.model_validate(data)


def test_a_deal_may_be_won_without_saying_for_how_much_but_not_for_less_than_nothing() -> None:
    assert Revenue.model_validate({}).revenue is None
    with pytest.raises(ValidationError):
        Revenue.model_validate({"revenue": -1})
