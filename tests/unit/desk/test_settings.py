"""Which relay a command acts on: the one in the environment, or whole the one of this folder and this user."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chassis.process.settings import Kafka
from desk.__main__ import main
from desk.settings import RELAY, DeskSettings

NAMED = {
    "BATON_KAFKA__BOOTSTRAP_SERVERS": "here:9092",
    "BATON_KAFKA__PREFIX": "mine-",
    "BATON_DATABASE__URL": "postgresql://reader@here/db",
}


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of `make run` in the current folder; the environment names no relay."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BATON_")]:
        monkeypatch.delenv(name)
    RELAY.parent.mkdir(mode=0o700)
    RELAY.write_text("".join(f"{name}={value}\n" for name, value in NAMED.items()))
    RELAY.chmod(0o600)
    return RELAY


@pytest.mark.usefixtures("file")
def test_the_relay_of_the_folder_is_found() -> None:
    settings = DeskSettings.read()
    assert settings.kafka == Kafka(bootstrap_servers="here:9092", prefix="mine-")
    assert settings.database.url.get_secret_value() == NAMED["BATON_DATABASE__URL"]


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("name", [*NAMED, "baton_kafka__prefix", "BATON_KAFKA", "BATON_POLICIES"])
def test_a_relay_in_the_environment_is_not_mixed_with_that_of_the_folder(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "{}" if name == "BATON_KAFKA" else "there")
    settings = DeskSettings.read()
    found = {settings.kafka.bootstrap_servers, settings.kafka.prefix, settings.database.url.get_secret_value()}
    assert found.isdisjoint(NAMED.values())


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_or_folder_that_others_may_write_is_refused(file: Path, mode: int) -> None:
    for place, was in ((file, 0o600), (file.parent, 0o700)):
        place.chmod(mode | was)
        with pytest.raises(SystemExit, match="others may write to it"):
            DeskSettings.read()
        place.chmod(was)


@pytest.mark.usefixtures("file")
def test_a_file_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(SystemExit, match="another user's"):
        DeskSettings.read()


@pytest.mark.parametrize("content", [b"BATON_KAFKA__PREFIX=\xff\xfe\n", b"BATON_KAFKA=notjson\n"])
def test_a_broken_file_ends_the_command_with_a_sentence_without_the_value(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(SystemExit, match=r"baton\.env: ") as ended:
        DeskSettings.read()
    assert "notjson" not in str(ended.value)


@pytest.mark.parametrize(
    "words", [("erase", "ada@example.com"), ("suppress", "ada@example.com"), ("letters", "replay", "--apply")]
)
def test_what_changes_a_relay_says_first_which_one(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("BATON_KAFKA__PREFIX", "mine-")
    answer = CliRunner().invoke(main, words)
    said, *_ = answer.stderr.splitlines()
    assert (answer.exit_code, said) == (1, "Relay: broker 127.0.0.1:1, prefix mine-")
