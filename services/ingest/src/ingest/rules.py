"""Turns items into events, and refuses items with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import ValidationError

from schemas.engagements import LeadLinked, Link
from schemas.envelope import FIRST_DAY, LAST_DAY, MAX_LATENESS, Envelope, Refused, SentBy, effective_time
from schemas.identity import Name, derived_id, id_of_content
from schemas.links import STRENGTH
from schemas.spelling import WHYS

E = TypeVar("E", bound=Envelope)
_FIRST, _LAST = (datetime.combine(day, time(), UTC) for day in (FIRST_DAY, LAST_DAY))

REASONS: Final = {
    "bad_item": "not what the route takes: no object, or a field of the wrong shape",
    "unknown_type": "a call that is none of those that the dialect has",
    "no_identifier": "no e-mail address, userId or anonymousId that identifies somebody; two of them for a link",
    "same_strength": "a link of two addresses, or two user ids, or two anonymous ids: none is the stronger one",
    "bad_time": "a time that is neither ISO 8601 with a time of day nor seconds or milliseconds since 1970",
    "time_out_of_range": "more than 24 h ahead or 90 days behind",
    "nul_character": "a text with a NUL character, which Postgres cannot keep",
    "too_large": "longer than one event may be",
    "bad_event": "a field that the contract does not allow",
    "not_allowed": "what this key, webhook or inbox may not send",
    "unreadable": "a body or record that its format cannot read",
}
"""Every reason for refusing an item, for good: sending it again changes nothing."""

NO_ZONE, COMPANY_SIZE = "no_zone", "company_size"
MENDED: Final = {
    "half_character": "U+FFFD stands for it",
    "not_finite": "a number that is NaN or infinite, left out",
    NO_ZONE: "a time without a zone, read as UTC; the event says so by `zoneassumed`",
    COMPANY_SIZE: "neither a number nor a range of numbers, left out",
}
"""Every way in which a value is not taken as it was sent, though its item is."""


@dataclass(frozen=True, slots=True)
class Item:
    """One call of the Segment family as its sender wrote it; null and blank fields are absent.

    `event` is None for a call that only links. `leads` has the lead's id under each identifier given, of an event
    strongest first. `junk` has the identifiers that were left out, and why (a word of schemas.spelling.WHYS). `time`
    is the sender's own. `dropped` counts the properties that were left out.
    """

    event: type[Envelope] | None
    data: dict[str, Any]
    leads: Sequence[tuple[Name, str]]
    junk: tuple[tuple[str, str], ...] = ()
    id: str | None = None
    time: datetime | None = None
    sent_at: datetime | None = None
    dropped: int = field(default=0, compare=False)
    happened: datetime | None = None
    """The time by our clock, where the sender's time is outside the contract's range."""
    mended: tuple[str, ...] = ()
    """The values that were not taken as sent, each a word of MENDED."""
    source: str | None = None
    """The sender's own source, within which its ids are unique; None: they are unique for its key."""
    sent_anew: bool = True
    """As in `effective_time`."""
    reserved: str | None = None
    """The field by which it says what a public key may not."""


def events_of(item: Item, source: str, received_at: datetime, sentby: SentBy | None = None) -> tuple[Envelope, ...]:
    """The item's event, then a link for each weaker identifier; `sentby` the class of the key. Raises Refused.

    A call that only links gives no event where it names one lead only, by whatever many identifiers.
    """
    (by, lead), *weaker = _by_strength(item)
    links = [(alias, alias_by, lead, by) for alias_by, alias in weaker]
    item, sender = _by_receipt(item, received_at), _sender(item, source, sentby)
    if item.event is None:
        return _links_only(item, links, sender, received_at) if links else ()
    event = _event(item.event, item, lead, sender, received_at)
    if item.id is None:
        event = event.model_copy(update={"id": id_of_content(event)})
    return (event, *(_linked(link, sender, event.time) for link in links))


class _Sender(NamedTuple):
    source: str
    sentby: SentBy | None


def _sender(item: Item, source: str, sentby: SentBy | None) -> _Sender:
    """Who said it; a public key's own sources are within the key's. Raises Refused `not_allowed`."""
    trusted = sentby in {"server", "operator"}
    if item.reserved and not trusted:
        raise Refused("not_allowed", f"{item.reserved}: a public key may not say this")
    if item.source is None:
        return _Sender(source, sentby)
    if item.source.startswith("baton/"):
        raise Refused("not_allowed", "source: those that start with baton/ are Baton's own")
    return _Sender(item.source if trusted else f"{source}/{item.source}", sentby)


