"""The wiring table and what is generated from it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.export import FOLDER, differences, event_name, main, write
from schemas.sizes import dead_letter_topic, record_limit
from schemas.topics import PASSED_ON, SERVICES, TOPICS

EVENTS = [(topic, event) for topic in TOPICS.values() for event in topic.events]


@pytest.fixture
def asyncapi() -> Any:
    return yaml.safe_load((FOLDER / "asyncapi.yaml").read_text())


def test_topics_are_kebab_case_because_kafka_confuses_dots_with_underscores() -> None:
    for name, topic in TOPICS.items():
        assert name == topic.name
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)


def test_an_event_belongs_to_the_one_topic_it_names_unless_it_is_passed_on() -> None:
    own = [(topic, event) for topic, event in EVENTS if event not in PASSED_ON or topic.name == event.topic]
    assert len({event_name(event) for _, event in own}) == len(own)
    passed = {(topic.name, event) for topic, event in EVENTS} - {(topic.name, event) for topic, event in own}
    assert passed == {(name, event) for name in ("lead-scores", "lead-handoffs") for event in PASSED_ON}
    for topic, event in own:
        assert event.topic == topic.name
        assert re.fullmatch(r"[a-z]+\.[a-z_]+\.v[1-9]", event_name(event))


def test_whatever_a_service_reads_has_a_dead_letter_topic_that_it_writes() -> None:
    for topic in TOPICS.values():
        readers = set(topic.consumers) & set(SERVICES)
        letters = TOPICS.get(dead_letter_topic(topic.name))
        assert set(letters.producers if letters else ()) == readers


def test_a_dead_letter_has_room_for_the_record_and_its_reason() -> None:
    for topic in TOPICS.values():
        if letters := TOPICS.get(dead_letter_topic(topic.name)):
            assert int(letters.config["max.message.bytes"]) > int(topic.config["max.message.bytes"])


def test_topics_that_services_read_carry_the_brokers_time() -> None:
    for topic in TOPICS.values():
        if topic.events:
            assert topic.config.get("message.timestamp.type") == "LogAppendTime"


def test_every_service_has_a_place_in_the_wiring() -> None:
    assert set(SERVICES) <= {name for topic in TOPICS.values() for name in topic.producers}


def test_no_event_can_leave_out_its_key_or_what_makes_it_itself() -> None:
    for _, event in EVENTS:
        required = {name for name, field in event.model_fields.items() if field.is_required()}
        assert required == {"id", "source", "subject", "time", "data"}


def test_the_generated_files_are_fresh() -> None:
    assert differences(FOLDER) == []


def test_a_stale_a_missing_and_a_surplus_file_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "asyncapi.yaml").write_text("asyncapi: 2.0.0\n")
    (tmp_path / "jsonschema/deal.won.v1.schema.json").unlink()
    (tmp_path / "jsonschema/deal.forgotten.v1.schema.json").write_text("{}")
    assert main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err.splitlines()[:-1] == [
        "missing: jsonschema/deal.won.v1.schema.json",
        "stale: asyncapi.yaml",
        "surplus: jsonschema/deal.forgotten.v1.schema.json",
    ]
    assert main([], tmp_path) == 0
    assert differences(tmp_path) == []


def test_each_reference_of_asyncapi_leads_somewhere(asyncapi: Any) -> None:
    found = list(references(asyncapi))
    assert len(found) > len(EVENTS)
    for reference in found:
        if reference.startswith("#/"):
            at = asyncapi
            for step in reference.removeprefix("#/").split("/"):
                at = at[step]
        else:
            assert json.loads((FOLDER / reference).read_text())["title"].startswith("baton.")


def test_asyncapi_tells_the_wiring_table(asyncapi: Any) -> None:
    assert {channel["address"] for channel in asyncapi["channels"].values()} == set(TOPICS)
    told = {
        (operation["tags"][0]["name"], operation["action"], operation["channel"]["$ref"].rpartition("/")[2])
        for operation in asyncapi["operations"].values()
    }
    sent = {(name, "send", topic.name) for topic in TOPICS.values() for name in topic.producers}
    assert told == sent | {(name, "receive", topic.name) for topic in TOPICS.values() for name in topic.consumers}


def test_each_message_of_asyncapi_has_its_payload_and_its_key(asyncapi: Any) -> None:
    messages = asyncapi["components"]["messages"]
    for event in dict.fromkeys(event for _, event in EVENTS):
        message = messages.pop(event_name(event))
        assert message["payload"] == {"$ref": f"./jsonschema/{event_name(event)}.schema.json"}
        assert message["bindings"]["kafka"]["key"]["type"] == "string"
    assert set(messages) == {"dead.letter"}


def references(value: Any) -> Any:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_every_topics_limit_is_the_one_that_records_are_checked_against() -> None:
    for topic in TOPICS.values():
        assert topic.config["max.message.bytes"] == str(record_limit(topic.name))
