"""Kafka's jars: the pinned list beside this file, fetched once per user through jgo and checked by SHA-256."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, TextIO

from baton_local.errors import LocalError

if TYPE_CHECKING:
    from jgo.maven import MavenContext

KAFKA = "org.apache.kafka:kafka_2.13:4.3.1"
LOCK = "kafka-jars.lock"
TIMEOUT = 10
"""Seconds without a byte after which a download has failed."""

Advance = Callable[[int], None]
"""Called with the number of bytes received, from several threads."""


@dataclass(frozen=True)
class Jar:
    """One line of the lock file."""

    coordinate: str
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    def whole(self, folder: Path) -> bool:
        """Whether the folder has it complete; its content was checked when it was stored."""
        path = folder / self.filename
        return path.is_file() and path.stat().st_size == self.size


def pinned() -> list[Jar]:
    """The jars in the lock file."""
    lines = (files("baton_local") / LOCK).read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return [Jar(coordinate, int(size), sha256) for coordinate, size, sha256 in rows]


def cache_folder() -> Path:
    """Shared by all clones of a user: $BATON_CACHE, else baton/ in $XDG_CACHE_HOME, else ~/.cache/baton."""
    if given := os.environ.get("BATON_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "baton"


def missing(folder: Path) -> list[Jar]:
    """The pinned jars that the folder lacks; no network."""
    return [jar for jar in pinned() if not jar.whole(folder)]


def fetch(folder: Path, advance: Advance, stopped: Event) -> None:
    """Downloads every missing jar into the folder, checked; a jar is stored completely or not at all.

    Blocks until done or `stopped`; one process at a time downloads, others wait for it. Raises LocalError when a jar
    cannot be had; jars that were stored stay, so the next run continues from there.
    """
    staging = folder / "incoming"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            _wait_for(lock, stopped)
            shutil.rmtree(staging, ignore_errors=True)
            _fetch_all(missing(folder), folder, staging, advance, stopped)
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise LocalError(f"Kafka's jars cannot be kept in {folder}: {error.strerror or error}.") from error


def _wait_for(lock: TextIO, stopped: Event) -> None:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if stopped.wait(0.2):
                raise LocalError("The download of Kafka was stopped.") from None
        else:
            return


def _fetch_all(wanted: list[Jar], folder: Path, staging: Path, advance: Advance, stopped: Event) -> None:
    def advance_until_stopped(count: int) -> None:
        if stopped.is_set():
            raise LocalError("The download of Kafka was stopped.")
        advance(count)

    context = _context(staging, advance_until_stopped)
    with ThreadPoolExecutor(max_workers=6, thread_name_prefix="jars") as pool:
        running = [pool.submit(_fetch, jar, context, folder) for jar in wanted]
        try:
            for _ in map(Future.result, as_completed(running)):
                pass
        except BaseException:
            stopped.set()
            pool.shutdown(cancel_futures=True)
            running.clear()  # else the error keeps jgo's open connections until the collector runs
            raise


def _fetch(jar: Jar, context: MavenContext, folder: Path) -> None:
    group, artifact, version = jar.coordinate.split(":")
    try:
        path: Path = context.project(group, artifact).at_version(version).artifact().resolve()
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # an error of the disk, not of the network: errors of requests have no errno
        raise LocalError(
            f"The download of Kafka broke off at {jar.filename} ({_cause(error)}): check the network and run again, "
            "what has come is kept."
        ) from error
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        raise LocalError(
            f"The download of {jar.filename} is damaged (its SHA-256 is not the pinned one): run again, and if it "
            "stays so, do not trust the network."
        )
    path.replace(folder / jar.filename)


def _cause(error: Exception) -> str:
    causes = {
        "ConnectionError": "no connection",
        "ConnectTimeout": "no connection",
        "ProxyError": "the proxy does not answer",
        "SSLError": "the server's certificate is not trusted",
        "ChunkedEncodingError": "the connection was cut",
        "ReadTimeout": f"nothing came for {TIMEOUT} s",
        "RuntimeError": "the Maven repository does not give it",
    }
    return causes.get(type(error).__name__, type(error).__name__)


def _context(staging: Path, advance: Advance) -> MavenContext:
    """Maven Central, or the mirror that the user's jgo configuration names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jgo's import warns of a missing XDG_RUNTIME_DIR, which it does not need
        from jgo.config import GlobalSettings
        from jgo.maven import MavenContext, PythonResolver

    @contextmanager
    def progress(_filename: str, _size: int) -> Iterator[Advance]:
        yield advance

    logging.getLogger("jgo").setLevel(logging.ERROR)  # its checksum warning becomes a LocalError here
    return MavenContext(
        resolver=PythonResolver(progress_callback=progress),
        repo_cache=staging,
        remote_repos=GlobalSettings.load().repositories or None,
        timeout=TIMEOUT,
    )
