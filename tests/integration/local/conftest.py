"""Where the embedded stack keeps its data."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def data() -> Iterator[Path]:
    """To be made, in a folder that any user may reach: under root, Postgres runs as nobody."""
    folder = Path(tempfile.mkdtemp(prefix="baton-local-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder / "data"
    shutil.rmtree(folder)
