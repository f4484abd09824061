"""Requests made to break ingest: each is answered, none with a fault of ours, and every item has an outcome."""

import gzip
import json
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import jsonschema_rs
import pytest

from chassis.kafka.publisher import Record
from ingest.adapters.dialects import DIALECTS
from ingest.formats import Formats
from ingest.http import lenient
from ingest.openapi.document import document
from ingest.openapi.operations import OPERATIONS
from ingest.settings import MAPPINGS
from ingest.webhooks import Webhooks
from schemas.envelope import Decoder
from schemas.topics import TOPICS
from tests.contract.conftest import PUBLIC, SERVER, Door, Memory, Opens, basic
from tests.contract.fuzzing import HOOKS, ORGANIZATION, TOKEN, Sent, requests_of
from tests.infrastructure import Room
from tests.relay import POLICIES, SERVER_KEY, WRITE_KEY, relay

REQUESTS, EACH = 5_000, 4
"""How many, and how many of each route and mode schemathesis makes; the others are mutations."""
READERS = {name: Decoder(*topic.events) for name, topic in TOPICS.items() if topic.events}
PROBLEM = jsonschema_rs.Draft202012Validator({"$ref": "#/components/schemas/Problem", **document()})
ROUTES = {path: (dialect, call) for dialect in DIALECTS.values() for path, call in dialect.routes.items()}
LINK = b'"baton.lead.linked.v1"'
LINKS = {"alias", "merge", "$create_alias"}
"""Calls and events that may be taken without an event of their own."""


@pytest.fixture
async def fuzzed(tmp_path: Path, opened: Opens) -> AsyncIterator[Door]:
    """Ingest with webhooks of every format."""
    (tmp_path / "token").write_text(TOKEN)
    secrets = [{"file": "token"}]
    entries = [
        {
            "name": name,
            "kind": "token",
            "format": name,
            "sends": ["engagements", "sales-activities"],
            "secrets": secrets,
        }
        for name in HOOKS
    ]
    entries.append({"name": "salesforce", "kind": "salesforce", "organization": ORGANIZATION, "secrets": secrets})
    file = tmp_path / "webhooks.yaml"
    file.write_text(json.dumps({"webhooks": entries}))
    async with opened(Memory(), Webhooks(file, Formats(MAPPINGS))) as door:
        yield door


@pytest.mark.timeout(900)  # half a minute on a quiet machine
async def test_whatever_comes_is_answered_and_every_item_has_an_outcome(fuzzed: Door) -> None:
    broker = fuzzed.broker
    assert isinstance(broker, Memory)
    answers = Counter[int]()
    for sent in requests_of(REQUESTS, EACH):
        before = len(broker.records)
        answer = await _answered(fuzzed.http, sent)
        if answer is not None:
            answers[answer.status_code] += 1
            _check(sent, answer, broker.records[before:])
    metric = next(each for each in fuzzed.registry.collect() if each.name == "baton_ingest_requests")
    assert sum(each.value for each in metric.samples if each.name.endswith("_total")) == answers.total()
    assert answers.total() > REQUESTS * 0.9
    assert not {200, 202, 400, 401, 403, 404, 413, 415, 422} - answers.keys(), answers


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_a_process_with_a_real_broker_outlives_it(own_room: Room, tmp_path: Path) -> None:
    async with relay(own_room, tmp_path, POLICIES / "classic-50", "ingest") as running:
        [ingest] = running.of("ingest")
        pid, answers = await ingest.pid(), Counter[int]()
        for sent in requests_of(REQUESTS, EACH):
            answer = await _answered(running.http, _with_demo_keys(sent))
            if answer is not None:
                answers[answer.status_code] += 1
        assert all(status < 500 for status in answers), answers
        assert (await ingest.pid(), ingest.exits) == (pid, [])
        known = {"type": "page", "userId": "last@example.com", "messageId": "last"}
        assert (await running.http.post("/v1/page", json=known, auth=WRITE_KEY)).status_code == 200
        assert "last" in {event["id"] for event in await running.events("engagements")}


def _with_demo_keys(sent: Sent) -> Sent:
    keys = {PUBLIC: WRITE_KEY[0], SERVER: SERVER_KEY[0]}
    for ours, demo in keys.items():
        headers = tuple((name, value.replace(basic(ours), basic(demo))) for name, value in sent.headers)
        sent = replace(sent, headers=headers, body=sent.body.replace(ours.encode(), demo.encode()))
    return sent


async def _answered(http: httpx.AsyncClient, sent: Sent) -> httpx.Response | None:
    """None where the client itself refuses to write such a request."""
    headers = [(name.encode(), value.encode("latin-1")) for name, value in sent.headers]
    try:
        return await http.send(http.build_request(sent.method, sent.path, headers=headers, content=sent.body))
    except (httpx.InvalidURL, httpx.LocalProtocolError):
        return None


def _check(sent: Sent, answer: httpx.Response, records: Sequence[Record]) -> None:
    """The answer is a documented one; what was published is what it says, and every consumer can read it."""
    path = "/" + "/".join(filter(None, answer.request.url.path.split("/")))
    operation = next((one for route, one in OPERATIONS.items() if re.fullmatch(_pattern(route), path)), None)
    if operation is None or sent.method != operation.method:
        assert answer.status_code in {404, 405}, (sent, answer.text)
    else:
        assert answer.status_code in {operation.success[0], *operation.refuses}, (sent, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", sent
        assert PROBLEM.is_valid(answer.json()), (sent, answer.text)
    for record in records:
        if record.topic != "events-rejected":
            READERS[record.topic].fact(record.key, record.value, datetime.now(UTC))
    rejected = sum(record.topic == "events-rejected" for record in records)
    events = sum(record.topic != "events-rejected" and LINK not in (record.value or b"") for record in records)
    match path:
        case "/v1/events":
            _check_events(sent, answer, events, rejected)
        case "/v1/sales-activities":
            assert len(records) == (answer.json()["accepted"] if answer.status_code == 200 else 0), sent
        case _ if answer.status_code != 200:
            assert not records, sent
        case _ if path in ROUTES:
            most, links = _items(sent, path)
            left = most - rejected - events
            assert 0 <= left <= links, (sent, records)


def _check_events(sent: Sent, answer: httpx.Response, events: int, rejected: int) -> None:
    said, kept = answer.json(), len(answer.json().get("errors", ()))
    if answer.status_code == 202:
        media = [value for name, value in sent.headers if name == "Content-Type"]
        content, _ = lenient.loads(_plain(sent.body)) if "-batch+json" in media[-1] else ([0], 0)
        assert (said["accepted"] + rejected, said.get("rejected", 0)) == (len(content), rejected), sent
        assert events <= said["accepted"], sent
    else:
        assert (events, rejected) in {(0, 0), (0, kept)}, sent
        assert rejected or answer.status_code != 422, sent


def _plain(body: bytes) -> bytes:
    return (body if body[:2] != b"\x1f\x8b" else gzip.decompress(body)).removeprefix(BOM_UTF8)


def _items(sent: Sent, path: str) -> tuple[int, int]:
    """How many items a body has that was taken, and how many of them may give links only."""
    content, _ = lenient.loads(_plain(sent.body))
    dialect, call = ROUTES[path]
    items = content[dialect.batch] if call is None else [content]
    said = [(call, one.get("type"), one.get("event")) if isinstance(one, dict) else () for one in items]
    return len(items), sum(any(isinstance(each, str) and each in LINKS for each in one) for one in said)


def _pattern(route: str) -> str:
    return re.sub(r"{\w+}", "[^/]+", route)
