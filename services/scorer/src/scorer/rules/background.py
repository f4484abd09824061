"""What is told with a score but decides nothing: the same in whatever order the facts arrive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from schemas.engagements import Description, Engagement
from scorer.rules.basis import Statement
from scorer.rules.place import Place, with_entry

TOUCHPOINTS = 20
"""How many of the latest engagements are told with a score (business.md B.2)."""
PAGE_VIEW = "page_viewed"
"""Told only where a rule asks for it: others would push out what an owner can use, and rewrite the lead each time."""
SHORT = 120
"""Characters of a content or campaign that are told with a touchpoint."""
ATTRIBUTES = ("name", "phone", "title", "company", "company_size", "industry", "country")


@dataclass(frozen=True, slots=True)
class Background:
    """`touches` has the latest touchpoints (place, kind, content and campaign, with tabs between), `contact` the latest
    statement by attribute."""

    touches: tuple[str, ...] = ()
    origin_first: Statement | None = None
    origin_last: Statement | None = None
    contact: Mapping[str, Statement] = field(default_factory=dict)


def engaged(background: Background, place: Place, engagement: Engagement, *, named: bool) -> Background:
    """With one more engagement; `named`: it is a touchpoint, too."""
    origin, first = engagement.campaign or engagement.channel, background.origin_first
    if origin is not None and (first is None or place < first.place):
        background = replace(background, origin_first=Statement(place, origin))
    return _touched(background, place, engagement) if named else background


def described(background: Background, place: Place, description: Description) -> Background:
    """With one more description."""
    for attribute in ATTRIBUTES:
        known = background.contact.get(attribute)
        if (value := getattr(description, attribute)) is not None and (known is None or place > known.place):
            background = replace(background, contact=with_entry(background.contact, attribute, Statement(place, value)))
    return background


def _touched(background: Background, place: Place, engagement: Engagement) -> Background:
    """A touchpoint, told with the score; the latest that names one gives the latest origin."""
    origin, last = engagement.campaign or engagement.channel, background.origin_last
    if origin is not None and (last is None or last.place < place):
        last = Statement(place, origin)
    touches = background.touches
    if len(touches) < TOUCHPOINTS or place > touches[0]:
        touch = f"{place}\t{engagement.kind}\t{_short(engagement.content)}\t{_short(engagement.campaign)}"
        latest = (*touches, touch) if not touches or touch > touches[-1] else tuple(sorted((*touches, touch)))
        touches = latest[-TOUCHPOINTS:]
    elif last is background.origin_last:
        return background
    return Background(touches, background.origin_first, last, background.contact)


def _short(text: str | None) -> str:
    if text is None:
        return ""
    return (text if len(text) <= SHORT else text[: SHORT - 1] + "…").replace("\t", " ")
