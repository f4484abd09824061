"""Webhooks of platforms: who may send, what comes of their bodies, and what they are answered."""

import base64
import hmac
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Signed

from ingest.adapters import salesforce
from ingest.formats import Formats
from ingest.webhooks import Webhooks
from schemas.envelope import Decoder
from schemas.identity import lead_id_of
from schemas.topics import TOPICS
from tests.contract.conftest import Broker, Door, Opens

ROOT = Path(__file__).parents[2]
BODIES = ROOT / "tests" / "fixtures" / "platforms"
MAPPINGS = ROOT / "deploy" / "mappings"
ADA = lead_id_of(email="ada@example.com")
URL = "https://events.example.com/v1/webhooks/hubspot"
OLD, NEW = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))
KINDS = ("hubspot", "mautic", "salesforce", "standard", "token")
BODY = {kind: kind for kind in KINDS} | {"standard": "segment", "token": "debezium"}
"""Kind -> the folder of its recorded bodies."""


def recorded(folder: str) -> bytes:
    """The folder's first body, as if it had come an hour after the recorded one's last event."""
    path = sorted(p for p in (BODIES / folder).iterdir() if not p.stem.endswith(".events"))[0]
    now = datetime.now(UTC) - timedelta(hours=1)
    text = path.read_text().replace("2026-11-28T10:", now.strftime("%Y-%m-%dT%H:"))
    return re.sub(r"179586000(\d)", lambda found: f"{int(now.timestamp()) // 10}{found[1]}", text).encode()


@dataclass
class Platform:
    """A platform that sends to its webhook."""

    door: Door
    kind: str
    secret: str = NEW
    skew: timedelta = timedelta()
    id: str = "w-1"

    def signed(self, body: bytes) -> dict[str, Any]:
        """Headers and query of a request with this body."""
        at = datetime.now(UTC) + self.skew
        stamp = str(int(at.timestamp() * 1000))
        match self.kind:
            case "hubspot":
                headers = {"X-HubSpot-Request-Timestamp": stamp}
                headers["X-HubSpot-Signature-v3"] = self._mac(f"POST{URL}".encode() + body + stamp.encode())
            case "mautic":
                headers = {"Webhook-Signature": self._mac(body)}
            case "standard":
                signature = Signed(self.secret).sign(self.id, at, body.decode())
                headers = {"webhook-id": self.id, "webhook-timestamp": str(int(at.timestamp()))}
                headers["webhook-signature"] = signature
            case "token":
                headers = {"Authorization": f"Bearer {self.secret}"}
            case _:
                return {"params": {"token": self.secret}}
        return {"headers": headers}

    def _mac(self, said: bytes) -> str:
        return base64.b64encode(hmac.digest(self.secret.encode(), said, "sha256")).decode()

    async def send(self, body: bytes, **changed: Any) -> Any:
        """`changed`: what is sent instead of what was signed."""
        request = {"content": body, **self.signed(body), **changed}
        return await self.door.http.post(f"/v1/webhooks/{self.kind}", **request)

    async def published(self) -> list[tuple[str | None, dict[str, Any]]]:
        return [each for each in await self.door.broker.on("engagements") if each[1]["source"] == self.source]

    @property
    def source(self) -> str:
        return f"webhook/{self.kind}"


def entries(secret: Path) -> list[dict[str, Any]]:
    secrets = [{"file": str(secret)}, {"env": "HOOK_BEFORE"}]
    more: dict[str, dict[str, Any]] = {kind: {"secrets": secrets} for kind in KINDS}
    more["hubspot"]["url"] = URL
    more["salesforce"]["organization"] = "00D000000000001EAA"
    more["standard"]["format"], more["token"]["format"] = "segment", "debezium"
    return [{"name": kind, "kind": kind, **more[kind]} for kind in KINDS]


@pytest.fixture
def webhooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Webhooks:
    (secret := tmp_path / "secret").write_text(f"{NEW}\n")
    monkeypatch.setenv("HOOK_BEFORE", OLD)
    (tmp_path / "webhooks.yaml").write_text(json.dumps({"webhooks": entries(secret)}))
    return Webhooks(tmp_path / "webhooks.yaml", Formats(MAPPINGS))


