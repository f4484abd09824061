"""What a lead's facts come to, gathered one by one in the lead's order (business.md B.1).

A fact that belongs before one already gathered, and matters, raises Late: the tally is then folded anew from all facts.
So the tally is a function of the set of facts, and bounded, though how the score came about is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from schemas.engagements import Description, Engagement, EngagementRecorded, LeadDescribed, LeadOptedIn
from schemas.envelope import Fact
from schemas.identity import Identifiers
from schemas.scores import Group
from schemas.scoring import SESSION
from scorer.rules.background import ATTRIBUTES, PAGE_VIEW, Background, described, engaged
from scorer.rules.basis import Basis, Kept, Paid, Statement
from scorer.rules.course import paid_stretch
from scorer.rules.criteria import Criteria, Priced, Wanted, code_of
from scorer.rules.pay import pays_at, total_of
from scorer.rules.place import Instant, Place, instant_of, micros_of, place_of, time_of, with_entry
from scorer.rules.verdict import holding, pay_alike, settled_at


class Late(Exception):  # noqa: N818 - a state of affairs
    """The tally cannot take the fact: it belongs before others, or the tally is Outdated."""


class Outdated(Late):
    """The tally was gathered for another policy."""


_NO_BASIS, _NO_BACKGROUND = Basis(), Background()


@dataclass(frozen=True, slots=True)
class Tally:
    """All that is known of a lead; the same object as long as facts change nothing."""

    basis: Basis = _NO_BASIS
    background: Background = _NO_BACKGROUND


NOTHING_KNOWN = Tally()


def fold(facts: Iterable[Fact], criteria: Criteria) -> Tally:
    """The tally of these facts, in whatever order they are given."""
    tally = NOTHING_KNOWN
    for fact in sorted(facts, key=lambda fact: fact.order):
        tally = add(tally, fact, criteria)
    return tally


def add(tally: Tally, fact: Fact, criteria: Criteria) -> Tally:
    """The tally with one more fact, which it has not got yet; itself where the fact changes nothing.

    A machine's doings, links and events of unknown types change nothing. Raises Late.
    """
    require(tally.basis, criteria)
    event, basis, background = fact.event, tally.basis, tally.background
    if isinstance(event, EngagementRecorded):
        engagement = event.data
        if engagement.machine:
            return tally
        place = place_of(fact)
        basis = _met(basis, place, engagement.identifiers, criteria)
        named = engagement.kind != PAGE_VIEW or criteria.names(engagement.kind, engagement.content)
        if named:
            basis = _engaged(basis, place, engagement, criteria)
        background = engaged(background, place, engagement, named=named)
    elif isinstance(event, LeadDescribed):
        place = place_of(fact)
        basis = _stated(_met(basis, place, event.data.identifiers, criteria), place, event.data, criteria)
        background = described(background, place, event.data)
    elif isinstance(event, LeadOptedIn):
        place = place_of(fact)
        basis = _met(basis, place, event.data.identifiers, criteria)
        if basis.opted_in is None or place < basis.opted_in:
            basis = replace(basis, opted_in=place)
    if basis is tally.basis and background is tally.background:
        return tally
    if basis is not tally.basis:
        _go_on(tally.basis, basis, criteria)
    return Tally(basis, background)


def stands_on(basis: Basis, criteria: Criteria) -> bool:
    """Whether the basis was gathered for this policy, or nothing was gathered yet."""
    return basis.first is None or basis.digest == criteria.digest


def require(basis: Basis, criteria: Criteria) -> None:
    """Raises Outdated unless the basis stands on these criteria."""
    if not stands_on(basis, criteria):
        raise Outdated(f"gathered for {basis.digest or 'an earlier version'}, wanted for {criteria.digest}")


def _go_on(before: Basis, after: Basis, criteria: Criteria) -> None:
    """Where the rules pay what they paid before the fact, what was found of the time to come stays true."""
    at, settled = instant_of(after.at), before.settled
    if settled is not None and pay_alike(before, after, criteria):
        if settled.at < at:
            settled = settled_at(before, criteria, at)._replace(at=at)
        after.remember(course=before.course, settled=settled)
    else:
        after.remember(earlier=before.course or before.earlier)


def _met(basis: Basis, place: Place, identifiers: Identifiers, criteria: Criteria) -> Basis:
    """What every fact tells: since when the lead is known, and under which address."""
    first, email = basis.first, basis.email
    if first is None or place < first:
        first = place
    if identifiers.email is not None and (email is None or place < email.place):
        email = Statement(place, identifiers.email)
    if first is basis.first and email is basis.email and basis.digest == criteria.digest:
        return basis
    return replace(basis, digest=criteria.digest, first=first, email=email)


def _engaged(basis: Basis, place: Place, engagement: Engagement, criteria: Criteria) -> Basis:
    kind = engagement.kind
    for wanted in criteria.wanted.get(kind, ()):
        if wanted.content is None or wanted.content == engagement.content:
            basis = _counted(basis, place, wanted, criteria)
    if kind in criteria.high_intent and (basis.intent is None or place > basis.intent):
        basis = replace(basis, intent=place)
    return basis


def _counted(basis: Basis, place: Place, wanted: Wanted, criteria: Criteria) -> Basis:
    known = basis.kept.get(wanted.key)
    if known and wanted.full(len(known.places)) and place > known.places[-1]:
        return basis  # no rule can tell whether there are more than enough, or later ones
    if place < basis.at:
        raise Late("an engagement that counts belongs before another")
    kept, new = _with(known or Kept(), place, wanted)
    paid = basis.paid
    for rule in criteria.each.get(wanted.key, ()) if new else ():
        paid = with_entry(paid, rule.id, _paid(paid.get(rule.id, Paid()), place, rule))
    kepts = basis.kept if kept == known else with_entry(basis.kept, wanted.key, kept)
    return replace(basis, at=place, held=_held_before(basis, place, criteria), kept=kepts, paid=paid)


def _with(kept: Kept, place: Place, wanted: Wanted) -> tuple[Kept, bool]:
    """What is kept with one more, and whether it counts: within a session that goes on it does not."""
    instant = instant_of(place)
    if wanted.session and kept.last and time_of(instant) - time_of(kept.last) < SESSION:
        return Kept(kept.places, instant), False
    last = instant if wanted.session else ""
    places = (*kept.places, place)
    return Kept(places[-wanted.most :] if wanted.latest else places[: wanted.most], last), True


def _paid(paid: Paid, place: Place, rule: Priced) -> Paid:
    """The engagement's share: what the day's cap leaves of the points, and of that what the rule's cap leaves."""
    day, sign = place[:10], 1 if rule.milli >= 0 else -1
    today = paid.today if day == paid.day else 0
    worth = abs(rule.milli)
    allowed = worth if rule.day_cap is None else min(worth, rule.day_cap - today)
    share = min(allowed, (rule.cap or 0) - paid.used)
    shares = (*paid.shares, (place, sign * share)) if share else paid.shares
    stretch = paid_stretch(rule, paid)
    if rule.fading is not None and stretch is not None and stretch.fresh <= micros_of(place):
        shares = tuple(one for one in shares if rule.fading.left_of(*one, instant_of(place)))  # no other counts again
    over = paid.over_day + worth - allowed
    after = Paid(shares, paid.found + 1, paid.used + share, day, today + allowed, over)
    if shares is paid.shares:
        after.remember(stretch)
    return after