def _event(kind: type[E], item: Item, subject: str, sender: _Sender, received_at: datetime) -> E:
    """The event that the item says, with its final time. Raises Refused."""
    try:
        event = kind(
            id="derived" if item.id is None else item.id,
            source=sender.source,
            sentby=sender.sentby,
            type=kind.model_fields["type"].default,
            subject=subject,
            time=item.time or item.happened or received_at,
            sentat=item.sent_at if item.time else None,
            zoneassumed=True if item.time and NO_ZONE in item.mended else None,
            data=item.data,
        )
    except ValidationError as error:
        raise Refused("bad_event", _first(error)) from error
    return timed(event, item.time, received_at, sent_anew=item.sent_anew)


def _links_only(item: Item, links: Sequence[_Pair], sender: _Sender, received_at: datetime) -> tuple[Envelope, ...]:
    """The links of a call that only links, at the call's own time."""
    alias, alias_by, lead, lead_by = links[0]
    data = {"alias": alias, "lead": lead, "alias_by": alias_by, "lead_by": lead_by}
    first = _event(LeadLinked, replace(item, data=data), alias, sender, received_at)
    return tuple(_linked(link, sender, first.time) for link in links)


def _by_strength(item: Item) -> Sequence[tuple[Name, str]]:
    """The item's leads, strongest first. Raises Refused where none is the strongest, or there are too few."""
    if len(item.leads) < (1 if item.event else 2):
        junk = ", ".join(f"{name} ({WHYS[why]})" for name, why in item.junk)
        wanted = "none of email, userId, anonymousId is given" if item.event else "a link needs two identifiers"
        raise Refused("no_identifier", f"{wanted}; left out: {junk}" if junk else wanted)
    if item.event:
        return item.leads
    leads = sorted(dict.fromkeys(item.leads), key=lambda one: -STRENGTH[one[0]])
    if len(leads) > 1 and leads[0][0] == leads[1][0]:
        raise Refused("same_strength", f"two of {leads[0][0]}: none is the stronger one")
    return leads


def _by_receipt(item: Item, received_at: datetime) -> Item:
    """The item with times within the contract's range: of a wrong clock only the difference of times is used.

    Sent so long after it happened, it happened so long before the receipt; the sender's own time is then absent
    (Buddhist calendar, year 8). Raises Refused `time_out_of_range`.
    """
    time, sent = item.time, item.sent_at
    if all(one is None or _FIRST <= one <= _LAST for one in (time, sent)):
        return item
    if time is None or sent is None or sent < time:
        if time is None or _FIRST <= time <= _LAST:
            return replace(item, sent_at=None)
    elif sent - time <= MAX_LATENESS:
        return replace(item, time=None, sent_at=None, happened=received_at - (sent - time))
    raise Refused("time_out_of_range", "a time that is none of this age")


def timed(event: E, sent_time: datetime | None, received_at: datetime, *, sent_anew: bool = False) -> E:
    """The event with its final time, and the sender's own time `sent_time` beside it.

    `sent_anew` as in `effective_time`. Raises Refused `time_out_of_range`.
    """
    time, _ = effective_time(event, received_at, sent_anew=sent_anew)
    return event.model_copy(update={"time": time, "finaltime": True, "occurredat": sent_time})


_Pair = tuple[str, Name, str, Name]
"""An alias and its lead, each with the identifier that it is made from."""


@lru_cache(maxsize=4096)
def _link(alias: str, alias_by: Name, lead: str, lead_by: Name, day: date) -> tuple[str, Link]:
    """The link and its id: of one a day, so that a name can come back to a lead after it was another one's.

    Kept, since each event of one person has the same.
    """
    return derived_id("link", alias, lead, day), Link(alias=alias, lead=lead, alias_by=alias_by, lead_by=lead_by)


def _linked(link: _Pair, sender: _Sender, time: datetime) -> LeadLinked:
    """The link's event. It has no time of its own, so a repeat on the same day is an exact duplicate."""
    id_, said = _link(*link, time.date())
    source, sentby = sender
    return LeadLinked(id=id_, source=source, sentby=sentby, subject=said.alias, time=time, finaltime=True, data=said)


def _first(error: ValidationError) -> str:
    """Path and rule of the first error, never the value, which may be personal."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
