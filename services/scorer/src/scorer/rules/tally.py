"""Folds a lead's facts, in the lead's own order, into what its score depends on.

A fact that belongs before one already folded, and matters, raises Late: the tally is then folded anew from all facts.
So the tally is a function of the set of facts, and its size is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from schemas.engagements import Description, Engagement, EngagementRecorded, LeadDescribed, LeadOptedIn
from schemas.envelope import Fact
from schemas.identity import lead_of
from schemas.scores import Group
from schemas.scoring import SESSION
from schemas.spelling import readable_email
from scorer.rules.background import ATTRIBUTES, PAGE_VIEW, Background, described, engaged, marked
from scorer.rules.basis import Basis, Kept, Paid, Statement
from scorer.rules.course import fresh_until
from scorer.rules.criteria import Criteria, Priced, Wanted, code_of
from scorer.rules.memo import EMPTY, Fresh, Memo
from scorer.rules.order import Instant, OrderKey, instant_of, micros_of, order_of, time_of, with_entry
from scorer.rules.pay import pays_at, total_of
from scorer.rules.sizes import stated
from scorer.rules.verdict import holding, pay_alike, settled_at


class Late(Exception):  # noqa: N818 - a state of affairs
    """The tally cannot take the fact, which belongs before others, or the tally is Outdated."""


class Outdated(Late):
    """The tally was folded under another policy."""


_NO_BASIS, _NO_BACKGROUND = Basis(), Background()


@dataclass(frozen=True, slots=True)
class Tally:
    """All that is known of a lead; the same object as long as facts change nothing."""

    basis: Basis = _NO_BASIS
    background: Background = _NO_BACKGROUND
    memo: Memo = field(default=EMPTY, compare=False, repr=False)
    """Of the basis; not stored."""


NOTHING_KNOWN = Tally()


def fold(facts: Iterable[Fact], criteria: Criteria) -> Tally:
    """The tally of these facts, given in any order."""
    tally = NOTHING_KNOWN
    for fact in sorted(facts, key=lambda fact: fact.order):
        tally = add(tally, fact, criteria)
    return tally


def add(tally: Tally, fact: Fact, criteria: Criteria) -> Tally:
    """The tally with one more fact, which it does not have yet; itself where the fact changes nothing.

    A machine's engagements, links and events of unknown types change nothing, a public word opts nobody in. Raises
    Late.
    """
    require(tally.basis, criteria)
    event, basis, background, memo = fact.event, tally.basis, tally.background, tally.memo
    if isinstance(event, EngagementRecorded):
        engagement = event.data
        if engagement.machine:
            return tally
        order = order_of(fact)
        basis = _met(basis, order, fact, criteria)
        named = engagement.kind != PAGE_VIEW or criteria.names(engagement.kind, engagement.content)
        if named:
            basis, memo = _engaged(basis, memo, order, engagement, criteria)
        background = engaged(background, order, engagement, named=named)
    elif isinstance(event, LeadDescribed):
        order = order_of(fact)
        basis = _met(basis, order, fact, criteria)
        public = is_public(fact)
        basis, memo = _stated(basis, memo, order, event.data, criteria, public=public)
        background = described(background, order, event.data, public=public)
    elif isinstance(event, LeadOptedIn):
        order = order_of(fact)
        basis = _met(basis, order, fact, criteria)
        if not is_public(fact) and (basis.opted_in is None or order < basis.opted_in):
            basis = replace(basis, opted_in=order)
    if basis is not tally.basis:
        return Tally(basis, background, _carried(tally.basis, memo, basis, criteria))
    return tally if background is tally.background else replace(tally, background=background)


def is_public(fact: Fact) -> bool:
    """Whether anybody may have sent it: by a key that is on web pages."""
    return fact.event.sentby == "public"


def stands_on(basis: Basis, criteria: Criteria) -> bool:
    """Whether the basis was folded under these criteria, or is empty."""
    return basis.first is None or basis.digest == criteria.digest


def require(basis: Basis, criteria: Criteria) -> None:
    """Raises Outdated where the basis was folded under other criteria."""
    if not stands_on(basis, criteria):
        raise Outdated(f"folded under {basis.digest or 'an earlier version'}, wanted under {criteria.digest}")


def _carried(before: Basis, memo: Memo, after: Basis, criteria: Criteria) -> Memo:
    """What the memo of `before` is worth for `after`: all of it where the rules pay the same."""
    if memo.settled is None or not pay_alike(before, after, criteria):
        return memo._replace(settled=None)
    at = instant_of(after.at)
    if memo.settled.at < at:
        settled, memo = settled_at(before, criteria, at, memo)
        memo = memo._replace(settled=settled._replace(at=at))
    return memo


def _met(basis: Basis, order: OrderKey, fact: Fact, criteria: Criteria) -> Basis:
    """The basis with what every fact can say: the lead's first fact and its address, in its one spelling.

    What earlier versions took for an address and is none, or is two, gives nobody to write to.
    """
    first, email, own, stated = basis.first, basis.email, basis.own_email, fact.event.data.identifiers.email
    if first is None or order < first:
        first = order
    if stated is not None and (email is None or order < email.order or stated != email.value):
        address = readable_email(stated)
        if address is not None:
            email, own = _addressed(email, own, Statement(order, address), fact.lead_id)
    if first is basis.first and email is basis.email and own is basis.own_email and basis.digest == criteria.digest:
        return basis
    return replace(basis, digest=criteria.digest, first=first, email=email, own_email=own)


def _addressed(email: Statement | None, own: str | None, said: Statement, lead_id: str) -> tuple[Statement, str | None]:
    """`Basis.email` and `Basis.own_email` after one more statement of an address."""
    if email is None:
        return said, own
    first, other = (said, email) if said.order < email.order else (email, said)
    if own is None and other.value != first.value and lead_of(str(other.value)) == lead_id:
        own = str(other.value)
    return first, None if own == first.value else own


def _engaged(
    basis: Basis, memo: Memo, order: OrderKey, engagement: Engagement, criteria: Criteria
) -> tuple[Basis, Memo]:
    kind = engagement.kind
    for wanted in criteria.wanted.get(kind, ()):
        if wanted.content is None or wanted.content == engagement.content:
            basis, memo = _counted(basis, memo, order, wanted, criteria)
    if kind in criteria.high_intent and (basis.intent is None or order > basis.intent):
        basis = replace(basis, intent=order)
    return basis, memo


def _counted(basis: Basis, memo: Memo, order: OrderKey, wanted: Wanted, criteria: Criteria) -> tuple[Basis, Memo]:
    earlier = basis.kept.get(wanted.key)
    if earlier and wanted.full(len(earlier.places)) and order > earlier.places[-1]:
        return basis, memo  # the rules have enough earlier ones
    if order < basis.at:
        raise Late("an engagement that counts belongs before another")
    held, memo = _held_before(basis, memo, order, criteria)
    kept, new = _with(earlier or Kept(), order, wanted)
    paid = basis.paid
    for rule in criteria.each.get(wanted.key, ()) if new else ():
        one, memo = _paid(paid.get(rule.id, Paid()), memo, order, rule)
        paid = with_entry(paid, rule.id, one)
    kepts = basis.kept if kept == earlier else with_entry(basis.kept, wanted.key, kept)
    return replace(basis, at=order, held=held, kept=kepts, paid=paid), memo


def _with(kept: Kept, order: OrderKey, wanted: Wanted) -> tuple[Kept, bool]:
    """With one more engagement, and whether it counts: within a session that goes on it does not."""
    instant = instant_of(order)
    if wanted.session and kept.last and time_of(instant) - time_of(kept.last) < SESSION:
        return Kept(kept.places, instant), False
    last = instant if wanted.session else ""
    orders = (*kept.places, order)
    return Kept(orders[-wanted.most :] if wanted.latest else orders[: wanted.most], last), True


def _paid(paid: Paid, memo: Memo, order: OrderKey, rule: Priced) -> tuple[Paid, Memo]:
    """With the engagement's share: the points, cut to what the cap of the day and then the total cap leave."""
    day, sign = order[:10], 1 if rule.milli >= 0 else -1
    today = paid.today if day == paid.day else 0
    worth = abs(rule.milli)
    allowed = worth if rule.day_cap is None else min(worth, rule.day_cap - today)
    share = min(allowed, (rule.cap or 0) - paid.used)
    shares = (*paid.shares, (order, sign * share)) if share else paid.shares
    if rule.fading is not None:
        known = memo.fresh or {}
        fresh = known.get(rule.id)
        if fresh is None or fresh.shares is not paid.shares:
            fresh = Fresh(paid.shares, fresh_until(rule, paid.shares))
            memo = memo._replace(fresh={**known, rule.id: fresh})
        if fresh.until <= micros_of(order):  # drops shares that decayed to nothing; their room stays used
            shares = tuple(one for one in shares if rule.fading.left_of(*one, instant_of(order)))
    over = paid.over_day + worth - allowed
    return Paid(shares, paid.found + 1, paid.used + share, day, today + allowed, over), memo


