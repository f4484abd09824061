"""What each rule pays at one instant, and for which facts; `course` has it over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.scores import Group
from scorer.rules.basis import Basis, Kept, Paid
from scorer.rules.criteria import Criteria, Priced
from scorer.rules.order import Instant, OrderKey, instant_of, later

Evidence = tuple[OrderKey, ...]


@dataclass(frozen=True, slots=True)
class Pay:
    """What a rule pays: `milli` before caps and decay, which reduce it (each 0 or of the opposite sign)."""

    rule: Priced
    milli: int
    evidence: Evidence
    over_day: int = 0
    over_cap: int = 0
    faded: int = 0

    @property
    def net(self) -> int:
        return self.milli + self.over_day + self.over_cap + self.faded


def pays_at(basis: Basis, criteria: Criteria, instant: Instant) -> list[Pay]:
    """What is paid at `instant`, in the policy's order; of exclusive rules only the first that pays."""
    pays: list[Pay] = []
    taken: set[str] = set()
    for rule in criteria.rules:
        if rule.exclusive in taken:
            continue
        pay = _pay(rule, basis, instant)
        if pay is not None and pay.net:
            pays.append(pay)
            if rule.exclusive is not None:
                taken.add(rule.exclusive)
    return pays


def total_of(sums: Mapping[Group, int], criteria: Criteria) -> int:
    """The score, from the sums of the groups."""
    if groups := criteria.groups:
        return criteria.total.within(
            sum([groups[group].within(milli) if group in groups else milli for group, milli in sums.items()])
        )
    return criteria.total.within(sum(sums.values()))


def counted(rule: Priced, basis: Basis, instant: Instant) -> int:
    """How many engagements the rule counts at the instant; those not kept are not counted."""
    paid = basis.paid.get(rule.id)
    return len(_within(rule, basis, instant)) if rule.cap is None else paid.found if paid else 0


def _within(rule: Priced, basis: Basis, instant: Instant) -> Sequence[OrderKey]:
    """The engagements that a rule which pays once counts at the instant, in order."""
    orders = basis.kept.get(rule.key, Kept()).places
    if rule.window is None or not orders:
        return orders
    gone = later(instant, -rule.window)
    return [order for order in orders if instant_of(order) > gone]


def _pay(rule: Priced, basis: Basis, instant: Instant) -> Pay | None:
    if (rule.start and instant < rule.start) or (rule.end and instant >= rule.end):
        return None
    if rule.test is not None:
        statement = basis.values.get(rule.test.attribute)
        holds = statement is not None and rule.test.holds(statement.value)
        return Pay(rule, rule.milli, (statement.order,)) if statement and holds else None
    if rule.cap is not None:
        paid = basis.paid.get(rule.id)
        return _per_event(rule, paid, instant) if paid else None
    return _once(rule, basis, instant)


def _once(rule: Priced, basis: Basis, instant: Instant) -> Pay | None:
    orders = _within(rule, basis, instant)
    if len(orders) < rule.needed:
        return None
    if rule.window is None and rule.fading is None:
        return Pay(rule, rule.milli, tuple(orders[: rule.needed]))
    faded = rule.fading.left_of(orders[-1], rule.milli, instant) - rule.milli if rule.fading else 0
    return Pay(rule, rule.milli, tuple(orders[-rule.needed :]), faded=faded)


def _per_event(rule: Priced, paid: Paid, instant: Instant) -> Pay:
    sign = 1 if rule.milli >= 0 else -1
    gross, used = paid.found * rule.milli, sign * paid.used
    over_day = -sign * paid.over_day
    left = [
        (order, rule.fading.left_of(order, share, instant) if rule.fading else share) for order, share in paid.shares
    ]
    return Pay(
        rule,
        gross,
        tuple(order for order, share in left if share),
        over_day,
        used - gross - over_day,
        sum(share for _, share in left) - used,
    )
