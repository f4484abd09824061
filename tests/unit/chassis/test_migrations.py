"""Which migration is the newest."""

from chassis.postgres.migrations import newest


def test_the_tenth_migration_is_newer_than_the_ninth_however_they_are_written() -> None:
    names = [f"v{number}_step.py" for number in range(1, 11)]
    assert newest([*names, "__init__.py", "notes.txt"]) == "10"
    assert newest(f"v{number:04}_step.py" for number in range(1, 11)) == "0010"
    assert newest(["v9999_step.py", "v10000_step.py"]) == "10000"
