"""Requests to break ingest with: made from its OpenAPI by schemathesis, and mutations of these and of recorded ones."""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from ingest.openapi.document import document
from ingest.openapi.operations import OPERATIONS
from tests.contract.conftest import PUBLIC, SERVER, SHOP, basic

RECORDED = Path(__file__).parents[1] / "fixtures"
HOOKS = ("contact-form", "debezium", "hubspot", "mautic", "salesforce-cdc", "segment")
"""Webhooks, each named as its format and as the folder of its recorded bodies; and `salesforce`."""
TOKEN, ORGANIZATION = "a-token-of-the-tests", "00D000000000001EAA"
HOSTILE: Sequence[Any] = (
    *(None, True, -1, 0, 2**53 + 1, 2**64, -(2**63) - 1, 1e308, 0.1, "", " ", "null", "\0", "\ud800", "\u202e", "a@b"),
    *("9999-12-31T23:59:59Z", "0001-01-01", "1e400", "x" * 2000, "Ada <ada@example.com>", "baton/router", [], {}),
    *([[]], {"a": {"b": [1]}}, ["x"] * 60, {"email": "ada@example.com"}, {"userId": "u-1"}, "ada@example.com"),
)
TOKENS = (
    *(b"NaN", b"-Infinity", b"1e400", b"9" * 5000, b'"\\ud800"', b'"\\u0000"', b"\xff\xfe", b"\xef\xbb\xbf", b"\0"),
    *(b"[" * 40, b'{"a":' * 40, b"}", b"]", b",", b'"', b"\\", b'"type":"track",', b'"data":{},', b"\x1f\x8b"),
)
HEADERS: Sequence[tuple[str, str]] = (
    *(("Content-Type", each) for each in ("", "text/plain", "application/cloudevents+json; charset=x", "a/b;;")),
    *(("Content-Type", f"application/cloudevents{each}+json") for each in ("", "-batch")),
    *(("Content-Encoding", each) for each in ("gzip", "br", "identity", "gzip, gzip")),
    *(("Authorization", each) for each in ("Basic %%%", "Bearer", "Basic /////w==", f"Bearer {PUBLIC}")),
    *(("Origin", each) for each in (SHOP, "null", "https://other.example")),
    *((f"ce-{name}", each) for name in ("id", "type", "source", "specversion", "x") for each in ("%ff", '"', "1.0")),
    *(("X-Retry-Count", "9"), ("X-Write-Key", "x"), ("webhook-id", "x")),
)
_FAMILIES = ("/v1/events", "/v1/sales", "/v1/webhooks", "/v1/batch", "/api", "/batch", "/capture", "/com.", "/v1/")
KEPT = ("Content-Type", "Authorization", "X-Write-Key")
"""Headers that schemathesis chooses."""


