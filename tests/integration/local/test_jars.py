"""Kafka's jars from a Maven repository that fails: one sentence, no incomplete jar, and the next fetch succeeds."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from rich.console import Console

from baton_local.downloads import ensure_kafka
from baton_local.errors import LocalError
from baton_local.jars import cache_folder, fetch, missing, pinned

BAD = "kafka-clients-4.3.1.jar"


class Repository(BaseHTTPRequestHandler):
    """Serves the cached jars; `mood` says what happens to one of them."""

    mood = "well"
    jars: Path

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if not (self.jars / name).is_file() or (name == BAD and self.mood == "absent"):
            self.send_error(404)
            return
        content = (self.jars / name).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if name == BAD and self.mood == "broken off":
            content = content[: len(content) // 2]
        if name == BAD and self.mood == "damaged":
            content = b"\0" + content[1:]
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Repository]]:
    """A Maven repository of this machine, named in the user's jgo configuration as a company's mirror would be."""
    cached = cache_folder() / "kafka"
    ensure_kafka(Console(stderr=True), Event())

    class Handler(Repository):
        jars = cached

    with _serving(Handler) as url:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".config").mkdir()
        (tmp_path / ".config" / "jgo.conf").write_text(f"[repositories]\ncentral = {url}\n")
        yield Handler


@contextmanager
def _serving(handler: type[Repository]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("mood", "sentence"),
    [
        ("absent", f"broke off at {BAD} .the Maven repository does not give it.*run again"),
        ("broken off", f"broke off at {BAD}.*run again"),
        ("damaged", f"{BAD} is damaged .its SHA-256"),
    ],
)
def test_a_failed_download_is_one_sentence_and_the_next_one_heals(
    repository: type[Repository], tmp_path: Path, mood: str, sentence: str
) -> None:
    folder = tmp_path / "cache"
    repository.mood = mood
    with pytest.raises(LocalError, match=sentence):
        fetch(folder, lambda _: None, Event())
    assert BAD in {jar.filename for jar in missing(folder)}
    repository.mood = "well"
    received: list[int] = []
    fetch(folder, received.append, Event())
    assert missing(folder) == []
    assert {path.name for path in folder.glob("*.jar")} == {jar.filename for jar in pinned()}


def test_a_truncated_jar_is_fetched_again_and_only_that(repository: type[Repository], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    fetch(folder, lambda _: None, Event())
    (folder / BAD).write_bytes(b"half")
    received: list[int] = []
    fetch(folder, received.append, Event())
    assert sum(received) == next(jar.size for jar in pinned() if jar.filename == BAD)
    assert missing(folder) == []
