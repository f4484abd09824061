"""What a lead's facts are worth (business.md B.2). Pure: start reading at `decide`.

`decision` → `tally` (facts gathered in the lead's order; in `basis` what decides, in `background` what is only told) →
`verdict` (the score, its lines, since when) → `pay` (each rule; `decay`), under `criteria`, a policy made ready.
For people: `explanation` with what is `missing` (and the `changes` that are tried), `backtest`, a policy in `words`.
`flood` says how many engagements of a lead are kept, `erasure` what is left of one that asked to be forgotten.
"""

from scorer.rules.criteria import Criteria
from scorer.rules.decision import Outcome, State, age, decide, judge
from scorer.rules.tally import Late, Outdated, Tally, add, fold
from scorer.rules.verdict import Earned, Verdict, score

__all__ = [
    "Criteria",
    "Earned",
    "Late",
    "Outcome",
    "Outdated",
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