@pytest.fixture
async def hooked(webhooks: Webhooks, broker: Broker, opened: Opens) -> AsyncIterator[Door]:
    async with opened(broker, webhooks) as door:
        yield door


@pytest.mark.parametrize("kind", KINDS)
async def test_a_recorded_body_arrives_once_however_often_it_comes(hooked: Door, kind: str) -> None:
    platform, body = Platform(hooked, kind, id=hooked.name), recorded(BODY[kind])
    before = Counter(map(json.dumps, await platform.published()))
    for _ in range(3):
        answer = await platform.send(body)
        assert answer.status_code == 200, answer.text
    after = Counter(map(json.dumps, await platform.published()))
    told = [json.loads(each) for each in (after - before).elements()]
    decoder = Decoder(*TOPICS["engagements"].events)
    facts = {
        (fact.lead_id, fact.key, fact.fingerprint)
        for key, value in told
        for fact in [decoder.fact((key or "").encode(), json.dumps(value).encode(), datetime.now(UTC))]
    }
    assert len(told) == 3 * len(facts) > 3
    assert ADA in {key for key, _ in told}
    assert {value["sentby"] for _, value in told} == {"public" if kind == "salesforce" else "server"}


@pytest.mark.parametrize("kind", KINDS)
async def test_either_of_two_live_secrets_is_taken_and_no_other(hooked: Door, kind: str) -> None:
    body = recorded(BODY[kind])
    assert (await Platform(hooked, kind, OLD).send(body)).status_code == 200
    wrong = "whsec_" + base64.b64encode(b"w" * 32).decode()
    before = len(await Platform(hooked, kind).published())
    answer = await Platform(hooked, kind, wrong).send(body)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert not any(secret in answer.text for secret in (OLD, NEW, wrong))
    assert len(await Platform(hooked, kind).published()) == before


@pytest.mark.parametrize("kind", ["hubspot", "mautic", "standard"])
async def test_an_altered_byte_is_refused(hooked: Door, kind: str) -> None:
    platform, body = Platform(hooked, kind), recorded(BODY[kind])
    altered = body.replace(b"ada@", b"eve@", 1)
    answer = await platform.send(body, content=altered)
    assert answer.status_code == 401
    for same in (body + b" ", body.replace(b": ", b":")):  # the same JSON in other bytes
        assert (await platform.send(body, content=same)).status_code == 401


@pytest.mark.parametrize("kind", ["hubspot", "standard"])
@pytest.mark.parametrize("minutes", [-6, 6, 60 * 24 * 365 * 9000])
async def test_an_old_or_future_time_stamp_is_refused(hooked: Door, kind: str, minutes: int) -> None:
    body = recorded(BODY[kind])
    if abs(minutes) < 60:
        assert (await Platform(hooked, kind, skew=timedelta(minutes=minutes)).send(body)).status_code == 401
        assert (await Platform(hooked, kind, skew=timedelta(minutes=minutes * 0.7)).send(body)).status_code == 200
        return
    headers = Platform(hooked, kind).signed(body)["headers"]
    for name in headers:
        if "imestamp" in name:
            for stamp in (str(minutes * 60_000), "-1", "nan", "1e999", "", "\u00b2", "9" * 400):
                told = {**headers, name: stamp.encode()}
                assert (await Platform(hooked, kind).send(body, headers=told)).status_code == 401


async def test_a_body_that_is_not_quite_json_is_mended_and_counted(hooked: Door) -> None:
    platform = Platform(hooked, "standard", id=hooked.name)
    call = '{"type": "track", "userId": "u1", "event": "X", "properties": {"a": NaN, "b": 1}}'
    assert (await platform.send(call.encode())).status_code == 200
    assert {"b": 1} in [value["data"].get("properties") for _, value in await platform.published()]
    assert hooked.count("values_mended_total", what="not_finite") == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_junk_for_a_signature_is_refused(hooked: Door, kind: str) -> None:
    body = recorded(BODY[kind])
    signed = Platform(hooked, kind).signed(body).get("headers", {})
    for junk in ("v1", "v1,", "v1,%%%", ",", " ", "v1,YQ== v2,YQ==", "\u00e9" * 40, "Bearer", "0" * 9000):
        headers = {name: value if "imestamp" in name else junk.encode() for name, value in signed.items()}
        answer = await Platform(hooked, kind).send(body, headers=headers, params={"token": junk})
        assert answer.status_code == 401
    assert (await hooked.http.post(f"/v1/webhooks/{kind}", content=b"\xff\xfe")).status_code == 401