@dataclass(frozen=True)
class Sent:
    """A request as it is sent."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@cache
def seeds(each: int) -> Sequence[Sent]:
    """Of each route its example, and `each` of schemathesis by its schema and against it; and recorded requests."""
    return (*_examples(), *_recorded(), *_generated(each))


def requests_of(count: int, each: int) -> Iterator[Sent]:
    """So many requests, the same in every run: the seeds, and mutations, as many of each family of routes."""
    random, good = Random(7), seeds(each)
    families: dict[str, list[Sent]] = {}
    for seed in good:
        families.setdefault(_family(seed.path), []).append(seed)
    for number in range(count):
        family = random.choice(list(families.values()))
        sent = good[number] if number < len(good) else mutated(random.choice(family), random)
        yield sent if random.random() < 0.1 else _authorized(sent, random)


def _family(path: str) -> str:
    return next((name for name in _FAMILIES if path.startswith(name)), "")


def mutated(of: Sent, random: Random) -> Sent:
    """The request after one to three changes."""
    for _ in range(random.choice((1, 1, 2, 3))):
        change = random.choice((_value, _value, _value, _bytes, _bytes, _header, _packed, _path))
        of = change(of, random)
    return of


def _authorized(of: Sent, random: Random) -> Sent:
    """With a good key, and no other."""
    key = ("Authorization", basic(random.choice((PUBLIC, PUBLIC, SERVER))))
    others = tuple(each for each in of.headers if each[0] not in {"Authorization", "X-Write-Key"})
    return replace(of, path=of.path.replace("writeKey=", "w="), headers=(key, *others))


def _value(of: Sent, random: Random) -> Sent:
    """A value anywhere in the body is replaced, removed, doubled or put elsewhere."""
    try:
        content = json.loads(of.body)
    except ValueError:
        return of
    holders = list(_holders(content))
    if not holders:
        return replace(of, body=_dumped(random.choice(HOSTILE)))
    holder = random.choice(holders)
    name = random.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    match random.randrange(4):
        case 0:
            del holder[name]
        case 1 if isinstance(holder, list):
            holder += [holder[name]] * random.choice((1, 600))
        case 2:
            other = random.choice(holders)
            holder[name] = json.loads(json.dumps(other))
        case _:
            holder[name] = random.choice(HOSTILE)
    return replace(of, body=_dumped(content))


def _holders(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list) and value:
        yield value
        for member in value.values() if isinstance(value, dict) else value:
            yield from _holders(member)


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def _bytes(of: Sent, random: Random) -> Sent:
    """Bytes are cut off, removed, doubled or inserted."""
    body, first, last = of.body, *sorted(random.randrange(len(of.body) + 1) for _ in range(2))
    match random.randrange(4):
        case 0:
            body = body[:last]
        case 1:
            body = body[:first] + body[last:]
        case 2:
            body = body[:last] + body[first:]
        case _:
            body = body[:first] + random.choice(TOKENS) + body[first:]
    return replace(of, body=body)


def _header(of: Sent, random: Random) -> Sent:
    name, value = random.choice(HEADERS)
    return replace(of, headers=(*(each for each in of.headers if each[0] != name), (name, value)))


def _packed(of: Sent, random: Random) -> Sent:
    """As gzip, whole or not."""
    body = gzip.compress(of.body)
    cut = random.choice((0, 0, 1, 8, len(body) - 2))
    return replace(of, body=body[: len(body) - cut] + random.choice((b"", b"", b"x")))


def _path(of: Sent, random: Random) -> Sent:
    other = random.choice(("/", "//", "?writeKey=x", "?writeKey=%ff", "%00", "/v1/batch", "?a=" + "b" * 3000))
    return replace(of, path="//" + of.path[1:] if other == "//" else of.path + other)


def _examples() -> Iterator[Sent]:
    for path, one in OPERATIONS.items():
        media = next(iter(one.bodies), "")
        headers = (("Content-Type", media),) if media else ()
        body = _dumped(one.takes) if media else b""
        yield Sent(one.method, path.replace("{key}", PUBLIC).replace("{name}", "segment"), headers, body)


def _recorded() -> Iterator[Sent]:
    for file in sorted((RECORDED / "trackers").glob("*.json")):
        for one in json.loads(file.read_text().replace("pk_demo_tracker", PUBLIC))["requests"]:
            yield Sent("POST", one["path"], tuple(one["headers"].items()), _dumped(one["body"]))

    for name in (*HOOKS, "salesforce"):
        for file in sorted((RECORDED / "platforms" / name).iterdir()):
            if not file.stem.endswith(".events"):
                yield Sent("POST", f"/v1/webhooks/{name}?token={TOKEN}", (), file.read_bytes())


def _generated(each: int) -> Iterator[Sent]:
    found: list[dict[str, Any]] = []
    schema: Any = schemathesis.openapi.from_dict(document())
    for operation in (result.ok() for result in schema.get_all_operations()):
        # a route without a key takes any body: there is nothing against its schema
        for mode in GenerationMode if OPERATIONS[operation.path].keyed else (GenerationMode.POSITIVE,):

            @settings(
                max_examples=each, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck)
            )
            @given(operation.as_strategy(generation_mode=mode))
            def collect(case: Any) -> None:
                found.append(case.as_transport_kwargs(base_url="http://t"))

            collect()
    for kwargs in found:
        made: Any = requests.Request(**kwargs).prepare()
        body = made.body.encode() if isinstance(made.body, str) else made.body or b""
        headers = tuple((name, str(made.headers[name])) for name in KEPT if name in made.headers)
        yield Sent(made.method, made.path_url, headers, body)
