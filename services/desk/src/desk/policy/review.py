"""Finds what is odd about a valid policy: rules that never pay or pay twice, gates that nobody can pass.

Each remark follows from the policy alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from desk.policy import paying, wording
from desk.policy.overlap import Overlap
from schemas.policy import Policy

Place = tuple[int | str, ...]
_UNTRUE = "'{}' is true of no lead"


@dataclass(frozen=True, slots=True)
class Remark:
    """An oddity, and the path of its field."""

    place: Place
    text: str


def review(policy: Policy) -> tuple[Remark, ...]:
    """All remarks on the policy; those on rules first, in their order."""
    overlap = Overlap(policy)
    rules = [*_never_pay(overlap), *_pay_twice(overlap), *_give_way(overlap), *_exclude_nothing(policy)]
    rules.sort(key=lambda found: found[0])
    remarks = [Remark(("scoring", "rules", index), text) for index, text in rules]
    return (*remarks, *_profile(policy, overlap), *_bands(policy, overlap), *_gate(policy, overlap))


def _never_pay(overlap: Overlap) -> Iterator[tuple[int, str]]:
    for j, rule in enumerate(overlap.rules):
        instead, end = overlap.instead(j), rule.valid_to
        if end is not None and overlap.over(j):
            yield j, f"{rule.id} can never pay: it ends at {paying.instant(end)}, before the policy begins"
        elif instead:
            earlier = wording.listed((overlap.rules[i].id for i in instead), "or")
            why = f'whenever it is true, so is {earlier} before it, and of "{rule.exclusive}" only the first pays'
            yield j, f"{rule.id} can never pay: {why}"
        elif instead is not None:
            yield j, f"{rule.id} can never pay: {_UNTRUE.format(paying.condition(rule))}"


def _pay_twice(overlap: Overlap) -> Iterator[tuple[int, str]]:
    for i, j in combinations(range(len(overlap.rules)), 2):
        one, other = overlap.rules[i], overlap.rules[j]
        together = one.exclusive is not None and one.exclusive == other.exclusive
        if not together and overlap.meet(i, j):
            yield j, f"{other.id} overlaps {one.id}: {_common(overlap, i, j)} counts for both"


def _give_way(overlap: Overlap) -> Iterator[tuple[int, str]]:
    """A special case before a general one is a good use of `exclusive`; overlapping ranges are rather a mistake."""
    for j, rule in enumerate(overlap.rules):
        test = overlap.priced[j].test
        if test is None or overlap.instead(j) is not None:
            continue
        for i in overlap.rivals(j):
            if overlap.shared(i, j) != overlap.held[overlap.priced[i].test or test]:
                yield j, f"{rule.id} gives way to {overlap.rules[i].id} before it for {_common(overlap, i, j)}"


def _common(overlap: Overlap, i: int, j: int) -> str:
    """What two rules that meet both ask for, in words."""
    one, other = overlap.rules[i], overlap.rules[j]
    if one.attribute is None or other.attribute is None:
        asked = [rule.engagement for rule in (one, other) if rule.engagement]
        return wording.engagement(next((match for match in asked if match.content), asked[0]))
    if one.attribute.between and other.attribute.between:
        lows, highs = zip(one.attribute.between, other.attribute.between, strict=True)
        return wording.company(max(lows), min(highs))
    codes = tuple(str(code) for code in overlap.shared(i, j) or ())
    return wording.attribute(one.attribute.model_copy(update={"is_": codes}))


def _exclude_nothing(policy: Policy) -> Iterator[tuple[int, str]]:
    words = [rule.exclusive for rule in policy.scoring.rules]
    for index, rule in enumerate(policy.scoring.rules):
        if rule.exclusive and words.count(rule.exclusive) == 1:
            yield index, f'{rule.id} excludes nothing: no other rule has the word "{rule.exclusive}"'


def _profile(policy: Policy, overlap: Overlap) -> Iterator[Remark]:
    for index, test in enumerate(overlap.profile):
        earlier = [t for t in overlap.profile[: index + 1] if t.attribute == test.attribute]
        if not frozenset.intersection(*(overlap.held[t] for t in earlier)):
            text = "no lead can fit the target company profile: "
            text += _UNTRUE.format(wording.profile(policy.scoring.profile))
            yield Remark(("scoring", "profile", index), text)
            return


def _bands(policy: Policy, overlap: Overlap) -> Iterator[Remark]:
    bands = policy.scoring.bands
    if not bands[0].least.holds(0):
        text = f"'least' of {bands[0].name} has no effect: the lowest band takes every score below the next band"
        yield Remark(("scoring", "bands", 0, "least"), text)
    for index, band in enumerate(bands):
        if index and not band.least.holds(overlap.highest):
            begins = f"it begins {wording.beginning(bands, index)}"
            text = f"no lead can be in {band.name}: {begins}, and the rules give {_at_most(overlap)}"
            yield Remark(("scoring", "bands", index), text)


def _gate(policy: Policy, overlap: Overlap) -> Iterator[Remark]:
    gate, scoring = policy.gate, policy.scoring
    names = [band.name for band in scoring.bands]
    index = names.index(gate.band)
    if index and not scoring.bands[index].least.holds(overlap.highest):
        left = ", only by asking for sales" if gate.fast_track else ""
        text = f"no lead can pass the gate by its score{left}: {gate.band} begins "
        text += f"{wording.beginning(scoring.bands, index)}, and the rules give {_at_most(overlap)}"
        yield Remark(("gate", "band"), text)
    if gate.engaged and not any(rule.test is None and rule.milli > 0 for rule in overlap.live):
        yield Remark(("gate", "engaged"), "no lead can earn points by an engagement: no rule gives any for one")
    if scoring.high_intent:
        return
    if gate.fast_track:
        yield Remark(("gate", "fast_track"), "nobody can take the fast track: scoring.high_intent names no engagement")
    for index, clock in enumerate(policy.clocks):
        if clock.intent == "high":
            yield Remark(("clocks", index), f"{clock.id} can never run: scoring.high_intent names no engagement")


def _at_most(overlap: Overlap) -> str:
    return f"{wording.points(overlap.highest)} at most"