def _stated(  # noqa: PLR0913 - what a description says, and of whom
    basis: Basis, memo: Memo, order: OrderKey, description: Description, criteria: Criteria, *, public: bool
) -> tuple[Basis, Memo]:
    """The basis with the attributes stated: the latest word counts, but a public one only fills gaps."""
    for attribute in ATTRIBUTES:
        if attribute in criteria.attributes and (value := stated(description, attribute)) is not None:
            code, earlier = code_of(value), basis.values.get(attribute)
            if order < basis.at:
                raise Late("a description belongs before another fact")
            if public and earlier is not None and attribute not in basis.public:
                continue
            held, memo = _held_before(basis, memo, order, criteria)
            values = basis.values
            if earlier is None or earlier.value != code:
                values = with_entry(values, attribute, Statement(order, code))
            basis = replace(basis, at=order, held=held, values=values)
            if public != (attribute in basis.public):
                basis = replace(basis, public=marked(basis.public, attribute, public=public))
    return basis, memo


def _held_before(basis: Basis, memo: Memo, order: OrderKey, criteria: Criteria) -> tuple[Mapping[str, Instant], Memo]:
    """Since when each condition that is true just before the instant of `order` has been true; and the memo after."""
    instant = instant_of(order)
    if instant_of(basis.at) == instant:
        return basis.held, memo
    if criteria.timed or memo.settled is not None or not basis.at:
        settled, memo = settled_at(basis, criteria, instant, memo, just_before=True)
        return settled.held, memo
    return held_untimed(basis, criteria), memo


def held_untimed(basis: Basis, criteria: Criteria) -> Mapping[str, Instant]:
    """The same from the latest fact on where no rule is timed, without the course of the basis."""
    at, sums = instant_of(basis.at), dict[Group, int]()
    pays = pays_at(basis, criteria, at)
    for pay in pays:
        sums[pay.rule.group] = sums.get(pay.rule.group, 0) + pay.net
    engaged = any(pay.rule.test is None and pay.net > 0 for pay in pays)
    names = holding(basis, criteria, [pay.rule for pay in pays], total_of(sums, criteria), engaged=engaged)
    return {name: basis.held.get(name, at) for name in names}
