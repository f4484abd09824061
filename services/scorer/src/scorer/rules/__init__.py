"""What a lead's facts are worth (business.md B.2). Pure: start reading at `decide`."""

from scorer.rules.criteria import Criteria
from scorer.rules.decision import State, decide
from scorer.rules.tally import PolicyChanged, Tally, add, fold
from scorer.rules.verdict import Earned, Verdict, score

__all__ = ["Criteria", "Earned", "PolicyChanged", "State", "Tally", "Verdict", "add", "decide", "fold", "score"]
