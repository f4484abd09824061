"""What is published with a score and decides nothing; the same for every order of arrival."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from schemas.engagements import Description, Engagement
from scorer.rules.basis import Statement
from scorer.rules.order import OrderKey, with_entry
from scorer.rules.sizes import SIZE, SIZE_RANGE, range_of, text_of

TOUCHPOINTS = 20
"""Most touchpoints published with a score: the latest."""
PAGE_VIEW = "page_viewed"
"""A touchpoint only where a rule names it: others would replace those an owner can use, and rewrite the lead each
time."""
SHORT = 120
"""Most characters of a touchpoint's content or campaign."""
ATTRIBUTES = ("name", "phone", "title", "company", "company_size", "industry", "country")


@dataclass(frozen=True, slots=True)
class Background:
    """`touches` has the latest touchpoints (order key, kind, content, campaign, separated by tabs), `contact` the
    latest statement by attribute: a public one, then in `public`, only where there is no other. Of a size there may be
    two, as a number and as a range.
    """

    touches: tuple[str, ...] = ()
    origin_first: Statement | None = None
    origin_last: Statement | None = None
    contact: Mapping[str, Statement] = field(default_factory=dict)
    public: tuple[str, ...] = ()


def engaged(background: Background, order: OrderKey, engagement: Engagement, *, named: bool) -> Background:
    """With one more engagement; `named`: it is a touchpoint."""
    origin, first = engagement.campaign or engagement.channel, background.origin_first
    if origin is not None and (first is None or order < first.order):
        background = replace(background, origin_first=Statement(order, origin))
    return _touched(background, order, engagement) if named else background


def described(background: Background, order: OrderKey, description: Description, *, public: bool = False) -> Background:
    """With one more description; a `public` word only fills gaps."""
    said = {attribute: getattr(description, attribute) for attribute in ATTRIBUTES}
    said[SIZE_RANGE] = text_of(description.company_size_range)
    for attribute, value in said.items():
        known = background.contact.get(attribute)
        if value is not None and (known is None or (not public, order) > _standing(background, attribute)):
            contact = with_entry(background.contact, attribute, Statement(order, value))
            names = marked(background.public, attribute, public=public)
            background = replace(background, contact=contact, public=names)
    return background


def contact_of(background: Background) -> dict[str, object]:
    """What is known of the lead, for publishing; of the size as a number and as a range what was said last."""
    known: dict[str, object] = {name: statement.value for name, statement in background.contact.items()}
    if SIZE_RANGE in known:
        if SIZE in known and _standing(background, SIZE) >= _standing(background, SIZE_RANGE):
            del known[SIZE_RANGE]
        else:
            known.pop(SIZE, None)
            known[SIZE_RANGE] = range_of(str(known[SIZE_RANGE]))
    return known


def _standing(background: Background, attribute: str) -> tuple[bool, OrderKey]:
    """What a statement of the attribute has to exceed: better class first, then the later one."""
    return attribute not in background.public, background.contact[attribute].order


def marked(names: tuple[str, ...], name: str, *, public: bool) -> tuple[str, ...]:
    """The names, sorted, with this one if it is `public` and without it if not."""
    others = {each for each in names if each != name}
    return tuple(sorted({*others, name} if public else others))


def _touched(background: Background, order: OrderKey, engagement: Engagement) -> Background:
    """With one more touchpoint; the latest that has an origin gives the latest origin."""
    origin, last = engagement.campaign or engagement.channel, background.origin_last
    if origin is not None and (last is None or last.order < order):
        last = Statement(order, origin)
    touches = background.touches
    if len(touches) < TOUCHPOINTS or order > touches[0]:
        touch = f"{order}\t{engagement.kind}\t{_short(engagement.content)}\t{_short(engagement.campaign)}"
        latest = (*touches, touch) if not touches or touch > touches[-1] else tuple(sorted((*touches, touch)))
        touches = latest[-TOUCHPOINTS:]
    elif last is background.origin_last:
        return background
    return Background(touches, background.origin_first, last, background.contact, background.public)


def _short(text: str | None) -> str:
    if text is None:
        return ""
    return (text if len(text) <= SHORT else text[: SHORT - 1] + "…").replace("\t", " ")
