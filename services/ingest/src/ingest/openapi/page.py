"""The contract as a page to read, without a script and without anything from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Any

from ingest.openapi.document import document
from ingest.openapi.operations import OPERATIONS, REFUSALS

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "pre{background:#f4f4f4;padding:.7rem;overflow:auto;font-size:.85rem}"
    "h3{margin-bottom:.2rem}h3 code{font-size:1.05rem}td,th{text-align:left;padding:.1rem 1rem .1rem 0}"
    "@media(prefers-color-scheme:dark){body{background:#1b1b1b;color:#ddd}pre{background:#262626}a{color:#8bf}}"
)


@cache
def html() -> str:
    """The whole page; the same text each time."""
    return "".join(_page(document()))


def _page(said: dict[str, Any]) -> Iterator[str]:
    title = escape(said["info"]["title"])
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    yield f"<h1>{title}</h1><p>{escape(said['info']['description'])} The same as <a href=/openapi.json>JSON</a>.</p>"
    yield "<p>A write key is given in one of these ways:</p><ul>"
    for name, scheme in said["components"]["securitySchemes"].items():
        where = (
            f"{scheme['in']} <code>{escape(scheme['name'])}</code>" if "in" in scheme else escape(scheme["description"])
        )
        yield f"<li>{escape(name)}: {where}</li>"
    yield "</ul>"
    for tag in said["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2>"
        for path, operation in OPERATIONS.items():
            if operation.group == tag["name"]:
                method = operation.method.lower()
                yield from _operation(path, method, said["paths"][path][method])
    yield "<h2>Bodies</h2>"
    for name, schema in said["components"]["schemas"].items():
        yield f"<h3 id={name}><code>{name}</code></h3><details><summary>schema</summary>{_json(schema)}</details>"


def _operation(path: str, method: str, one: dict[str, Any]) -> Iterator[str]:
    yield f"<h3><code>{method.upper()} {escape(path)}</code></h3>"
    yield f"<p>{escape(one['summary'])}. {escape(one['description'])}</p><details><summary>body and answers</summary>"
    for media, content in one.get("requestBody", {}).get("content", {}).items():
        yield f"<p>{escape(media)}: {_link(content['schema'])}</p>"
        if "example" in content:
            yield _json(content["example"])
    yield "<table>"
    for status, answer in one["responses"].items():
        yield f"<tr><th>{status}<td>{_why(status, answer)}"
    yield "</table></details>"


def _why(status: str, answer: dict[str, Any]) -> str:
    if "$ref" in answer:
        return escape(REFUSALS[int(status)])
    [content] = answer["content"].values()
    return _link(content["schema"])


def _link(schema: dict[str, str]) -> str:
    name = schema["$ref"].rpartition("/")[2]
    return f"<a href=#{name}>{name}</a>"


def _json(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
