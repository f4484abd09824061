"""Settings come from the environment, secrets from files, and say which field is wrong."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from chassis.process.settings import JudgeSettings

URL = "postgresql://scorer:secret@db/baton"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of Baton's but what a service cannot do without; what `read` adds is taken away again."""
    for name in [name for name in os.environ if name.startswith("BATON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BATON_OPS__PORT", "9102")
    monkeypatch.setenv("BATON_DATABASE__URL", URL)
    yield
    for name in [name for name in os.environ if name.startswith("BATON_")]:
        del os.environ[name]


def test_secret_is_read_from_the_file_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://other@db/baton\n")
    monkeypatch.delenv("BATON_DATABASE__URL")
    monkeypatch.setenv("BATON_DATABASE__URL_FILE", str(tmp_path / "url"))
    assert JudgeSettings.read().database.url.get_secret_value() == "postgresql://other@db/baton"


def test_variable_wins_over_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://other@db/baton")
    monkeypatch.setenv("BATON_DATABASE__URL_FILE", str(tmp_path / "url"))
    assert JudgeSettings.read().database.url.get_secret_value() == URL


def test_secret_is_not_shown() -> None:
    assert "secret" not in repr(JudgeSettings.read())


def test_settings_are_frozen() -> None:
    settings = JudgeSettings.read()
    with pytest.raises(ValidationError, match="frozen"):
        settings.kafka = settings.kafka  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        settings.kafka.prefix = "x"  # type: ignore[misc]


def test_one_variable_of_a_section_leaves_the_others_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_WORKER__BATCH_RECORDS", "7")
    worker = JudgeSettings.read().worker
    assert (worker.batch_records, worker.cache_leads) == (7, 50_000)


@pytest.mark.parametrize(
    ("name", "value"),
    [("BATON_WORKER__BATCH_RECORDS", "0"), ("BATON_OPS__PORT", "no"), ("BATON_KAFKA__SERVERS", "x")],
)
def test_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=f"^{name}: [^\n]+$"):
        JudgeSettings.read()


def test_every_wrong_variable_is_named_and_no_value_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BATON_DATABASE__URL")
    monkeypatch.setenv("BATON_OPS__PORT", "s3cret")
    with pytest.raises(SystemExit) as caught:
        JudgeSettings.read()
    lines = str(caught.value.code).splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == ["BATON_DATABASE", "BATON_OPS__PORT"]
    assert "s3cret" not in str(caught.value.code)


def test_secret_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BATON_DATABASE__URL")
    monkeypatch.setenv("BATON_DATABASE__URL_FILE", "/nowhere/url")
    with pytest.raises(SystemExit, match="BATON_DATABASE__URL_FILE: /nowhere/url cannot be read"):
        JudgeSettings.read()
