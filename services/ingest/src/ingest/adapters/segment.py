"""The Segment family: what trackers and server libraries send as identify, track, page, screen, group, alias and
merge calls.

| Call | Becomes |
|---|---|
| identify | `lead.described`: traits email, name or firstName + lastName, phone, title, industry, country (or address.country), company (a name, or an object of name, industry, size or employees or employee_count), company_size or companySize or employees; each of them, where absent, from context.traits |
| group | `lead.described`: the company: traits name, industry, size or employees or employee_count, country (or address.country) |
| page | `engagement.recorded` of kind page_viewed; content is properties.content, else the page's name, else the last segment of properties.path or url |
| screen | the same of kind screen_viewed, without a path |
| track | `engagement.recorded`; kind is the event's name in snake case: "Content Downloaded" -> content_downloaded. "Email Link Clicked", Segment's own name, is email_clicked |
| track of "Email Confirmed" or "Opt In Confirmed" | `lead.opted_in` (the confirming click of a double opt-in); a machine's is an engagement, and opts nobody in |
| alias, merge | `lead.linked` for each weaker identifier (`ingest.adapters.identifiers`), and no other event |

A company's size is a number or a range (`ingest.adapters.company`); one that cannot be read is left out and counted.
Every call with more than one identifier gives such links beside its event.

Content is written as policies write it ("Case Study" -> case_study); the property itself keeps its spelling. Campaign is
context.campaign.name, properties.campaign or utm_campaign; channel is properties.channel, context.campaign.medium or
utm_medium; `properties.machine` (true, 1, "yes", ...) marks what a machine did, such as a mail gateway that follows links. Of the properties the plain ones are kept (50, each
1,024 characters); nested ones are left out and counted.
"""  # noqa: E501 - a table's rows are lines

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from ingest.adapters import fields, identifiers
from ingest.adapters.company import size_of
from ingest.adapters.fields import Table
from ingest.adapters.identifiers import Leads, Names
from ingest.rules import COMPANY_SIZE, NO_ZONE, Item
from schemas.engagements import EngagementRecorded, LeadDescribed, LeadOptedIn
from schemas.envelope import Envelope, Refused
from schemas.identity import Identifiers

OPTED_IN: Final = frozenset(("email_confirmed", "opt_in_confirmed"))
KINDS: Final = {"email_link_clicked": "email_clicked"}
"""Names of Segment's specification for which the glossary has another word."""


class Said(NamedTuple):
    """What a call says: an event and its data; how many properties were left out, and which values were mended."""

    event: type[Envelope] | None
    data: dict[str, Any]
    dropped: int = 0
    mended: tuple[str, ...] = ()


def read(item: object, call: str | None = None, batch: Table | None = None) -> Item:
    """The item, read; `call` is the route's, else the item's own `type`. Raises Refused.

    `sentAt` is that of the item or of the whole batch.
    """
    if not isinstance(item, dict):
        raise Refused("bad_item", "not an object")
    call = call if call is not None else item.get("type")
    if not isinstance(call, str) or not (call in _CALLS or call in _LINKS):
        raise Refused("unknown_type", f"type: none of {', '.join((*_CALLS, *_LINKS))}")
    names = Names()
    own = names.own(item, call)
    said = _CALLS[call](item) if call in _CALLS else Said(None, {})
    others = _LINKS[call](item, own, names) if call in _LINKS else ()
    time = fields.instant(item, "timestamp", "originalTimestamp")
    sent = fields.hint(item, "sentAt") or fields.hint(batch or {}, "sentAt")
    zoned = time is None or time.tzinfo is not fields.NO_ZONE
    if sent and zoned and sent.tzinfo is fields.NO_ZONE:
        sent = None  # of an unknown zone it shows no skew of a clock whose zone is known
    return Item(
        event=said.event,
        data={**said.data, "identifiers": own},
        leads=(*own.lead_ids().items(), *others),
        junk=tuple(names.junk),
        id=_message_id(item),
        time=time,
        sent_at=sent,
        dropped=said.dropped,
        mended=said.mended if zoned else (*said.mended, NO_ZONE),
    )


def _message_id(item: Table) -> str | None:
    value = fields.value_of(item, "messageId")
    if value is not None and not isinstance(value, str):
        raise Refused("bad_item", "messageId: not a text")
    return value


def _identify(item: Table) -> Said:
    traits, more = fields.table(item, "traits"), fields.table(fields.table(item, "context"), "traits")
    described = {name: read_(traits) for name, read_ in _PERSON.items()}
    if more:  # Rudder has them in the context only
        described |= {name: _PERSON[name](more) for name, value in described.items() if value is None}
    return _described(described, chain(_sizes(traits), _sizes(more)))


def _sizes(traits: Table) -> Iterator[object]:
    for of, names in ((traits, _SIZES), (_company(traits), _PLAIN_SIZES)):
        yield from _values(of, names)