def _stated(basis: Basis, place: Place, description: Description, criteria: Criteria) -> Basis:
    for attribute in ATTRIBUTES:
        if attribute in criteria.attributes and (value := getattr(description, attribute)) is not None:
            code, known = code_of(value), basis.values.get(attribute)
            if place < basis.at:
                raise Late("a description belongs before another fact")
            values, held = basis.values, _held_before(basis, place, criteria)
            if known is None or known.value != code:
                values = with_entry(values, attribute, Statement(place, code))
            basis = replace(basis, at=place, held=held, values=values)
    return basis


def _held_before(basis: Basis, place: Place, criteria: Criteria) -> Mapping[str, Instant]:
    """What the basis holds just before the instant of `place`, what time alone changed meanwhile with it."""
    instant = instant_of(place)
    same = instant_of(basis.at) == instant
    if same:
        return basis.held
    if criteria.timed or basis.settled is not None or not basis.at:
        return settled_at(basis, criteria, instant, just_before=True).held
    return held_untimed(basis, criteria)


def held_untimed(basis: Basis, criteria: Criteria) -> Mapping[str, Instant]:
    """What holds from the latest fact on, and since when, where no rule is timed: no rule's stretch is made for it."""
    at, sums = instant_of(basis.at), dict[Group, int]()
    pays = pays_at(basis, criteria, at)
    for pay in pays:
        sums[pay.rule.group] = sums.get(pay.rule.group, 0) + pay.net
    engaged = any(pay.rule.test is None and pay.net > 0 for pay in pays)
    names = holding(basis, criteria, [pay.rule for pay in pays], total_of(sums, criteria), engaged=engaged)
    return {name: basis.held.get(name, at) for name in names}
