"""What a lead's facts come to, gathered one by one and the same in whatever order they arrive.

Every part is the least, the greatest or the nearest few of something by the total order (time, source, id) of
business.md B.1; so it is bounded, and no order of arrival can be told from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from schemas.engagements import Description, Engagement, EngagementRecorded, LeadDescribed, LeadOptedIn
from schemas.envelope import Fact
from schemas.identity import Identifiers
from scorer.rules.criteria import Criteria, Value, Wanted, code_of
from scorer.rules.place import Place, place_of

T = TypeVar("T")

TOUCHPOINTS = 20
"""How many of the latest engagements are told with a score (business.md B.2)."""
PAGE_VIEW = "page_viewed"
"""Told only where a rule asks for it: others would push out what an owner can use, and rewrite the lead each time."""
HISTORY = 8
"""How many of an attribute's latest statements, and of the first ones of a value, are kept.

The value in force is exact for ever. When it began to be is exact too, but where an earlier value came back and was
then repeated more than so many times: it seems to have come back with the oldest repetition kept.
"""
SHORT = 120
"""Characters of a content or campaign that are told with a touchpoint."""
ATTRIBUTES = ("name", "phone", "title", "company", "company_size", "industry", "country")


class PolicyChanged(Exception):  # noqa: N818 - a state of affairs
    """The tally was gathered for a policy that asks other things of the facts: it has to be gathered anew from them.

    That comes with changing policies; as long as there is one version of each it cannot happen.
    """


class Statement(NamedTuple):
    """A value, and the fact that stated it."""

    place: Place
    value: Value


@dataclass(frozen=True, slots=True)
class Basis:
    """What the score and a gate rest on.

    `first` is the earliest fact, `earned` has the earliest engagements by what a rule wants of them, `history` the
    statements of attributes that rules read, `email` the earliest statement, `intent` the latest engagement that
    asked for sales.
    """

    collects: str = ""
    first: Place | None = None
    earned: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)
    history: Mapping[str, tuple[Statement, ...]] = field(default_factory=dict)
    email: Statement | None = None
    opted_in: Place | None = None
    intent: Place | None = None


@dataclass(frozen=True, slots=True)
class Background:
    """What is told with a score but decides nothing.

    `touches` has the latest touchpoints (place, kind, content and campaign, with tabs between), `contact` the latest
    statement by attribute.
    """

    touches: tuple[str, ...] = ()
    origin_first: Statement | None = None
    origin_last: Statement | None = None
    contact: Mapping[str, Statement] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tally:
    """All that is known of a lead; the same object as long as facts change nothing."""

    basis: Basis = field(default_factory=Basis)
    background: Background = field(default_factory=Background)


NOTHING = Tally()


def fold(facts: Iterable[Fact], criteria: Criteria, tally: Tally = NOTHING) -> Tally:
    """The tally of these facts, from nothing or on top of `tally`, which must have none of them yet."""
    for fact in facts:
        tally = add(tally, fact, criteria)
    return tally


def add(tally: Tally, fact: Fact, criteria: Criteria) -> Tally:
    """The tally with one more fact, which it has not got yet; itself where the fact changes nothing.

    A machine's doings, links and events of unknown types change nothing. Raises PolicyChanged.
    """
    event, basis, background = fact.event, tally.basis, tally.background
    if isinstance(event, EngagementRecorded):
        engagement = event.data
        if engagement.machine:
            return tally
        place = place_of(fact)
        basis = _met(basis, place, engagement.identifiers, criteria)
        background = _originated(background, place, engagement)
        if engagement.kind != PAGE_VIEW or criteria.names(engagement.kind, engagement.content):
            basis = _engaged(basis, place, engagement, criteria)
            background = _touched(background, place, engagement)
    elif isinstance(event, LeadDescribed):
        place = place_of(fact)
        basis = _stated(_met(basis, place, event.data.identifiers, criteria), place, event.data, criteria)
        background = _contact(background, place, event.data)
    elif isinstance(event, LeadOptedIn):
        place = place_of(fact)
        basis = _met(basis, place, event.data.identifiers, criteria)
        if basis.opted_in is None or place < basis.opted_in:
            basis = replace(basis, opted_in=place)
    if basis is tally.basis and background is tally.background:
        return tally
    return Tally(basis, background)


def _met(basis: Basis, place: Place, identifiers: Identifiers, criteria: Criteria) -> Basis:
    """What every fact tells: since when the lead is known, and under which address."""
    if basis.collects != criteria.collects:
        if basis.collects:
            raise PolicyChanged(f"gathered for {basis.collects}, wanted for {criteria.collects}")
        basis = replace(basis, collects=criteria.collects)
    if basis.first is None or place < basis.first:
        basis = replace(basis, first=place)
    if identifiers.email is not None and (basis.email is None or place < basis.email.place):
        basis = replace(basis, email=Statement(place, identifiers.email))
    return basis


def _engaged(basis: Basis, place: Place, engagement: Engagement, criteria: Criteria) -> Basis:
    kind = engagement.kind
    for wanted in criteria.wanted.get(kind, ()):
        if wanted.content is None or wanted.content == engagement.content:
            basis = _earned(basis, place, wanted)
    if kind in criteria.high_intent and (basis.intent is None or place > basis.intent):
        basis = replace(basis, intent=place)
    return basis


def _earned(basis: Basis, place: Place, wanted: Wanted) -> Basis:
    """Keeps the earliest `wanted.most`: no rule can tell whether there are more, or later ones."""
    known = basis.earned.get(wanted.key, ())
    if len(known) == wanted.most and place > known[-1]:
        return basis
    earliest = tuple(sorted((*known, place))[: wanted.most])
    return replace(basis, earned=_with(basis.earned, wanted.key, earliest))


def _stated(basis: Basis, place: Place, description: Description, criteria: Criteria) -> Basis:
    for attribute in ATTRIBUTES:
        if attribute in criteria.attributes and (value := getattr(description, attribute)) is not None:
            known = basis.history.get(attribute, ())
            kept = _kept((*known, Statement(place, code_of(value))))
            if kept != known:
                basis = replace(basis, history=_with(basis.history, attribute, kept))
    return basis


def _kept(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """The first HISTORY of those that state a value for the first time, and the latest HISTORY of all, in order."""
    ordered = sorted(statements)
    firsts: dict[Value, Statement] = {}
    for statement in ordered:
        firsts.setdefault(statement.value, statement)
    keep = {*list(firsts.values())[:HISTORY], *ordered[-HISTORY:]}
    return tuple(statement for statement in ordered if statement in keep)


def _originated(background: Background, place: Place, engagement: Engagement) -> Background:
    origin = engagement.campaign or engagement.channel
    first = background.origin_first
    if origin is None or (first is not None and first.place < place):
        return background
    return replace(background, origin_first=Statement(place, origin))


def _touched(background: Background, place: Place, engagement: Engagement) -> Background:
    """A touchpoint, told with the score; the latest that names one gives the latest origin."""
    origin, last = engagement.campaign or engagement.channel, background.origin_last
    if origin is not None and (last is None or last.place < place):
        background = replace(background, origin_last=Statement(place, origin))
    touches = background.touches
    if len(touches) == TOUCHPOINTS and place < touches[0]:
        return background
    touch = f"{place}\t{engagement.kind}\t{_short(engagement.content)}\t{_short(engagement.campaign)}"
    latest = (*touches, touch) if not touches or touch > touches[-1] else tuple(sorted((*touches, touch)))
    return Background(latest[-TOUCHPOINTS:], background.origin_first, background.origin_last, background.contact)


def _contact(background: Background, place: Place, description: Description) -> Background:
    for attribute in ATTRIBUTES:
        known = background.contact.get(attribute)
        if (value := getattr(description, attribute)) is not None and (known is None or place > known.place):
            background = replace(background, contact=_with(background.contact, attribute, Statement(place, value)))
    return background


def _with(mapping: Mapping[str, T], key: str, value: T) -> dict[str, T]:
    """The mapping with one entry more or changed, in the order of keys, so that equal ones also read the same."""
    return dict(sorted({**mapping, key: value}.items()))


def _short(text: str | None) -> str:
    if text is None:
        return ""
    return (text if len(text) <= SHORT else text[: SHORT - 1] + "…").replace("\t", " ")
