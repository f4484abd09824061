"""Ingest imports nothing that it does not need: nobody can send while it loads."""

import subprocess
import sys

PROGRAM = """
import sys
import ingest.__main__, ingest.app, chassis.process.run
print(*{name.partition('.')[0] for name in sys.modules})
"""


def test_ingest_loads_no_database() -> None:
    loaded = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout.split()
    assert "aiokafka" in loaded
    assert not {"sqlalchemy", "asyncpg", "alembic"} & set(loaded)
