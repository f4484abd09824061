"""The file by which `baton` finds a run: the desk believes the one that `make run` writes."""

import os
from pathlib import Path

import pytest

from baton_local.options import Ports, Run
from baton_local.services import tell_desk
from baton_local.stack import Stack, StackOptions
from desk.settings import RELAY, DeskSettings


def test_the_desk_believes_the_file_of_a_run_in_a_folder_that_a_group_may_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BATON_")]:
        monkeypatch.delenv(name)
    RELAY.parent.mkdir()
    RELAY.touch()
    for place in (RELAY.parent, RELAY):
        place.chmod(0o777)
    stack = Stack(RELAY.parent, StackOptions(kafka_port=19999, postgres_port=19998))
    tell_desk(Run(RELAY.parent, Ports(), "balanced", demo=False, fresh=False), stack)
    settings = DeskSettings.read()
    assert settings.kafka.bootstrap_servers == stack.bootstrap_servers
    assert settings.policies.name == "balanced"
