"""The file of write keys."""

import asyncio
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from ingest.__main__ import main
from ingest.keys import Key, UnreadableKeys, WriteKeys, hash_key
from tests.relay import ROOT

ONE = f"keys: [{{name: tracker, kind: public, sha256: {hash_key('pk_one')}}}]"
TWO = f"keys: [{{name: crm, kind: server, sha256: {hash_key('sk_two')}}}]"


def three(kind: str) -> str:
    entries = [f"{{name: tracker, kind: {kind}, sha256: {hash_key(str(n))}}}" for n in range(3)]
    return f"keys: [{', '.join(entries)}]"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.yaml"
    path.write_text(ONE)
    return path


def test_a_key_is_found_by_its_hash_only(file: Path) -> None:
    keys = WriteKeys(file)
    assert keys.find("pk_one") == Key("tracker", "public")
    assert keys.find("pk_one ") is None
    assert keys.find(hash_key("pk_one")) is None


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("keys: [\n", "line 2: not YAML"),
        ("", "the whole file"),
        ("keys: 5", "keys"),
        (ONE.replace("public", "admin"), "keys.0.kind"),
        (ONE.replace("tracker", "A/B"), "keys.0.name"),
        (ONE.replace("sha256: ", "sha256: Z"), "keys.0.sha256"),
        (ONE.replace("sha256", "key"), "keys.0.sha256"),
        (ONE[:-1] + f", {TWO[7:-2].replace('crm', 'tracker')}}}]", "tracker: at most 2 keys may have one name"),
        (three("public"), "tracker: at most 2 keys may have one name"),
        (ONE[:-1] + f", {ONE[7:-2].replace('tracker', 'other')}}}]", "two keys have the same sha256"),
    ],
)
def test_a_wrong_file_is_named_with_the_place_and_no_key(file: Path, content: str, place: str) -> None:
    file.write_text(content)
    with pytest.raises(UnreadableKeys) as error:
        WriteKeys(file)
    assert str(file) in str(error.value)
    assert place in str(error.value)
    assert hash_key("pk_one")[1:] not in str(error.value)


def test_a_new_key_of_a_sender_is_known_before_the_old_one_goes(file: Path) -> None:
    file.write_text(f"{ONE[:-1]}, {{name: tracker, kind: public, sha256: {hash_key('pk_new')}}}]")
    keys = WriteKeys(file)
    assert keys.find("pk_one") == keys.find("pk_new") == Key("tracker", "public")


@pytest.mark.parametrize(
    ("host", "code"), [("0.0.0.0", 2), ("::", 2), ("10.0.0.7", 2), ("example.com", 2), ("127.0.0.1", 0), ("::1", 0)]
)
def test_keys_that_everybody_knows_open_no_door_to_others(
    host: str, code: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.process.run.run", lambda *_: None)
    demo = {"BATON_WRITE_KEYS": str(ROOT / "deploy/local/write-keys.yaml"), "BATON_HTTP__HOST": host}
    answer = CliRunner().invoke(main, ["serve"], env=demo)
    assert answer.exit_code == code
    assert ("keys of the demo" in answer.output) == (code == 2)
    assert CliRunner().invoke(main, ["serve"], env=demo | {"BATON_WRITE_KEYS": str(file)}).exit_code == 0


def test_a_missing_file_says_what_names_it(tmp_path: Path) -> None:
    with pytest.raises(UnreadableKeys, match="BATON_WRITE_KEYS"):
        WriteKeys(tmp_path / "nowhere.yaml")


def test_a_changed_file_revokes_and_admits_without_a_restart(file: Path) -> None:
    keys = WriteKeys(file)
    file.write_text(TWO + "\n")
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(keys.watch(every=0.01), 0.2))
    assert keys.find("sk_two") == Key("crm", "server")
    assert keys.find("pk_one") is None


@pytest.mark.parametrize("content", ["keys: [", None])
def test_a_broken_change_keeps_the_keys_that_were(file: Path, content: str | None) -> None:
    keys = WriteKeys(file)
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    with capture_logs() as logs:
        keys.reread()
    assert keys.find("pk_one") == Key("tracker", "public")
    assert ([log["event"] for log in logs], keys.kept) == (["write_keys_kept"], True)
    file.write_text(TWO + " ")
    os.utime(file, (1, 1))
    keys.reread()
    assert (keys.find("sk_two") is not None, keys.kept) == (True, False)


def test_no_keys_at_all_is_a_way_to_shut_the_door(file: Path) -> None:
    file.write_text("keys: []")
    assert WriteKeys(file).find("pk_one") is None


def test_the_service_does_not_start_without_its_keys(tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, ["serve"], env={"BATON_WRITE_KEYS": str(tmp_path / "nowhere.yaml")})
    assert answer.exit_code == 2
    assert "The write keys cannot be read" in answer.output
