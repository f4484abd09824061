"""The lock files of the clients: every package by its hash, and nobody's address."""

import json

from tests.conformance.conftest import HERE


def test_the_lock_files_name_hashes_and_no_addresses() -> None:
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []
    python = (HERE / "python.lock").read_text()
    assert "://" not in python
    assert python.count("--hash=sha256:") > 50
