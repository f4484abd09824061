"""Snowplow's tracker protocol (tp2), read as calls of the Segment family.

| e | Read as |
|---|---|
| pv | page, by the last segment of its url |
| se | track; the event is the action, the content is the label |
| ue of a schema `identify`, `screen_view` | identify with its data as traits, screen |
| ue of any other schema | track; the event is the schema's name, its data are the properties |
| pp, tr, ti | track of page_ping, transaction, transaction_item |

`uid` is the user id, `duid` the anonymous id, `eid` the id, `ttm` or `dtm` the time, `stm` when it was sent. The e-mail
address is that of an entity `user`, if one is attached. A campaign is read from the page's url.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import orjson

from ingest.adapters import fields, segment
from ingest.adapters.fields import Table
from ingest.rules import Item
from schemas.content import has_nul
from schemas.envelope import Refused

_TRACKS: Final = {"pp": "page_ping", "tr": "transaction", "ti": "transaction_item"}
_SCHEMA: Final = re.compile(r"iglu:[^/]+/([^/]+)/")
_MILLISECONDS: Final = re.compile(r"[0-9]{1,14}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def read(item: object, call: str | None = None, batch: Table | None = None) -> Item:  # noqa: ARG001 - as all dialects
    """The event, read. Raises Refused."""
    if not isinstance(item, dict):
        raise Refused("bad_item", "not an object")
    called, said = _said(item)
    users = [data for name, data in _entities(item) if name == "user"]
    ids = {"messageId": item.get("eid"), "userId": item.get("uid"), "anonymousId": item.get("duid")}
    times = {"timestamp": _instant(item, "ttm", "dtm"), "sentAt": _instant(item, "stm")}
    return segment.read({**ids, **times, "context": {"traits": users[0] if users else {}}, **said}, called)


def _said(item: Table) -> tuple[str, Table]:
    """The call of the Segment family, and its fields."""
    kind = item.get("e")
    if kind == "ue":
        return _self_describing(item)
    place = {"url": item.get("url"), "title": item.get("page"), "referrer": item.get("refr")}
    if kind == "pv":
        return "page", {"properties": place | _campaign(place["url"])}
    if kind == "se":
        names = {"content": "se_la", "label": "se_la", "category": "se_ca", "property": "se_pr", "value": "se_va"}
        return "track", {"event": item.get("se_ac"), "properties": {name: item.get(of) for name, of in names.items()}}
    if isinstance(kind, str) and kind in _TRACKS:
        return "track", {"event": _TRACKS[str(kind)], "properties": place}
    raise Refused("unknown_type", f"e: none of pv, se, ue, {', '.join(_TRACKS)}")


def _self_describing(item: Table) -> tuple[str, Table]:
    name, data = _described(_embedded(item, "ue_px", "ue_pr").get("data"), "ue")
    if name == "identify":
        return "identify", {"traits": data}
    if name == "screen_view":
        return "screen", {"name": data.get("name"), "properties": data}
    return "track", {"event": name, "properties": data}


def _entities(item: Table) -> list[tuple[str, Table]]:
    attached = _embedded(item, "cx", "co").get("data") or []
    if not isinstance(attached, list):
        raise Refused("bad_item", "co: not an array")
    return [_described(each, "co") for each in attached]


def _described(value: object, where: str) -> tuple[str, Table]:
    """Schema name and data of what describes itself."""
    if isinstance(value, dict) and isinstance(schema := value.get("schema"), str) and (named := _SCHEMA.match(schema)):
        return named[1], fields.table(value, "data")
    raise Refused("bad_item", f"{where}: no schema and data")


def _embedded(item: Table, encoded: str, plain: str) -> dict[str, Any]:
    """The JSON object in the field, in base64 or plain; empty where there is none."""
    text = fields.text(item, encoded)
    try:
        if text is not None:
            text = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        else:
            text = fields.text(item, plain)
        value = {} if text is None else orjson.loads(text)
    except (binascii.Error, ValueError) as error:
        raise Refused("bad_item", f"{plain}: not JSON, or not in base64") from error
    if not isinstance(value, dict):
        raise Refused("bad_item", f"{plain}: not an object")
    if text is not None and has_nul(text):
        raise Refused("nul_character", f"{plain}: a text with a NUL character")
    return value


def _instant(item: Table, *names: str) -> str | None:
    value = fields.text(item, *names)
    if value is None:
        return None
    if not _MILLISECONDS.fullmatch(value):
        raise Refused("bad_time", f"{names[-1]}: not milliseconds since 1970")
    return (_EPOCH + timedelta(milliseconds=int(value))).isoformat()


def _campaign(url: object) -> dict[str, str]:
    try:
        return {name: value for name, value in parse_qsl(urlsplit(str(url)).query) if name.startswith("utm_")}
    except ValueError:  # no address: it has no query
        return {}
