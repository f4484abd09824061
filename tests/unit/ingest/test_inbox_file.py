"""The file of inboxes: what is wrong with it is said with its place."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chassis.documents import BadDocument
from desk.__main__ import main as baton
from ingest.__main__ import main
from ingest.formats import Formats
from ingest.inbox.file import read_inboxes

DEPLOY = Path(__file__).parents[3] / "deploy"
FORMATS = Formats(DEPLOY / "mappings")
GOOD = {"topic": "crm", "format": "debezium", "source": "crm", "class": "server"}


def written(tmp_path: Path, *inboxes: dict[str, Any]) -> Path:
    (path := tmp_path / "inboxes.yaml").write_text(json.dumps({"inboxes": list(inboxes)}))
    return path


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"format": "nothing"}, "no format 'nothing': expected one of cloudevents, contact-form"),
        ({"topic": "engagements"}, "topic: is one of Baton's own"),
        ({"topic": "engagements-dlq"}, "topic: is one of Baton's own"),
        ({"topic": "a b"}, "topic: String should match"),
        ({"class": "operator"}, "class: Input should be 'public' or 'server'"),
        ({"class": "public", "sends": ["sales-activities"]}, "sends: a public inbox may send engagements only"),
        ({"sends": ["lead-scores"]}, "Input should be 'engagements'"),
        ({"source": "A"}, "source: String should match"),
        ({"key": "x"}, "key: Extra inputs"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, changed: dict[str, Any], wanted: str) -> None:
    path = written(tmp_path, {**GOOD, **changed})
    with pytest.raises(BadDocument) as caught:
        read_inboxes(path, FORMATS)
    [problem] = caught.value.problems
    assert problem.startswith(f"{path}:")
    assert wanted in problem


def test_baton_says_how_each_topic_is_read_or_what_is_wrong(tmp_path: Path) -> None:
    def said(*inboxes: dict[str, Any]) -> tuple[int, str]:
        words = ["inbox", "validate", str(written(tmp_path, *inboxes)), "--mappings", str(FORMATS.folder)]
        answer = CliRunner().invoke(baton, words)
        assert json.loads(CliRunner().invoke(baton, [*words, "--json"]).output)["valid"] is (answer.exit_code == 0)
        return answer.exit_code, answer.output

    assert said(GOOD) == (0, "crm: debezium, as inbox/crm, server, may send engagements\nvalid: 1 inbox\n")
    code, output = said({**GOOD, "class": "x"}, {**GOOD, "topic": "other", "format": "x"})
    assert code == 2
    assert "inboxes.yaml:1: inboxes[0].class: " in output.replace("\n", "")


def test_a_topic_is_one_inbox(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match=r"inboxes\[1\] \(crm\): there are two of this topic"):
        read_inboxes(written(tmp_path, GOOD, GOOD), FORMATS)


def test_the_shipped_file_is_good() -> None:
    read_inboxes(DEPLOY / "inboxes.yaml", FORMATS)


@pytest.mark.parametrize(("inboxes", "said"), [([], "names no topic"), ([{}], "The inboxes cannot be read")])
def test_the_process_does_not_start_without_inboxes(tmp_path: Path, inboxes: list[Any], said: str) -> None:
    env = {"BATON_INBOXES": str(written(tmp_path, *inboxes)), "BATON_MAPPINGS": str(FORMATS.folder)}
    answer = CliRunner().invoke(main, ["inbox"], env=env)
    assert (answer.exit_code, said in answer.output) == (2, True)
