"""The file of webhooks: what is wrong with it is said with its place, and no secret is ever quoted."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chassis.documents import BadDocument
from ingest.__main__ import main
from ingest.formats import Formats
from ingest.webhooks import Webhooks

MAPPINGS = Formats(Path(__file__).parents[3] / "deploy" / "mappings")
DEMO = str(MAPPINGS.folder.parent / "local" / "webhooks.yaml")
SECRET = {"env": "A_SECRET"}


def problem(tmp_path: Path, *hooks: dict[str, Any]) -> str:
    """The one problem of a file with these webhooks."""
    (path := tmp_path / "hooks.yaml").write_text(json.dumps({"webhooks": list(hooks)}))
    with pytest.raises(BadDocument) as caught:
        Webhooks(path, MAPPINGS)
    [only] = caught.value.problems
    assert only.startswith(f"{path}:")
    assert "hunter2hunter2" not in only
    return only


@pytest.mark.parametrize(
    ("hook", "wanted"),
    [
        ({"kind": "token", "secrets": [SECRET]}, "format: expected the name of a mapping"),
        (
            {"kind": "token", "format": "nothing", "secrets": [SECRET]},
            "no format 'nothing': expected one of cloudevents",
        ),
        ({"kind": "hubspot", "secrets": [SECRET]}, "url: expected"),
        ({"kind": "mautic", "url": "https://x", "secrets": [SECRET]}, "url: expected"),
        ({"kind": "salesforce", "secrets": [SECRET]}, "organization: expected"),
        ({"kind": "salesforce", "organization": "0", "class": "server", "secrets": [SECRET]}, "class: must be public"),
        ({"kind": "mautic", "class": "operator", "secrets": [SECRET]}, "class: Input should be 'public' or 'server'"),
        ({"kind": "mautic", "class": "public", "sends": ["sales-activities"], "secrets": [SECRET]}, "sends: a public"),
        ({"kind": "mautic", "sends": ["lead-scores"], "secrets": [SECRET]}, "Input should be 'engagements'"),
        ({"kind": "mautic", "secrets": []}, "secrets: expected at least one"),
        ({"kind": "mautic", "secrets": ["hunter2hunter2hunter2"]}, "secrets[0]: Input should be"),
        ({"kind": "mautic", "secrets": [{"env": "A", "file": "b"}]}, "secrets[0]: Value error, expected either env"),
        ({"kind": "mautic", "secrets": [{"env": "NOT_SET"}]}, "the variable NOT_SET has no secret of at least 16"),
        ({"kind": "mautic", "secrets": [{"file": "nowhere"}]}, "nowhere cannot be read: FileNotFoundError"),
        ({"kind": "standard", "format": "segment", "secrets": [{"env": "ODD"}]}, "whsec_ and base64"),
        ({"name": "A b", "kind": "mautic", "secrets": [SECRET]}, "name: String should match"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: dict[str, Any], wanted: str
) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2hunter2hunter2")
    monkeypatch.setenv("ODD", "hunter2hunter2hunter2\u00e9")
    assert wanted in problem(tmp_path, {"name": "a", **hook})


def test_the_file_of_make_run_is_good() -> None:
    known = Webhooks(Path(DEMO), MAPPINGS)
    assert known.find("demo-form") is not None
    assert known.has_known_ones


@pytest.mark.parametrize(("file", "said"), [("nowhere.yaml", "webhooks cannot be read"), (DEMO, "secret of the demo")])
def test_the_service_does_not_start_with_webhooks_that_are_wrong_or_everybodys(
    tmp_path: Path, file: str, said: str
) -> None:
    (keys := tmp_path / "keys.yaml").write_text("keys: []")
    env = {"BATON_WRITE_KEYS": str(keys), "BATON_WEBHOOKS": file, "BATON_HTTP__HOST": "0.0.0.0"}
    answer = CliRunner().invoke(main, ["serve"], env={**env, "BATON_MAPPINGS": str(MAPPINGS.folder)})
    assert (answer.exit_code, said in answer.output) == (2, True)


def test_a_name_is_one_webhooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2hunter2hunter2")
    hook = {"name": "a", "kind": "mautic", "secrets": [SECRET]}
    assert "webhooks[1] (a): there are two of this name" in problem(tmp_path, hook, hook)


def test_a_secret_is_in_no_representation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2hunter2hunter2")
    (path := tmp_path / "hooks.yaml").write_text(
        json.dumps({"webhooks": [{"name": "a", "kind": "mautic", "secrets": [SECRET]}]})
    )
    found = Webhooks(path, MAPPINGS).find("a")
    assert found is not None
    assert found.secrets == ("hunter2hunter2hunter2",)
    assert "hunter2" not in repr(found)
