"""What web pages and their libraries ask of ingest: routes, paths, places of the key, origins, settings."""

import json
from typing import Any

import pytest

from tests.contract.conftest import PUBLIC, SERVER, SHOP, Door, basic

ADA = {"userId": "ada@example.com", "messageId": "m-1"}


@pytest.mark.parametrize(
    ("path", "more", "kind"),
    [
        ("/v1/t", {"event": "Demo Requested"}, "demo_requested"),
        ("/v1/p", {"name": "Pricing"}, "page_viewed"),
        ("/v1/s", {"name": "Pricing"}, "screen_viewed"),
        ("/v1/screen", {"name": "Pricing"}, "screen_viewed"),
        ("/v1/i", {"traits": {"title": "CEO"}}, None),
        ("/v1/b", {"batch": [{**ADA, "type": "screen", "name": "Pricing"}]}, "screen_viewed"),
        ("//v1/track", {"event": "Demo Requested"}, "demo_requested"),
        ("/v1/track/", {"event": "Demo Requested"}, "demo_requested"),
        ("/beacon/v1/batch", {"batch": [{**ADA, "type": "page", "name": "Pricing"}]}, "page_viewed"),
    ],
)
async def test_short_routes_and_slashes_too_many_are_taken(
    door: Door, path: str, more: dict[str, Any], kind: str
) -> None:
    answer = await door.post(f"http://t{path}", more if "batch" in more else {**ADA, **more})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    [(_, event)] = await door.published()
    assert (event["data"].get("kind"), event["sentby"]) == (kind, "public")


@pytest.mark.parametrize("path", ["/v1/g", "/v1/group"])
async def test_a_group_is_the_company_of_a_person(door: Door, path: str) -> None:
    traits = {"name": "Acme", "industry": "Farming", "employees": 329, "email": "info@acme.example"}
    assert (await door.post(path, {**ADA, "groupId": "acme", "traits": traits})).status_code == 200
    [(_, event)] = await door.published()
    described = {name: event["data"].get(name) for name in ("company", "industry", "company_size")}
    assert described == {"company": "Acme", "industry": "Farming", "company_size": 329}
    assert event["data"]["identifiers"] == {"email": "ada@example.com"}


async def test_a_key_in_any_place_is_taken_and_none_of_them_is_kept(door: Door) -> None:
    track = {**ADA, "event": "X"}
    sent = [
        await door.post(
            "/v1/track", {**track, "messageId": "1"}, key=None, headers={"Authorization": f"Bearer {PUBLIC}"}
        ),
        await door.post(f"/v1/track?writeKey={PUBLIC}", {**track, "messageId": "2"}, key=None),
        await door.post("/v1/track", {**track, "messageId": "3"}, key=None, headers={"X-Write-Key": PUBLIC}),
        await door.post("/v1/track?writeKey=pk_old", {**track, "messageId": "4", "writeKey": PUBLIC}, key=None),
        await door.post("/v1/track", {**track, "messageId": "5"}, key=None, headers={"X-Write-Key": f"{PUBLIC}:more"}),
        await door.post("/v1/track", {**track, "messageId": "6"}, key=None, headers={"X-Write-Key": f"no:{PUBLIC}"}),
    ]
    assert [answer.status_code for answer in sent] == [200, 200, 200, 401, 200, 401]
    published = await door.published()
    assert len(published) == 4
    assert PUBLIC not in json.dumps(published)


async def test_the_key_in_the_body_goes_before_that_of_the_url(door: Door) -> None:
    call = {**ADA, "event": "X", "writeKey": SERVER}
    assert (await door.post(f"/v1/track?writeKey={PUBLIC}", call, key=None)).status_code == 200
    [(_, event)] = await door.published()
    assert (event["source"], event["sentby"]) == (f"segment/{door.name}-server", "server")


async def test_a_page_of_an_allowed_origin_asks_sends_and_reads_the_answer(door: Door) -> None:
    asks = {"Origin": SHOP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = await door.http.options("/v1/t", headers=asks)
    assert answer.status_code == 200
    allowed = {name: answer.headers[f"access-control-allow-{name}"] for name in ("origin", "headers", "methods")}
    assert allowed["origin"] == SHOP
    assert {"authorization", "anonymousid", "sentat", "x-retry-count", "x-write-key", "content-type"} <= set(
        allowed["headers"].split(", ")
    )
    assert "POST" in allowed["methods"]
    assert "access-control-allow-credentials" not in answer.headers
    answer = await door.post("/v1/t", {**ADA, "event": "X"}, headers={"Origin": SHOP})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, SHOP)
    assert answer.headers["access-control-expose-headers"] == "Retry-After"


@pytest.mark.parametrize(
    "origin", ["https://other.example", "http://shop.example", "https://shop.example.evil.example", "null"]
)
async def test_a_page_of_another_origin_is_refused_and_can_read_why(door: Door, origin: str) -> None:
    answer = await door.post("/v1/t", {**ADA, "event": "X"}, headers={"Origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
    assert answer.headers["access-control-allow-origin"] == origin
    assert await door.published() == []


@pytest.mark.parametrize("path", ["/v1/track", "/v1/sales-activities"])
async def test_no_page_may_use_a_secret_key(door: Door, path: str) -> None:
    answer = await door.post(path, {**ADA, "event": "X"}, key=SERVER, headers={"Origin": SHOP})
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")


async def test_a_page_of_our_own_may_send(door: Door) -> None:
    answer = await door.post("/v1/t", {**ADA, "event": "X"}, headers={"Origin": "http://t"})
    assert answer.status_code == 200


async def test_a_path_given_twice_is_told_and_counted(door: Door) -> None:
    answer = await door.post("/v1/batch/v1/batch", {"batch": [ADA]})
    assert answer.status_code == 404
    assert "the client adds /v1/batch itself" in answer.json()["message"]
    assert door.count("requests_total", route="doubled", status="404") == 1
    assert (await door.post("/v2/none", {})).json()["message"] == "there is no such route"


async def test_the_settings_of_segments_browser_library_name_this_server(door: Door) -> None:
    answer = await door.http.get(f"/v1/projects/{PUBLIC}/settings", headers={"Origin": SHOP})
    segment = answer.json()["integrations"]["Segment.io"]
    assert segment.items() >= {"apiKey": PUBLIC, "apiHost": "t/v1", "protocol": "http"}.items()
    assert segment["deliveryStrategy"]["config"] == {"keepalive": True}
    assert answer.headers["access-control-allow-origin"] == SHOP
    unknown = await door.http.get("/v1/projects/pk_unknown/settings")
    assert (unknown.status_code, unknown.json()["code"]) == (401, "unknown_write_key")


@pytest.mark.parametrize("path", ["/sourceConfig/?p=npm&v=3.34.1&writeKey={}", "/sourceConfig?writeKey={}"])
async def test_the_configuration_of_rudders_browser_library_sends_to_the_data_plane_alone(
    door: Door, path: str
) -> None:
    answer = await door.http.get(path.format(PUBLIC), headers={"Origin": SHOP})
    source = answer.json()["source"]
    assert (source["enabled"], source["writeKey"], source["destinations"]) == (True, PUBLIC, [])
    by_header = await door.http.get("/sourceConfig/", headers={"Authorization": basic(PUBLIC)})
    assert by_header.json() == answer.json()
    assert (await door.http.get("/sourceConfig")).json()["code"] == "no_write_key"
