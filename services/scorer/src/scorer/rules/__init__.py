"""What a lead's facts are worth (business.md B.2). Pure: start reading at `decide`."""

from scorer.rules.criteria import Criteria
from scorer.rules.decision import State, age, decide, due, judge
from scorer.rules.tally import Late, Tally, add, fold
from scorer.rules.verdict import Earned, Verdict, score

__all__ = [
    "Criteria",
    "Earned",
    "Late",
    "State",
    "Tally",
    "Verdict",
    "add",
    "age",
    "decide",
    "due",
    "fold",
    "judge",
    "score",
]
