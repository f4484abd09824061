"""Compares two policies on the same facts: before, the one in force; after, the candidate.

A report does not depend on the order of leads or facts.
"""

from __future__ import annotations

import sys
from bisect import insort
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from schemas.envelope import Fact
from schemas.policy import Policy
from schemas.scores import PolicyRef
from scorer.rules.criteria import Criteria
from scorer.rules.decision import State, agrees
from scorer.rules.names import Names, names_by
from scorer.rules.order import text_of
from scorer.rules.tally import Tally, fold, stands_on
from scorer.rules.verdict import Verdict, score


@dataclass(frozen=True, slots=True)
class Named:
    """Number of leads, and the first of them by id; `emails` of those that have one."""

    count: int
    leads: tuple[str, ...]
    emails: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Paid:
    """How many leads a rule pays, and the sum of its points."""

    leads: int
    points: float


@dataclass(frozen=True, slots=True)
class BandLine:
    """Leads in a band; None under a policy that has no such band."""

    band: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class RuleLine:
    """What a rule pays; None under a policy that has no such rule."""

    rule: str
    before: Paid | None
    after: Paid | None


@dataclass(frozen=True, slots=True)
class Side:
    """A policy, the band that its gate asks for, and how many leads are in that band or above."""

    policy: PolicyRef
    gate_band: str
    reached: int


@dataclass(frozen=True, slots=True)
class Report:
    """What the candidate would change. `since` and `until` are the times asked for: [since, until).

    `leads` are those in a band; `unheard` have only facts without effect on a score, such as links and machines'
    engagements, and are in no band. `differing`: leads whose stored state does not follow from their facts; None where
    that was not checked.
    """

    before: Side
    after: Side
    since: datetime | None
    until: datetime | None
    leads: int
    unheard: int
    facts: int
    bands: tuple[BandLine, ...]
    newly: Named
    no_longer: Named
    rules: tuple[RuleLine, ...]
    differing: Named | None
    dropped: int = 0
    """Events dropped as flood at any time; on neither side."""


@dataclass(slots=True)
class _Names:
    """Counts leads and keeps the first `most` ids."""

    most: int
    count: int = 0
    leads: list[tuple[str, str | None]] = field(default_factory=list)
    """Ids, which are all different, with e-mail addresses."""

    def add(self, lead_id: str, tally: Tally | None = None) -> None:
        email = str(tally.basis.email.value) if tally and tally.basis.email else None
        self.count += 1
        insort(self.leads, (lead_id, email))
        del self.leads[self.most :]

    def named(self) -> Named:
        emails = {lead_id: email for lead_id, email in self.leads if email is not None}
        return Named(self.count, tuple(lead_id for lead_id, _ in self.leads), emails)


class _Counts:
    """One policy and its counts so far; points in thousandths."""

    def __init__(self, policy: Policy) -> None:
        self.criteria = Criteria.of(policy)
        self.gate_band = policy.gate.band
        self.bands = dict.fromkeys((band.name for band in policy.scoring.bands), 0)
        self._reaching = tuple(self.bands)[tuple(self.bands).index(self.gate_band) :]
        self._leads: Counter[str] = Counter()
        self._milli: Counter[str] = Counter()

    def take(self, verdict: Verdict) -> bool:
        """Counts the lead; returns whether it is in the gate's band or above."""
        self.bands[verdict.band] += 1
        for line in verdict.lines:
            if line.cut != "clamp":
                self._leads[line.rule] += line.cut is None
                self._milli[line.rule] += line.milli
        return verdict.band in self._reaching

    def rules(self) -> dict[str, Paid]:
        ids = (rule.id for rule in self.criteria.rules)
        return {rule: Paid(self._leads[rule], self._milli[rule] / 1000) for rule in ids}

    def side(self) -> Side:
        return Side(self.criteria.policy, self.gate_band, sum(self.bands[band] for band in self._reaching))


