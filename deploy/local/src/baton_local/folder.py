"""The data folder: one launcher at a time, and nothing deleted that Baton did not make."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from baton_local.errors import LocalError

MARK = "made-by-baton"
"""Marks a folder as ours. Only in such a folder is anything deleted."""

MAX_LOG = 10_000_000
"""Bytes of a log at which the next start sets it aside."""


def claimed(link: Path) -> bool:
    """Whether the neutral folder behind our link is ours alone: a copied clone's link leads to its original's data."""
    mark = link.resolve().parent / MARK
    if not mark.is_file():
        return False
    home = Path(mark.read_text())
    moved = not (home.is_symlink() and home.resolve() == link.resolve())
    return home == link or moved


class DataFolder:
    """The folder of Kafka's and Postgres's data and the logs; kept between runs."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.kafka = self.path / "kafka"
        self.postgres = self.path / "postgres"
        self.logs = self.path / "logs"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locked while the block runs; the kernel releases it at our death. LocalError when another launcher has it."""
        self._make()
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LocalError(f"Another run is using the data in {self.path}: stop it, or pass --data.") from error
            yield

    def forget(self) -> None:
        """Deletes data and logs of earlier runs; call it with the lock held."""
        for path in (self.kafka, self.postgres, self.logs):
            try:
                if path.is_symlink():
                    if claimed(path):
                        shutil.rmtree(path.resolve().parent)
                    path.unlink()
                elif path.exists():
                    shutil.rmtree(path)
            except PermissionError as error:
                raise LocalError(f"{error.filename} belongs to another user and cannot be deleted.") from error
        self.logs.mkdir()

    def _make(self) -> None:
        mark = self.path / MARK
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not mark.exists() and any(self.path.iterdir()):
                raise LocalError(f"{self.path} is not empty and was not made by Baton: choose another with --data.")
            mark.touch()
            self.logs.mkdir(exist_ok=True)
            self._rotate_logs()
        except (NotADirectoryError, FileExistsError) as error:
            raise LocalError(f"{self.path} is not a folder: choose another with --data.") from error
        except PermissionError as error:
            raise LocalError(f"{self.path} cannot be written by this user: choose another with --data.") from error

    def _rotate_logs(self) -> None:
        """Logs are continued by each run; a large one is renamed, replacing the one renamed before."""
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > MAX_LOG:
                log.replace(log.with_suffix(".log.old"))
