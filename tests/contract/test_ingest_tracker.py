"""The tracker for web pages and the page for experiments; and what a sender may ask of its own call."""

import gzip
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from ingest.app import build
from ingest.http.pages import WEB
from ingest.keys import WriteKeys
from ingest.settings import Http, IngestSettings
from schemas.identity import lead_id_of
from tests.contract.conftest import SHOP, Door, Memory

MOST_BYTES = 3 * 1024


def client(tmp_path: Path, http: Http) -> httpx.AsyncClient:
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys: []")
    app = build(IngestSettings(http=http), WriteKeys(keys), Memory(), CollectorRegistry()).app
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t")


def test_the_tracker_is_small() -> None:
    assert len(gzip.compress((WEB / "t.js").read_bytes(), 9)) <= MOST_BYTES


async def test_the_tracker_is_kept_by_browsers_and_asked_for_again_cheaply(tmp_path: Path) -> None:
    async with client(tmp_path, Http()) as browser:
        answer = await browser.get("/t.js", headers={"Origin": SHOP})
        assert answer.headers["content-type"].startswith("text/javascript")
        assert (answer.content, answer.headers["content-encoding"]) == ((WEB / "t.js").read_bytes(), "gzip")
        assert "max-age=3600" in answer.headers["cache-control"]
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert {"Accept-Encoding", "Origin"} <= set(answer.headers["vary"].split(", "))
        again = await browser.get("/t.js", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        plain = await browser.get("/t.js", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == answer.content


async def test_the_page_for_experiments_is_off_unless_a_key_is_named(tmp_path: Path) -> None:
    async with client(tmp_path, Http()) as browser:
        assert [(await browser.get(path)).status_code for path in ("/try", "/try.js")] == [404, 404]


async def test_the_page_for_experiments_runs_no_script_but_ours(tmp_path: Path) -> None:
    async with client(tmp_path, Http(try_key='"><script>alert(1)</script>')) as browser:
        answer = await browser.get("/try", headers={"Host": "t'\"><b>"})
        assert "<script>alert" not in answer.text
        assert "<b>" not in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; " in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.text.count("<script") == 2
        assert (await browser.get("/try.js")).status_code == 200
        assert "innerHTML" not in (await browser.get("/try.js")).text


@pytest.mark.parametrize("path", ["/v1/batch?explain", "/v1/batch?explain=1"])
async def test_a_sender_who_asks_is_told_what_became_of_each_item(door: Door, path: str) -> None:
    items = [
        {"type": "track", "event": "X", "userId": "ada@example.com"},
        {"type": "track", "event": "X"},
        {"type": "track", "event": "X", "userId": "u1", "timestamp": "yesterday"},
        {"type": "alias", "previousId": "u1", "userId": "u1"},
    ]
    answer = await door.post(path, {"batch": items})
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    first, second, third, fourth = answer.json()["items"]
    assert first == {"lead": lead_id_of(email="ada@example.com")}
    assert (second["refused"], third["refused"], fourth) == ("no_identifier", "bad_time", {"lead": None})
    assert "time" in third["why"]
    assert third["detail"].startswith("timestamp")
    assert (await door.post("/v1/batch", {"batch": items})).json() == {"success": True}
