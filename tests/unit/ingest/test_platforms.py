"""What the bodies of platforms in tests/fixtures/platforms become, by the shipped formats."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.adapters import salesforce
from ingest.formats import ENGAGEMENTS, SALES, Formats, Origin, Read, read
from ingest.settings import Limits
from schemas.envelope import Envelope

ROOT = Path(__file__).parents[3]
BODIES = ROOT / "tests" / "fixtures" / "platforms"
FORMATS = Formats(ROOT / "deploy" / "mappings")
CASES = sorted(
    path for path in BODIES.glob("*/*") if path.suffix in (".json", ".xml") and not path.stem.endswith(".events")
)
RECEIVED = datetime(2026, 11, 28, 12, tzinfo=UTC)


def content_of(body: Path) -> Any:
    return salesforce.message(body.read_bytes()) if body.suffix == ".xml" else json.loads(body.read_bytes())


def events_of(body: Path) -> list[Envelope]:
    """All events of the body, in order."""
    name, found = body.parent.name, Read()
    how = FORMATS.find(name)
    for place, item in enumerate(how.split(content_of(body))):
        origin = Origin(f"webhook/{name}", "server", RECEIVED, name, frozenset((ENGAGEMENTS, SALES)), f"body/{place}")
        found.add(read(item, how, origin, Limits()))
    return found.events


@pytest.mark.parametrize("body", CASES, ids=lambda body: f"{body.parent.name}/{body.name}")
def test_a_recorded_body_becomes_its_events(body: Path) -> None:
    told = [json.loads(event.model_dump_json(exclude_none=True)) for event in events_of(body)]
    expected = json.loads(body.with_suffix(".events.json").read_text())
    assert told == expected


def test_every_mapping_has_a_recorded_body() -> None:
    mappings = {path.stem for path in (ROOT / "deploy" / "mappings").glob("*.yaml")}
    assert mappings <= {body.parent.name for body in CASES}
