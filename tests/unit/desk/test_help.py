"""Every command of `baton` says what it does and shows an example; the services have `serve` and `migrate` only."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import ingest.__main__
import router.__main__
import scorer.__main__
import sla_monitor.__main__
from desk.__main__ import main

SERVICES = [ingest.__main__.main, scorer.__main__.main, router.__main__.main, sla_monitor.__main__.main]


def verbs(command: Any, *words: str) -> Iterator[tuple[str, ...]]:
    if not hasattr(command, "commands"):
        yield words
        return
    for name, each in command.commands.items():
        yield from verbs(each, *words, name)


ALL = list(verbs(typer.main.get_command(main)))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example_and_an_answer_for_programs(words: tuple[str, ...]) -> None:
    answer = CliRunner().invoke(main, [*words, "--help"], env={"COLUMNS": "200"})
    assert answer.exit_code == 0
    assert f"baton {' '.join(words)}" in answer.output.partition("Example:")[2]
    assert "--json" in answer.output


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_is_wrapped_to_the_terminal(words: tuple[str, ...]) -> None:
    text = CliRunner().invoke(main, [*words, "--help"], env={"COLUMNS": "80"}).output.partition("\u256d")[0]
    for line, following in pairwise(each.strip() for each in text.splitlines()):
        if line and following:
            assert len(f"{line} {following.split()[0]}") > 78, line


@pytest.mark.parametrize("verb", ["list", "replay"])
def test_what_ingest_rejected_has_a_help_of_its_own(verb: str) -> None:
    letters, rejected = (CliRunner().invoke(main, [kind, verb, "--help"]).output for kind in ("letters", "rejected"))
    assert all(word in letters for word in ("--topic", "-dlq", "`again`"))
    assert not any(word in rejected for word in ("--topic", "-dlq", "`again`"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_serve_and_migrate_only(service: typer.Typer) -> None:
    more = {("inbox",)} if service is ingest.__main__.main else set()
    assert set(verbs(typer.main.get_command(service))) == {("serve",), ("migrate",)} | more
    for words in ([], ["serve"], ["migrate"]):
        assert CliRunner().invoke(service, [*words, "--help"]).exit_code == 0


def completed(*words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    env = {"_BATON_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(("baton", *words)), "COMP_CWORD": str(len(words))}
    return CliRunner().invoke(main, [], prog_name="baton", env=env).output.split()


def test_the_shell_completes_commands_and_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--install-completion" in CliRunner().invoke(main, ["--help"]).output
    monkeypatch.chdir(Path(__file__).parents[3])
    assert completed("po") == ["policy"]
    for verb in ("show", "validate", "diff", "backtest", "apply"):
        assert completed("policy", verb, "bal") == ["balanced"]
    assert completed("policy", "diff", "balanced", "strict") == ["strict-70"]
    assert completed("policy", "show", "deploy/pol") == ["deploy/policies/"]
    assert completed("policy", "show", "nowhere/x") == []
