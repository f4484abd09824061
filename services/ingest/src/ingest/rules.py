"""What ingest accepts of what it is told, and why it refuses the rest (business.md B.1)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from schemas.engagements import LeadLinked, Link
from schemas.envelope import FIRST_DAY, LAST_DAY, MAX_LATENESS, Envelope, Refused, effective_time
from schemas.identity import derived_id, id_of_content

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
"""Every reason for which an item is refused, for good: sending it again changes nothing."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One call of the Segment family as its sender tells it: read, not judged yet; null and blank are absent.

    `lead_ids` has the lead's id under each identifier given, strongest first; `time` is the sender's own, absent where
    it gave none; `dropped` counts the properties that were left out.
    """

    event: type[Envelope]
    data: dict[str, Any]
    lead_ids: tuple[str, ...]
    id: str | None = None
    time: datetime | None = None
    sent_at: datetime | None = None
    dropped: int = field(default=0, compare=False)
    happened: datetime | None = None
    """The time by our clock, where the sender's own is none that the contract can hold."""


def record(claim: Claim, source: str, received_at: datetime) -> tuple[Envelope, ...]:
    """The event that the claim amounts to, then a link for each weaker identifier it carries. Raises Refused."""
    if not claim.lead_ids:
        raise Refused("no_identifier", "none of email, userId, anonymousId is given")
    lead, *aliases = claim.lead_ids
    claim = _by_receipt(claim, received_at)
    try:
        told = claim.event(
            id="derived" if claim.id is None else claim.id,
            source=source,
            type=claim.event.model_fields["type"].default,
            subject=lead,
            time=claim.time or claim.happened or received_at,
            sentat=claim.sent_at if claim.time else None,
            data=claim.data,
        )
    except ValidationError as error:
        raise Refused("bad_event", _first(error)) from error
    event = judge(told, claim.time, received_at, sent_anew=True)
    if claim.id is None:
        event = event.model_copy(update={"id": id_of_content(event)})
    return (event, *(_link(alias, lead, source, event.time) for alias in aliases))


def _by_receipt(claim: Claim, received_at: datetime) -> Claim:
    """The claim with times that the contract can hold: from a clock in another age only its differences count.

    A Buddhist calendar, a year 8: sent so long after it happened, so it happened so long before the receipt. The
    sender's own time is then absent. Raises Refused `time_out_of_range`.
    """
    time, sent = claim.time, claim.sent_at
    if all(one is None or _FIRST <= one <= _LAST for one in (time, sent)):
        return claim
    if time is None or sent is None or sent < time:
        if time is None or _FIRST <= time <= _LAST:
            return replace(claim, sent_at=None)
    elif sent - time <= MAX_LATENESS:
        return replace(claim, time=None, sent_at=None, happened=received_at - (sent - time))
    raise Refused("time_out_of_range", "a time that is none of this age")


def judge(event: E, told: datetime | None, received_at: datetime, *, sent_anew: bool = False) -> E:
    """The event with its time final, and kept beside it the time that the sender told, if any.

    `sent_anew` as `effective_time` has it. Raises Refused `time_out_of_range`.
    """
    time, _ = effective_time(event, received_at, sent_anew=sent_anew)
    return event.model_copy(update={"time": time, "finaltime": True, "occurredat": told})


def _link(alias: str, lead: str, source: str, time: datetime) -> LeadLinked:
    """Its id comes from the two ids alone and it tells no time of its own, so that a repeat is an exact duplicate."""
    link = Link(alias=alias, lead=lead)
    return LeadLinked(
        id=derived_id("linked", alias, lead), source=source, subject=alias, time=time, finaltime=True, data=link
    )


def _first(error: ValidationError) -> str:
    """The place and the rule of the first thing wrong; never the value, which may be personal."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
