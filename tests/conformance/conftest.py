"""Released clients, fetched once by their own package managers from the lock files beside, and a relay for them."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure import Infrastructure, room
from tests.relay import POLICIES, ROOT, Relay, relay

CACHE = ROOT / ".venv/clients"
"""Removed by `make clean` with the rest of the environment."""
HERE = Path(__file__).parent
FETCH_SECONDS = 240
PLAY_SECONDS = 60


@dataclass(frozen=True)
class Client:
    """A released client, and what differs between clients."""

    name: str
    player: str
    largest: int = 28_000
    """Bytes of an event of which the client's largest batch stays within ingest's limits."""
    resends: bool = True
    also: int = 0
    """Events that it sends beside those asked for: an alias, where it has no such call, is an identify."""

    async def play(self, host: str, key: str, calls: Sequence[Mapping[str, Any]]) -> None:
        """Sends the calls and ends the client as its manual says. Skips the test where it cannot be fetched."""
        node = self.player.endswith(".cjs")
        folder = fetched_by_npm() if node else fetched_by_uv()
        process = await asyncio.create_subprocess_exec(
            *("node" if node else sys.executable, str(HERE / "clients" / self.player), self.name, host, key),
            env={**os.environ, "NODE_PATH" if node else "PYTHONPATH": str(folder)},
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(json.dumps(calls).encode()), PLAY_SECONDS)
        assert process.returncode == 0, said.decode()


CLIENTS = {
    "Segment for Python 2.4.0": Client("segment", "play.py"),
    "Segment for Node 3.1.0": Client("segment", "play.cjs"),
    "Rudder for Python 2.1.9": Client("rudder", "play.py", largest=4_000),
    "Rudder for Node 3.0.13": Client("rudder", "play.cjs", largest=20_000),
    "PostHog for Python 7.91.1": Client("posthog", "play.py", largest=4_000),
    "Snowplow for Python 1.1.0": Client("snowplow", "play.py", largest=1_000, also=1),
    "Snowplow for Node 4.8.0": Client("snowplow", "play.cjs", largest=4_000, also=1),
    "Jitsu 1.11.0": Client("jitsu", "play.cjs", resends=False, also=1),
}


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Client:
    """Each released client in turn."""
    return CLIENTS[request.param]


@pytest.fixture(scope="session")
async def classic_relay(servers: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Relay]:
    """Four services under classic-50."""
    folder = tmp_path_factory.mktemp("clients")
    async with room(servers) as where, relay(where, folder, POLICIES / "classic-50") as running:
        yield running


def fetched_by_npm() -> Path:
    """Where Node finds the clients. Skips where they cannot be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("clients for Node and browsers need node and npm, which are not on PATH")
    install = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0", "--prefix", ".")
    files = [HERE / name for name in (".npmrc", "package.json", "package-lock.json")]
    return _fetched("npm", files, install) / "node_modules"


def fetched_by_uv() -> Path:
    """Where Python finds the clients, beside the environment and not in it. Skips where they cannot be had."""
    install = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable, "--target", ".")
    return _fetched("uv", [HERE / "python.lock"], (*install, "--require-hashes", "-r", "python.lock"))


def _fetched(by: str, files: Sequence[Path], install: Sequence[str]) -> Path:
    """The folder with what the files lock; `install` runs in it, beside copies of them. Skips where that fails."""
    folder = CACHE / f"{by}-{sha256(b''.join(file.read_bytes() for file in files)).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for file in files:
        shutil.copy(file, part)
    try:
        subprocess.run(install, cwd=part, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{by} could not fetch the clients within {FETCH_SECONDS} s: no network, or a slow one")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{by} could not fetch the clients: {' '.join(error.stderr.split())[:300]}")
    return part.rename(folder)
