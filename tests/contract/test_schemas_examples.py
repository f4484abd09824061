"""Checks of the folder `schemas/`: each event has an example, which decoder and schema accept."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from schemas.envelope import Decoder, Envelope
from schemas.export import FOLDER, event_name
from schemas.handoffs import handoff_id_of
from schemas.identity import Identifiers, lead_id_of
from schemas.topics import TOPICS

EVENTS = {event_name(event): event for topic in TOPICS.values() for event in topic.events}
EXAMPLES = sorted((FOLDER / "examples").rglob("*.json"))


def decoded(path: Path) -> Envelope:
    event = EVENTS[path.parent.name]
    return Decoder(*TOPICS[event.topic].events).event(path.read_bytes())


def validator(name: str) -> jsonschema_rs.Validator:
    schema = json.loads((FOLDER / f"jsonschema/{name}.schema.json").read_text())
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


@pytest.fixture(params=EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def example(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_every_event_has_an_example_and_every_example_an_event() -> None:
    assert {path.parent.name for path in EXAMPLES} == set(EVENTS)
    assert [path for path in (FOLDER / "examples").rglob("*") if path.is_file() and path not in EXAMPLES] == []


def test_an_example_decodes_as_its_event_and_survives_encoding(example: Path) -> None:
    event = decoded(example)
    assert type(event) is EVENTS[example.parent.name]
    assert Decoder(type(event)).event(event.encode()) == event
    assert json.loads(example.read_text())["data"].keys() <= type(event.data).model_fields.keys()


def test_an_example_is_valid_by_its_json_schema_also_once_baton_has_encoded_it(example: Path) -> None:
    schema = validator(example.parent.name)
    schema.validate(json.loads(example.read_text()))
    schema.validate(json.loads(decoded(example).encode()))


@pytest.mark.parametrize("field", ["specversion", "type", "id", "source", "subject", "time", "data"])
def test_decoder_and_json_schema_agree_on_what_is_required(example: Path, field: str) -> None:
    record: dict[str, Any] = json.loads(example.read_text())
    del record[field]
    assert not validator(example.parent.name).is_valid(record)
    with pytest.raises(ValueError, match="invalid_event"):
        Decoder(EVENTS[example.parent.name]).event(json.dumps(record).encode())


@pytest.mark.parametrize(
    ("field", "value"), [("time", 1772442000), ("time", "2026-03-02"), ("id", ""), ("subject", "ada@example.com")]
)
def test_decoder_and_json_schema_agree_on_what_is_wrong(example: Path, field: str, value: object) -> None:
    record = json.loads(example.read_text()) | {field: value}
    assert not validator(example.parent.name).is_valid(record)
    with pytest.raises(ValueError, match="invalid_event"):
        Decoder(EVENTS[example.parent.name]).event(json.dumps(record).encode())


def test_an_example_is_about_the_lead_that_its_identifiers_name(example: Path) -> None:
    event = decoded(example)
    if event.type == "baton.lead.linked.v1":
        assert event.subject == event.data.alias
    named = getattr(event.data, "identifiers", None)
    if named is None and (contact := getattr(event.data, "contact", None)):
        named = Identifiers(email=contact.email)
    if named is not None:
        assert event.subject == lead_id_of(**named.model_dump())
    if handoff := getattr(event.data, "handoff_id", None):
        assert handoff == handoff_id_of(event.subject, event.data.episode)


def test_a_scored_example_adds_up() -> None:
    scored = [decoded(path) for path in EXAMPLES if path.parent.name in ("lead.scored.v1", "lead.handed_off.v1")]
    assert scored
    for event in scored:
        assert sum(line.points for line in event.data.explanation) == event.data.score


def test_examples_name_only_reserved_domains() -> None:
    """People and companies are invented; addresses that are somebody's are not ours to print."""
    for path in EXAMPLES:
        domains = {word.rpartition("@")[2].strip('",') for word in path.read_text().split() if "@" in word}
        assert domains <= {"example.com", "example.org", "example.net"}, path
