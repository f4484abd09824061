"""Brings CloudEvents in binary mode (attributes in headers, data alone as the body) into structured mode.

Facts are kept and forwarded in structured mode only. The same headers and body always give the same bytes: attributes
by name, then the data in its own bytes.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence

from schemas.envelope import Refused
from schemas.sizes import MAX_RECORD

STRUCTURED = "application/cloudevents"
"""How the content type of an event in structured mode, or of a batch, begins."""
_FEWEST = 4
"""Headers of a record in binary mode: id, source, type and specversion."""
_CE = "ce_"
_ATTRIBUTE = re.compile(r"(?!(?:data|datacontenttype)$)[a-z0-9]+")
_FLAGS = ("finaltime", "timetrusted")
"""Attributes of the contract that are no texts, as all are in headers."""
_JSON = re.compile(r"[^;]*[/+]json\s*(;.*)?", re.IGNORECASE)


def of_record(headers: Sequence[tuple[str, bytes | None]], value: bytes | None) -> bytes | None:
    """A record's value in structured mode; unchanged where its headers are not those of binary mode.

    Raises Refused.
    """
    if len(headers) < _FEWEST or len(value or b"") > MAX_RECORD:
        return value
    if "ce_specversion" not in (names := [name for name, _ in headers]):
        return value
    media = (headers[names.index("content-type")][1] or b"").decode("latin-1") if "content-type" in names else ""
    if media.lower().startswith(STRUCTURED):
        return value
    try:
        attributes = [(name.removeprefix(_CE), (text or b"").decode()) for name, text in headers if name[:3] == _CE]
        return structured(attributes, media, value or b"")
    except ValueError as error:
        raise Refused("invalid_event", f"binary mode: {error}") from None


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body.decode())
    except (ValueError, RecursionError):
        return False
    return True


def structured(
    attributes: Iterable[tuple[str, str]], media: str, body: bytes, is_json: Callable[[bytes], bool] = _is_json
) -> bytes:
    """The event in structured mode. Without a media type, data that is JSON is taken as JSON.

    Raises ValueError for an attribute that is given twice, and for a body that is not the JSON that it is said to be.
    """
    head: dict[str, str | bool] = {"datacontenttype": media} if media else {}
    for name, text in attributes:
        if _ATTRIBUTE.fullmatch(name) is None:
            continue
        if name in head:
            raise ValueError("an attribute is given twice")
        head[name] = text == "true" if name in _FLAGS and text in {"true", "false"} else text
    written = json.dumps(dict(sorted(head.items())), ensure_ascii=False, separators=(",", ":")).encode()
    if not body:
        return written
    if (said := _JSON.fullmatch(media)) or not media:
        if is_json(body):
            return written[:-1] + b',"data":' + body + b"}"
        if said:
            raise ValueError("the data is not JSON")
    return written[:-1] + b',"data_base64":"' + b64encode(body) + b'"}'
