"""Turns items into events, and refuses items with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from schemas.engagements import LeadLinked, Link
from schemas.envelope import FIRST_DAY, LAST_DAY, MAX_LATENESS, Envelope, Refused, effective_time
from schemas.identity import Name, derived_id, id_of_content

E = TypeVar("E", bound=Envelope)
_FIRST, _LAST = (datetime.combine(day, time(), UTC) for day in (FIRST_DAY, LAST_DAY))

REASONS: Final = {
    "bad_item": "not what the route takes: no object, or a field of the wrong shape",
    "unknown_type": "a call that is none of track, identify, page",
    "no_identifier": "neither an e-mail address nor a userId nor an anonymousId",
    "junk_identifier": "an identifier that identifies nobody, or no e-mail address where one is meant",
    "bad_time": "a time that is not ISO 8601, or has no zone",
    "time_out_of_range": "more than 24 h ahead or 90 days behind",
    "nul_character": "a text with a NUL character, which Postgres cannot keep",
    "too_large": "longer than one event may be",
    "bad_event": "a field that the contract does not allow",
}
"""Every reason for refusing an item, for good: sending it again changes nothing."""


@dataclass(frozen=True, slots=True)
class Item:
    """One call of the Segment family as its sender wrote it; null and blank fields are absent.

    `lead_ids` has the lead's id under each identifier given, strongest first. `time` is the sender's own. `dropped`
    counts the properties that were left out.
    """

    event: type[Envelope]
    data: dict[str, Any]
    lead_ids: Mapping[Name, str]
    id: str | None = None
    time: datetime | None = None
    sent_at: datetime | None = None
    dropped: int = field(default=0, compare=False)
    happened: datetime | None = None
    """The time by our clock, where the sender's time is outside the contract's range."""


def events_of(item: Item, source: str, received_at: datetime) -> tuple[Envelope, ...]:
    """The item's event, then a link for each weaker identifier. Raises Refused."""
    if not item.lead_ids:
        raise Refused("no_identifier", "none of email, userId, anonymousId is given")
    (by, lead), *weaker = item.lead_ids.items()
    item = _by_receipt(item, received_at)
    try:
        event = item.event(
            id="derived" if item.id is None else item.id,
            source=source,
            type=item.event.model_fields["type"].default,
            subject=lead,
            time=item.time or item.happened or received_at,
            sentat=item.sent_at if item.time else None,
            data=item.data,
        )
    except ValidationError as error:
        raise Refused("bad_event", _first(error)) from error
    event = timed(event, item.time, received_at, sent_anew=True)
    if item.id is None:
        event = event.model_copy(update={"id": id_of_content(event)})
    links = (Link(alias=alias, lead=lead, alias_by=alias_by, lead_by=by) for alias_by, alias in weaker)
    return (event, *(_linked(link, source, event.time) for link in links))


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


def _linked(link: Link, source: str, time: datetime) -> LeadLinked:
    """The link's id depends on the two ids only, and it has no time of its own: a repeat is an exact duplicate."""
    return LeadLinked(
        id=derived_id("link", link.alias, link.lead),
        source=source,
        subject=link.alias,
        time=time,
        finaltime=True,
        data=link,
    )


def _first(error: ValidationError) -> str:
    """Path and rule of the first error, never the value, which may be personal."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