class Backtest:
    """Reads facts, lead after lead, and counts; of the leads that it names `most` ids of each kind.

    Scores are of `instant`.
    """

    def __init__(self, live: Policy, candidate: Policy, instant: datetime, most: int = sys.maxsize) -> None:
        self._now, self._instant = instant, text_of(instant)
        self._before, self._after = _Counts(live), _Counts(candidate)
        self._alike = self._before.criteria.digest == self._after.criteria.digest
        self._newly, self._no_longer, self._differing = _Names(most), _Names(most), _Names(most)
        self._expected: dict[str, State] | None = None
        self._named: dict[str, Names] = {}
        self._lead_id = ""
        self._known: list[Fact] = []
        self._leads = self._unheard = self._facts = 0

    def expect(self, stored: Iterable[tuple[str, State]]) -> None:
        """The states to compare with the policy in force, each given before the first of its lead's facts."""
        self._expected = self._expected or {}
        self._expected.update(stored)

    def name(self, stored: Iterable[tuple[str, Names]]) -> None:
        """The stored names of leads, each given before the first of its lead's facts: what is known today of who is
        whose alias, though the time asked for may leave out the link. Without, the facts themselves say it.
        """
        self._named.update(stored)

    def read(self, facts: Iterable[Fact]) -> None:
        """Takes more facts. Those of one lead come together, in any order."""
        for lead_id, some in groupby(facts, key=attrgetter("lead_id")):
            if lead_id != self._lead_id:
                self._close()
                self._lead_id = lead_id
            self._known += some

    def report(self, since: datetime | None = None, until: datetime | None = None, dropped: int = 0) -> Report:
        """The result of all that was read; the last call."""
        self._close()
        for lead_id in self._expected or ():
            self._differing.add(lead_id)  # it has a state and no fact
        bands, others = self._before.bands, self._after.bands
        rules, after = self._before.rules(), self._after.rules()
        return Report(
            before=self._before.side(),
            after=self._after.side(),
            since=since,
            until=until,
            leads=self._leads,
            unheard=self._unheard,
            facts=self._facts,
            bands=tuple(BandLine(name, bands.get(name), others.get(name)) for name in {**bands, **others}),
            newly=self._newly.named(),
            no_longer=self._no_longer.named(),
            rules=tuple(RuleLine(rule, rules.get(rule), after.get(rule)) for rule in {**rules, **after}),
            differing=None if self._expected is None else self._differing.named(),
            dropped=dropped,
        )

    def _close(self) -> None:
        """The lead's facts are complete."""
        if not self._lead_id:
            return
        known, self._known = self._known, []
        names = self._named.pop(self._lead_id, None) or names_by(self._lead_id, known)
        if names.links is not None:  # another name of a lead that has the same facts
            stored = self._expected.pop(self._lead_id, None) if self._expected else None
            if stored is not None and stored.names.links is None:
                self._differing.add(self._lead_id)
            self._lead_id = ""
            return
        self._facts += len(known)
        known = [fact for fact in known if not names.hides(fact)]
        tally = fold(known, self._before.criteria)
        after = tally if self._alike else fold(known, self._after.criteria)
        verdict = self._score(tally, self._before)
        if tally.basis.first is None:
            self._unheard += 1
        else:
            self._leads += 1
            reached = self._before.take(verdict)
            reaches = self._after.take(self._score(after, self._after))
            if reached != reaches:
                (self._newly if reaches else self._no_longer).add(self._lead_id, tally)
        if self._expected is not None and not self._agrees(tally, verdict):
            self._differing.add(self._lead_id, tally)
        self._lead_id = ""

    def _score(self, tally: Tally, side: _Counts) -> Verdict:
        return score(tally.basis, side.criteria, self._instant, tally.memo)

    def _agrees(self, tally: Tally, verdict: Verdict) -> bool:
        stored = self._expected.pop(self._lead_id, None) if self._expected else None
        if stored is None:
            return False
        criteria = self._before.criteria
        if not stands_on(stored.tally.basis, criteria):  # the version in force has not judged the lead yet
            return True
        return agrees(stored, tally, verdict, criteria, self._now)
