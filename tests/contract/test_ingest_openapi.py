"""The contract of ingest's routes: complete, fresh, valid, and shown only where a setting says so."""

import json
from html.parser import HTMLParser
from pathlib import Path

import httpx
import jsonschema_rs
import pytest
from prometheus_client import CollectorRegistry
from starlette.routing import Route

from ingest.app import Ingest, build
from ingest.keys import WriteKeys
from ingest.openapi.__main__ import main
from ingest.openapi.document import document
from ingest.openapi.operations import OPERATIONS
from ingest.settings import Http, IngestSettings
from schemas.export import FOLDER
from tests.contract.conftest import Memory

SHOWN = {"/openapi.json", "/docs"}


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys: []")
    return build(IngestSettings(http=Http(docs=True)), WriteKeys(keys), Memory(), CollectorRegistry())


def test_every_route_is_described_and_every_description_has_its_route(ingest: Ingest) -> None:
    routes = {
        (route.path, method)
        for route in ingest.app.routes
        if isinstance(route, Route) and route.path not in SHOWN
        for method in (route.methods or set()) - {"OPTIONS", "HEAD"}
    }
    assert routes == {(path, one.method) for path, one in OPERATIONS.items()}


def test_the_committed_file_is_fresh_and_a_stale_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check"]) == 0
    file = tmp_path / "openapi.json"
    assert main(["--check"], file) == 1
    assert main([], file) == 0
    assert file.read_bytes() == (FOLDER / "openapi.json").read_bytes()
    file.write_text(file.read_text().replace("Baton", "Button", 1))
    assert main(["--check"], file) == 1
    assert "make schemas" in capsys.readouterr().err


def validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    """Of one of the components."""
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/components/schemas/{schema}", **document()})


@pytest.mark.parametrize("path", [path for path, one in OPERATIONS.items() if one.bodies])
def test_the_example_of_a_route_is_as_its_schema_says(path: str) -> None:
    one = OPERATIONS[path]
    assert validator(next(iter(one.bodies.values()))).is_valid(one.takes)


def test_every_reference_has_its_target() -> None:
    said = document()
    text = json.dumps(said)
    for part, names in said["components"].items():
        for name in names:
            assert f'"#/components/{part}/{name}"' in text or part == "securitySchemes", name
    for place in {each.partition('"')[0] for each in text.split('"$ref": "#/')[1:]}:
        found = said
        for name in place.split("/"):
            found = found[name]


async def test_contract_and_page_are_shown_where_the_setting_says_so(ingest: Ingest) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(ingest.app), base_url="http://t") as http:
        answer = await http.get("/openapi.json")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.content == (FOLDER / "openapi.json").read_bytes()
        page = await http.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    links, places = set(), set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            said = dict(attrs)
            assert tag not in {"script", "img", "link"}
            links.add(said.get("href") or "")
            places.add("#" + (said.get("id") or ""))

    Reader().feed(page.text)
    assert links - places == {"/openapi.json", ""}
    assert all(path in page.text for path in OPERATIONS)
