"""`baton keys hash`."""

from typer.testing import CliRunner

from desk.__main__ import main
from ingest.keys import hash_key


def test_the_command_prints_the_hash_as_the_file_wants_it() -> None:
    answer = CliRunner().invoke(main, ["keys", "hash"], input="pk_one\n")
    assert (answer.exit_code, answer.output.strip()) == (0, f"sha256: {hash_key('pk_one')}")
    assert CliRunner().invoke(main, ["keys", "hash"], input="\n").exit_code == 2
