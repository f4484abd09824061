"""What a lead's facts are worth (business.md B.2). Pure: start reading at `decide`."""

from scorer.rules.criteria import Criteria
from scorer.rules.decision import Outcome, State, age, decide, judge
from scorer.rules.tally import Late, Tally, add, fold
from scorer.rules.verdict import Earned, Verdict, score

__all__ = [
    "Criteria",
    "Earned",
    "Late",
    "Outcome",
    "State",
    "Tally",
    "Verdict",
    "add",
    "age",
    "decide",
    "fold",
    "judge",
    "score",
]
