"""CloudEvents 1.0: Baton's own events of `engagements` in full, and events of anybody's types.

| Type | Becomes |
|---|---|
| Baton's own, `baton.engagement.recorded.v1` and so on | itself, read as strictly as on the topic. The subject may be the lead's id, an address, {"userId": ...} or {"anonymousId": ...}, and may be absent where data.identifiers has one |
| any other | what a track call of that name would be. The name is the type's last part without version, and the part before it where it is one word alone: `com.example.webinar.attended.v2` -> webinar_attended. Identifiers are the subject, if it is an address, and data's email, userId and anonymousId; the other plain fields of data are the properties |

A server's event keeps its source; that of a public key is named within the key's, so it can take nobody's ids. Times are
judged here: `finaltime`, `occurredat`, `via` and `sentby` are refused from public keys and have no effect from others.
"""  # noqa: E501 - a table's rows are lines

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from typing import Final, cast

from pydantic import ValidationError

from ingest.adapters import fields, sales, segment
from ingest.adapters.fields import Table
from ingest.adapters.identifiers import Leads, Names
from ingest.rules import Item
from schemas.engagements import EngagementRecorded, LeadDescribed, LeadOptedIn
from schemas.envelope import Frozen, Refused, place_and_rule
from schemas.identity import Identifiers
from schemas.spelling import given, readable_email
from schemas.topics import TOPICS

OWN: Final = "baton."
TYPES: Final = {str(event.model_fields["type"].default): event for event in TOPICS["engagements"].events}
"""Baton's own events that are taken, by type."""
_ANYBODYS: Final = (EngagementRecorded, LeadDescribed, LeadOptedIn)
"""What trackers may say as well; all other events only servers."""
_JUDGED: Final = ("finaltime", "occurredat", "via", "sentby")
_VERSION: Final = re.compile(r"v?[0-9]+(_[0-9]+)*")
_DOMAINS: Final = re.compile(r"com|org|net|edu|gov|info|dev|app|cloud|[a-z]{2}")
"""First parts of a type that begins with a reversed domain name."""


def read(item: object, _call: str | None = None, _batch: Table | None = None) -> Item:
    """The event, read. Raises Refused."""
    if not isinstance(item, dict):
        raise Refused("bad_item", "not an object")
    if item.get("specversion") != "1.0":
        raise Refused("bad_item", 'specversion: must be "1.0"')
    for name in ("id", "source", "type"):
        if not isinstance(value := item.get(name), str) or not value.strip():
            raise Refused("bad_item", f"{name}: must be a text that is not empty")
    if "data" in item and "data_base64" in item:
        raise Refused("bad_item", "data_base64: there is data too")
    found = _own(item) if item["type"].startswith(OWN) else _foreign(item)
    time = None if found.event in sales.MERGES else _time(item, "time")  # as there, it holds from now on
    return replace(found, id=item["id"], time=time, source=item["source"], sent_anew=False)


def _time(item: Table, name: str) -> datetime | None:
    """An instant of RFC 3339: not as lenient as for trackers. Raises Refused."""
    value = given(item.get(name))
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if value is not None and (time is None or time.tzinfo is None):
        raise Refused("bad_time", f"{name}: not a time of RFC 3339")
    return time


def kind_of(type_: str) -> str:
    """The name in an event's type. Raises Refused."""
    parts = [word for part in re.split("[./]", type_[: fields.MAX_TEXT]) if (word := fields.word(part))]
    while len(parts) > 1 and _VERSION.fullmatch(parts[-1]):
        parts.pop()
    if len(parts) > 2 and _DOMAINS.fullmatch(parts[0]):
        del parts[:2]
    if not parts:
        raise Refused("bad_item", "type: has no letter or digit of ASCII")
    return parts[-1] if "_" in parts[-1] else "_".join(parts[-2:])


def _foreign(item: Table) -> Item:
    data, subject = item.get("data"), item.get("subject")
    said = dict(data) if isinstance(data, dict) else {}
    who = {name: said.pop(name, None) for name in ("userId", "anonymousId", "email")}
    email = readable_email(subject) if isinstance(subject, str) and "@" in subject else None
    call = {**who, "event": kind_of(str(item["type"])), "traits": {"email": email or who["email"]}, "properties": said}
    return segment.read(call, "track")


def _own(item: Table) -> Item:
    event = TYPES.get(str(item["type"]))
    if event is None:
        known = ", ".join(TYPES)
        raise Refused("unknown_type", f"type: none of {known} (sales activities go to /v1/sales-activities)")
    data = fields.table(item, "data")
    model = cast(type[Frozen], event.model_fields["data"].annotation)
    leads, own, names = _leads(item, data)
    if "identifiers" in model.model_fields:
        data = {**data, "identifiers": own.model_dump(exclude_none=True)}
    elif "alias" in model.model_fields:
        data = _about_alias(data, leads)
    try:
        valid = model.model_validate_json(json.dumps(data), strict=True, extra="forbid")
    except ValidationError as error:
        raise Refused("bad_event", f"data.{place_and_rule(error)}") from None
    judged = next((name for name in _JUDGED if item.get(name)), None)
    return Item(
        event=event,
        data=valid.model_dump(exclude_unset=True),
        leads=leads,
        junk=tuple(names.junk),
        sent_at=None if item.get("timetrusted") is True else _time(item, "sentat"),
        reserved=judged or (None if event in _ANYBODYS else "type"),
    )


def _leads(item: Table, data: Table) -> tuple[Leads, Identifiers, Names]:
    """The leads of the subject and of data.identifiers, which must agree, strongest first. Raises Refused."""
    names, said = Names(), fields.table(data, "identifiers")
    subject = given(item.get("subject"))
    lead = sales.lead_named(subject)
    who = {"userId": said.get("user_id"), "anonymousId": said.get("anonymous_id"), "email": said.get("email")}
    if isinstance(subject, dict) or (isinstance(subject, str) and "@" in subject):
        named = subject if isinstance(subject, dict) else {"email": subject}
        who = {name: named.get(name) if given(value) is None else value for name, value in who.items()}
    own = names.own({**who, "traits": {"email": who["email"]}}, "track")
    leads: Leads = tuple(own.lead_ids().items())
    if lead is None or lead in dict(leads).values():
        return leads, own, names
    if leads:
        raise Refused("bad_event", "subject: not the lead of data.identifiers")
    return (("email", lead),), own, names


def _about_alias(data: Table, leads: Leads) -> Table:
    """The data of a link or merge: the subject is the alias. Raises Refused."""
    alias = leads[0][1] if leads else None
    if data.get("alias", alias) != alias:
        raise Refused("bad_event", "data.alias: not the subject")
    lead = sales.lead_named(data.get("lead"))
    if lead in (None, alias):
        raise Refused("bad_event", "data.lead: must name another lead than the subject")
    return {**data, "alias": alias, "lead": lead}
