"""The auditor's own reading of events in binary mode: CloudEvents attributes in headers, the data alone as the value.

A fact of one is kept in structured mode: the attributes by name, then the data in its own bytes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping


def whole(headers: Mapping[str, bytes | None], value: bytes | None) -> bytes | None:
    """The value with the attributes of its headers; unchanged where these have none."""
    media = (headers.get("content-type") or b"").decode("latin-1")
    if "ce_specversion" not in headers or media.lower().startswith("application/cloudevents"):
        return value
    names = {name[3:] for name in headers if re.fullmatch("ce_[a-z0-9]+", name)} - {"data", "datacontenttype"}
    said = {name: (headers[f"ce_{name}"] or b"").decode(errors="replace") for name in names}
    if media:
        said["datacontenttype"] = media
    members = [
        _quoted(name) + ":" + (text if name in {"finaltime", "timetrusted"} and text in _FLAGS else _quoted(text))
        for name, text in sorted(said.items())
    ]
    if value:
        is_json = not media or media.partition(";")[0].strip().lower().endswith(("/json", "+json"))
        data = f'"data":{value.decode()}' if is_json and _parses(value) else f'"data_base64":"{_base64(value)}"'
        members.append(data)
    return f"{{{','.join(members)}}}".encode()


_FLAGS = ("true", "false")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _parses(value: bytes) -> bool:
    try:
        json.loads(value.decode())
    except (ValueError, RecursionError):
        return False
    return True