def _group(item: Table) -> Said:
    traits = fields.table(item, "traits")
    described = {
        "company": fields.text(traits, "name"),
        "industry": fields.text(traits, "industry"),
        "country": _country(traits),
    }
    return _described(described, _values(traits, _GROUP_SIZES))


def _described(said: dict[str, Any], sizes: Iterable[object]) -> Said:
    """With the first size that can be read; those before it are left out."""
    mended: tuple[str, ...] = ()
    for value in sizes:
        if (size := size_of(value)) is not None:
            said["company_size" if isinstance(size, int) else "company_size_range"] = size
            break
        mended += (COMPANY_SIZE,)
    return Said(LeadDescribed, said, 0, mended)


def _values(of: Table, names: Iterable[str]) -> Iterator[object]:
    for name in names:
        if (value := fields.value_of(of, name)) is not None:
            yield value


def _name(traits: Table) -> str | None:
    names = (fields.text(traits, "firstName"), fields.text(traits, "lastName"))
    return fields.text(traits, "name") or " ".join(filter(None, names)) or None


def _company(traits: Table) -> Table:
    """The company as an object; empty where it is a name or absent."""
    company = fields.value_of(traits, "company")
    return company if isinstance(company, dict) else {}


def _company_name(traits: Table) -> str | None:
    about = _company(traits)
    return fields.text(about, "name") if about else fields.text(traits, "company")


def _country(traits: Table) -> str | None:
    address = fields.value_of(traits, "address")
    return fields.text(traits, "country") or fields.text(address if isinstance(address, dict) else {}, "country")


_SIZES: Final = ("company_size", "companySize", "employees")
_PLAIN_SIZES: Final = ("size", "employees", "employee_count")
_GROUP_SIZES: Final = ("employees", "size", "employee_count", "company_size", "companySize")
_PERSON: Final[dict[str, Callable[[Table], str | None]]] = {
    "name": _name,
    "phone": lambda traits: fields.text(traits, "phone"),
    "title": lambda traits: fields.text(traits, "title"),
    "company": _company_name,
    "industry": lambda traits: fields.text(traits, "industry") or fields.text(_company(traits), "industry"),
    "country": _country,
}
"""The attributes of an identify, each read from one table of traits."""


def _track(item: Table) -> Said:
    properties = fields.table(item, "properties")
    name = item.get("event")
    kind = fields.word(name[: fields.MAX_TEXT]) if isinstance(name, str) else ""
    if not kind:
        raise Refused("bad_item", "event: not a name with a letter or digit of ASCII")
    if kind in OPTED_IN and not fields.flag(properties, "machine"):
        return Said(LeadOptedIn, {"text_version": fields.text(properties, "text_version")})
    kind = KINDS.get(kind, kind if kind[0].isalpha() else f"event_{kind}")[:64]
    return _engagement(item, kind, _content(properties))


def _page(item: Table) -> Said:
    properties = fields.table(item, "properties")
    content = _content(properties) or fields.text(item, "name") or fields.text(properties, "name")
    if content is None and (place := fields.text(properties, "path", "url")):
        content = _last_segment(place)
    return _engagement(item, "page_viewed", content)


def _screen(item: Table) -> Said:
    properties = fields.table(item, "properties")
    content = _content(properties) or fields.text(item, "name") or fields.text(properties, "name")
    return _engagement(item, "screen_viewed", content)


def _engagement(item: Table, kind: str, content: str | None) -> Said:
    properties = fields.table(item, "properties")
    campaign = fields.table(fields.table(item, "context"), "campaign")
    kept, dropped = fields.scalars(properties, apart=("email", "machine"))
    content = content[: fields.MAX_TEXT] if content else None
    data = {
        "kind": kind,
        "content": (fields.word(content) or content) if content else None,
        "machine": fields.flag(properties, "machine"),
        "campaign": fields.text(campaign, "name") or fields.text(properties, "campaign", "utm_campaign"),
        "channel": fields.text(properties, "channel")
        or fields.text(campaign, "medium")
        or fields.text(properties, "utm_medium"),
        "properties": kept,
    }
    return Said(EngagementRecorded, data, dropped)


def _content(properties: Table) -> str | None:
    return fields.text(properties, "content")


def _last_segment(place: str) -> str | None:
    """`/resources/case-study/?a=b` or a whole URL -> case-study; empty for the root."""
    try:
        path = urlsplit(place).path
    except ValueError:
        return None
    return path.rstrip("/").rpartition("/")[2] or None


_CALLS: Final[dict[str, Callable[[Table], Said]]] = {
    "track": _track,
    "identify": _identify,
    "page": _page,
    "screen": _screen,
    "group": _group,
}
_LINKS: Final[dict[str, Callable[[Table, Identifiers, Names], Leads]]] = {
    "alias": identifiers.of_alias,
    "merge": identifiers.of_merge,
}
"""Calls that say only who is who: the leads besides those of the item's own identifiers."""
