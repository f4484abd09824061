"""Scores a lead's facts. Pure; start reading at `decide`.

`decision` → `tally` (folds facts in the lead's order: `basis` decides the score, `background` is only published with
it) → `verdict` (the score, its lines, since when each condition is true) → `pay` and `decay` (each rule), all under
`criteria`, a policy prepared for look-ups. `course` is the score over time, `memo` keeps it and the like for the next
fact. `names` are the other names of a lead, `linking` says what follows from them. `flood` limits how many facts of a
lead are kept, `erasure` says what is left of an erased lead.
"""

from scorer.rules.criteria import Criteria
from scorer.rules.decision import Result, State, age, decide, recall
from scorer.rules.tally import Late, Outdated, Tally, add, fold
from scorer.rules.verdict import Earned, Verdict, score

__all__ = [
    "Criteria",
    "Earned",
    "Late",
    "Outdated",
    "Result",
    "State",
    "Tally",
    "Verdict",
    "add",
    "age",
    "decide",
    "fold",
    "recall",
    "score",
]
