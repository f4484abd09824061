"""OpenAPI 3.1 of ingest's routes; `python -m ingest.openapi` writes it to schemas/openapi.json."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from ingest.openapi import shapes
from ingest.openapi.operations import OPERATIONS, REFUSALS, Operation

_PROBLEM = "application/problem+json"
_KEYS: dict[str, Any] = {
    "basic": {"type": "http", "scheme": "basic", "description": "the write key as user name, no password"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "the write key"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "writeKey"},
}


@cache
def text() -> str:
    """The document as JSON; the same text each time."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def document() -> dict[str, Any]:
    """The document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Baton ingest",
            "version": "1.0.0",
            "description": "Takes what trackers, platforms and sales tools send. A success is answered once Kafka has "
            "acknowledged the events; any request may be sent again, since an event counts once.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name} for name in dict.fromkeys(one.group for one in OPERATIONS.values())],
        "paths": {path: {one.method.lower(): _operation(path, one)} for path, one in OPERATIONS.items()},
        "components": {
            "schemas": {**shapes.components(), "Anything": {}},
            "responses": {str(status): _refusal(status, why) for status, why in REFUSALS.items()},
            "securitySchemes": _KEYS,
        },
    }


def _operation(path: str, one: Operation) -> dict[str, Any]:
    status, schema = one.success
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    return {
        "operationId": (one.method.lower() + re.sub(r"\W+", "_", path)).strip("_"),
        "tags": [one.group],
        "summary": one.summary,
        "description": one.about,
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": _body(one)} if one.bodies else {}),
        "responses": {
            str(status): {"description": "taken", "content": {"application/json": {"schema": shapes.ref(schema)}}},
            **{str(each): {"$ref": f"#/components/responses/{each}"} for each in one.refuses},
        },
        "security": [{name: []} for name in _KEYS] if one.keyed else [],
    }


def _body(one: Operation) -> dict[str, Any]:
    content = {media: {"schema": shapes.ref(schema)} for media, schema in one.bodies.items()}
    next(iter(content.values()))["example"] = one.takes
    return {"required": True, "content": content}


def _refusal(status: int, why: str) -> dict[str, Any]:
    wait = {"Retry-After": {"schema": {"type": "integer"}}}
    return {
        "description": why,
        **({"headers": wait} if status == 503 else {}),
        "content": {_PROBLEM: {"schema": shapes.ref("Problem")}},
    }
