"""Writes schemas/openapi.json, or with `--check` only compares it: 0 when it is fresh, else 1."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ingest.openapi.document import text
from schemas.export import FOLDER


def main(arguments: list[str] | None = None, file: Path = FOLDER / "openapi.json") -> int:
    """As the module says."""
    parser = argparse.ArgumentParser(prog="python -m ingest.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file is not fresh")
    if not parser.parse_args(arguments).check:
        file.write_bytes(text().encode())
    elif not file.exists() or file.read_bytes() != text().encode():
        sys.stderr.write("stale: openapi.json\nrun: make schemas\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
