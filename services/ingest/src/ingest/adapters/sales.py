"""Reads sales activities from sales tools: CloudEvents in structured mode, complete or abridged.

Abridged: `type` without Baton's prefix (`sales.contacted`), a name of the lead as `subject` (an e-mail address,
{"userId": ...} or {"anonymousId": ...}), and no `id`, `time` or `source`; null and blank are absent. Without a time it
happened now; without an id the id is derived from the content and the minute, so that a retry is a duplicate and
tomorrow's call is not.

`lead.merged` and `lead.unmerged` come the same way: the subject is, or is not, the lead named by `data.lead`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from ingest.adapters.identifiers import address_in
from ingest.rules import timed
from schemas.content import has_nul
from schemas.engagements import LeadMerged, LeadUnmerged
from schemas.envelope import Envelope, Refused
from schemas.identity import id_of_content, lead_id_of
from schemas.sales import SALES_ACTIVITIES
from schemas.spelling import given

ATTRIBUTES: Final = ("specversion", "id", "source", "subject", "time", "sentat", "timetrusted", "data")
"""The attributes read of a CloudEvent besides its type; others are allowed, as CloudEvents says, and ignored."""
MOST_ERRORS = 20
_NAMES: Final = {"userId": "user_id", "anonymousId": "anonymous_id", "email": "email"}

MERGES: Final[tuple[type[Envelope], ...]] = (LeadMerged, LeadUnmerged)
_TAKEN: Final[tuple[type[Envelope], ...]] = (*SALES_ACTIVITIES, *MERGES)
ACTIVITIES: Final = {str(event.model_fields["type"].default): event for event in _TAKEN}
"""What is taken, by its full type."""
_LEAD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Wrong:
    """An error: where (a JSON pointer) and what was expected; never what was sent."""

    path: str
    message: str


class Invalid(Exception):  # noqa: N818 - a verdict, not a fault
    """At least one activity is wrong; none is taken."""

    def __init__(self, errors: Sequence[Wrong]) -> None:
        super().__init__(f"{len(errors)} things are wrong")
        self.errors = errors


def activities(items: Sequence[object], single: bool, source: str, received_at: datetime) -> list[Envelope]:
    """All the activities with their final times. Raises Invalid.

    `single`: the item was sent alone, so that paths do not start with its index.
    """
    taken: list[Envelope] = []
    errors: list[Wrong] = []
    for place, item in enumerate(items):
        at = "" if single else f"/{place}"
        try:
            taken.append(_activity(item, source, received_at))
        except Invalid as invalid:
            errors += [Wrong(at + error.path, error.message) for error in invalid.errors]
    if errors:
        raise Invalid(errors[:MOST_ERRORS])
    return taken


def _activity(item: object, source: str, received_at: datetime) -> Envelope:
    if not isinstance(item, dict):
        raise Invalid([Wrong("", "must be an object")])
    activity = _type(item.get("type"))
    attributes = {name: value for name, value in _given(item).items() if name in ATTRIBUTES}
    if activity in MERGES:  # it holds from when it is said: what was done before keeps its effect
        attributes.pop("time", None)
    completed = {
        "id": "derived",
        "source": source,
        "time": received_at.isoformat(),
        "data": {},
        **attributes,
        "subject": _lead_id(item.get("subject"), "/subject"),
    }
    if activity in MERGES:
        completed["data"] = _merge(completed["data"], completed["subject"])
    if "data_base64" in item:
        raise Invalid([Wrong("/data_base64", "data must be JSON, under the name data")])
    if str(completed["source"]).startswith("baton/"):
        raise Invalid([Wrong("/source", "sources that start with baton/ are Baton's own")])
    if "time" not in attributes:
        completed.pop("sentat", None)
    event = _validated(activity, completed)
    try:
        event = timed(event, event.time if "time" in attributes else None, received_at)
    except Refused as refused:
        raise Invalid([Wrong("/time", "must be less than 24 h ahead and 90 days behind")]) from refused
    return event if "id" in attributes else event.model_copy(update={"id": id_of_content(event)})


def _given(of: Mapping[str, Any]) -> dict[str, Any]:
    """The object without absent members, at every level."""
    said = {name: _given(value) if isinstance(value, dict) else given(value) for name, value in of.items()}
    return {name: value for name, value in said.items() if value is not None}


def _type(value: object) -> type[Envelope]:
    if isinstance(value, str) and (found := ACTIVITIES.get(value) or ACTIVITIES.get(f"baton.{value}.v1")):
        return found
    known = ", ".join(name.removeprefix("baton.").removesuffix(".v1") for name in ACTIVITIES)
    raise Invalid([Wrong("/type", f"must be one of {known}")])


def _merge(data: object, alias: str) -> object:
    """The data of a merge: which lead the subject is."""
    if not isinstance(data, dict):
        return data  # the contract refuses it
    lead = _lead_id(data.get("lead"), "/data/lead")
    if lead == alias:
        raise Invalid([Wrong("/data/lead", "must be another lead than the subject")])
    return {**data, "alias": alias, "lead": lead}


def lead_named(subject: object) -> str | None:
    """The lead of a lead id, an address, {"userId": ...} or {"anonymousId": ...}; None for anything else."""
    if isinstance(subject, dict) and len(subject) == 1 and (name := _NAMES.get(next(iter(subject)))) is not None:
        value = next(iter(subject.values()))
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if isinstance(text, str):
            address = address_in(text) if name == "user_id" else None
            return _lead_of(**({name: text} if address is None else {"email": address}))
    if isinstance(subject, str):
        lead = subject.strip().lower()
        return lead if _LEAD_ID.fullmatch(lead) else _lead_of(email=subject)
    return None


def _lead_of(**identifier: str) -> str | None:
    try:
        return lead_id_of(**identifier)
    except ValueError:
        return None


def _lead_id(subject: object, path: str) -> str:
    lead = lead_named(subject)
    if lead is None:
        wanted = 'must be a lead_id, an e-mail address, {"userId": ...} or {"anonymousId": ...}'
        raise Invalid([Wrong(path, wanted)])
    return lead


def _validated(activity: type[Envelope], attributes: Mapping[str, Any]) -> Envelope:
    """Strict: no text for a number or truth value, no unknown member of data."""
    text = json.dumps(attributes)
    if has_nul(text):
        raise Invalid([Wrong("", "must have no NUL character, which Postgres cannot keep")])
    try:
        return activity.model_validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise Invalid(
            [Wrong(_pointer(one["loc"]), one["msg"].removeprefix("Value error, ")) for one in found]
        ) from error


def _pointer(place: tuple[int | str, ...]) -> str:
    """RFC 6901; a sender's own name is cut short."""
    return "".join("/" + str(part)[:64].replace("~", "~0").replace("/", "~1") for part in place)