async def test_salesforce_gets_its_own_receipt_and_sends_for_its_own_organization(hooked: Door) -> None:
    platform, body = Platform(hooked, "salesforce"), recorded("salesforce")
    answer = await platform.send(body)
    assert (answer.headers["content-type"], answer.content) == ("text/xml; charset=utf-8", salesforce.ACK)
    other = await platform.send(body.replace(b"<OrganizationId>00D0", b"<OrganizationId>00D1"))
    assert (other.status_code, other.json()["code"]) == (401, "other_organization")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a/>",
        b"{}",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<?xml version="1.0" encoding="nothing"?><a/>',
        b"<a>" * 100_000,
        b"\xff\xfe<",
    ],
)
async def test_what_is_no_outbound_message_is_refused(hooked: Door, body: bytes) -> None:
    answer = await Platform(hooked, "salesforce").send(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_xml")


async def test_no_entity_of_a_message_is_expanded(hooked: Door) -> None:
    message = recorded("salesforce").partition(b"?>")[2].replace(b"ada@example.com", b"&who;")
    answer = await Platform(hooked, "salesforce").send(b'<!DOCTYPE a [<!ENTITY who "e@example.com">]>' + message)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_xml")


async def test_an_item_that_cannot_be_read_is_set_aside_and_the_others_are_taken(hooked: Door) -> None:
    platform = Platform(hooked, "hubspot")
    events = json.loads(recorded("hubspot"))
    events[1]["occurredAt"] = "yesterday"
    events[2]["portalId"] = hooked.name
    answer = await platform.send(json.dumps(events).encode())
    assert answer.status_code == 200
    mine = [value for _, value in await platform.published() if hooked.name in json.dumps(value)]
    assert [value["data"].get("kind") for value in mine] == ["form_submitted"]
    rejected = [value for _, value in await hooked.broker.on("events-rejected") if value.get("item") == events[1]]
    assert [(value["reason"], value["source"], value["format"]) for value in rejected[-1:]] == [
        ("bad_item", "webhook/hubspot", "hubspot")
    ]
    assert hooked.count("rejected_total", reason="bad_item") == 1


async def test_there_is_no_other_webhook(hooked: Door) -> None:
    for name in ("nobody", "HUBSPOT", "%2e%2e"):
        assert (await hooked.http.post(f"/v1/webhooks/{name}", content=b"{}")).status_code == 404


async def test_a_body_that_is_not_json_is_refused_as_everywhere(hooked: Door) -> None:
    answer = await Platform(hooked, "token").send(b"{")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")
    deep = b"[" * 100_000 + b"]" * 100_000
    assert (await Platform(hooked, "standard").send(deep)).status_code == 400


async def test_a_changed_secret_counts_at_once_and_a_wrong_file_changes_nothing(
    hooked: Door, webhooks: Webhooks, tmp_path: Path
) -> None:
    body, rotated = recorded("mautic"), "another-secret-of-mautic"
    (tmp_path / "secret").write_text(rotated)
    webhooks.reread()
    assert (await Platform(hooked, "mautic", rotated).send(body)).status_code == 401  # standard needs base64: all stay
    (tmp_path / "secret").write_text(rotated := "whsec_" + base64.b64encode(b"r" * 24).decode())
    webhooks.reread()
    assert (await Platform(hooked, "mautic", rotated).send(body)).status_code == 200
    assert (await Platform(hooked, "mautic", NEW).send(body)).status_code == 401
    assert (await Platform(hooked, "mautic", OLD).send(body)).status_code == 200
