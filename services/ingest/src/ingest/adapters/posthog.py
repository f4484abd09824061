"""PostHog's captures, read as calls of the Segment family.

| Event | Read as |
|---|---|
| $pageview, $screen | page, screen |
| $identify, $set | identify; the traits are those of $set_once and $set |
| $create_alias | alias |
| $groupidentify of a company, organization or account | group |
| any other | track; a leading $ is taken off |

A distinct_id is an anonymous id until an event says whose it is: `$identify`, `$set`, `$create_alias`, or the browser
library's `$user_id`. Such an event makes it a user id too and links both, so what came before is the person's. The
address is that in $set: one among the properties may be somebody else's. Properties whose name begins with $ are the
library's own, and are left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ingest.adapters import fields, segment
from ingest.adapters.fields import Table
from ingest.adapters.identifiers import Names, address_in
from ingest.rules import Item
from schemas.envelope import Refused

COMPANIES: Final = frozenset(("company", "organization", "organisation", "account"))


def read(item: object, call: str | None = None, batch: Table | None = None) -> Item:  # noqa: ARG001 - as all dialects
    """The event, read. Raises Refused."""
    if not isinstance(item, dict):
        raise Refused("bad_item", "not an object")
    properties = fields.table(item, "properties")
    ids, also = _ids(item, properties)
    called, said = _said(item, properties)
    sent = batch or {}
    times = {"timestamp": item.get("timestamp"), "sentAt": sent.get("sent_at") or sent.get("sentAt")}
    found = segment.read({"messageId": item.get("uuid"), **times, **ids, **said}, called)
    others = Names().own({"anonymousId": also}, called).lead_ids().items()
    return replace(found, leads=tuple(dict.fromkeys((*found.leads, *others))))


def _ids(item: Table, properties: Table) -> tuple[Table, object]:
    """The event's ids by Segment's names, and one more anonymous id of the same person."""
    event = item.get("event")
    own = fields.value_of(item, "distinct_id") or fields.value_of(properties, "distinct_id")
    if event == "$create_alias":
        user = fields.value_of(properties, "alias")
        return {"userId": user, "previousId": own}, user
    if event == "$groupidentify" and isinstance(own, str) and own.startswith("$"):
        return {}, None  # the group's own id, where the call named no person
    known = event in ("$identify", "$set") or fields.value_of(properties, "$user_id") is not None
    device = fields.value_of(properties, "$anon_distinct_id") or fields.value_of(properties, "$device_id")
    if isinstance(own, str) and address_in(own) is not None:
        return {"userId": own, "anonymousId": device}, None
    if known and properties.get("$is_identified") is not False:
        return {"userId": own, "anonymousId": device}, own
    return {"anonymousId": own}, None


def _said(item: Table, properties: Table) -> tuple[str, Table]:
    """The call of the Segment family, and its fields."""
    event = item.get("event")
    set_ = [fields.table(of, name) for name in ("$set_once", "$set") for of in (properties, item)]
    traits = {name: value for each in set_ for name, value in each.items()}
    if event in ("$identify", "$set"):
        return "identify", {"traits": traits}
    if event == "$create_alias":
        return "alias", {}
    if event == "$groupidentify" and properties.get("$group_type") in COMPANIES:
        return "group", {"traits": {"name": properties.get("$group_key"), **fields.table(properties, "$group_set")}}
    own = {name: value for name, value in properties.items() if name[:1] != "$" and name not in _APART}
    said = {"properties": own, "context": {"traits": {"email": traits.get("email")}}}
    if event == "$pageview":
        place = {"url": properties.get("$current_url"), "path": properties.get("$pathname")}
        return "page", {**said, "properties": own | place}
    if event == "$screen":
        return "screen", {**said, "name": properties.get("$screen_name")}
    return "track", {**said, "event": event.removeprefix("$") if isinstance(event, str) else event}


_APART: Final = frozenset(("email", "distinct_id", "token"))
