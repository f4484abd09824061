"""Released clients, fetched once by their own package managers, and a relay for them."""

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.infrastructure import Infrastructure, room
from tests.relay import POLICIES, ROOT, Relay, relay

CACHE = ROOT / ".venv/clients"
"""Removed by `make clean` with the rest of the environment."""
STORIES = Path(__file__).parent / "clients"
FETCH_SECONDS = 120


@dataclass(frozen=True)
class Client:
    """A command that plays the story; host, write key and name of the person are appended."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def node(package: str, version: str) -> Client:
    """A client from npm. Skips the test where it cannot be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip(f"{package} needs node and npm, which are not on PATH")
    quiet = ("--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0")
    folder = _fetched(f"{package}@{version}", "npm", "install", *quiet, "--prefix")
    return Client(("node", str(STORIES / "story.cjs"), package), {"NODE_PATH": str(folder / "node_modules")})


def python(package: str, version: str) -> Client:
    """A client from PyPI, beside the environment and not in it. Skips the test where it cannot be had."""
    install = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable, "--target")
    folder = _fetched(f"{package}=={version}", *install)
    return Client((sys.executable, str(STORIES / "story.py")), {"PYTHONPATH": str(folder)})


CLIENTS = {
    "Segment for Node": (node, "@segment/analytics-node", "3.1.0"),
    "Rudder for Node": (node, "@rudderstack/rudder-sdk-node", "3.0.13"),
    "Segment for Python": (python, "segment-analytics-python", "2.4.0"),
}


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Client:
    """Each released client in turn."""
    fetch, package, version = CLIENTS[request.param]
    return fetch(package, version)


@pytest.fixture(scope="session")
async def classic_relay(servers: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Relay]:
    """Four services under classic-50."""
    folder = tmp_path_factory.mktemp("clients")
    async with room(servers) as where, relay(where, folder, POLICIES / "classic-50") as running:
        yield running


def _fetched(package: str, *install: str) -> Path:
    """The folder of the package; `install` is completed by a folder and the package. Skips where that fails."""
    folder = CACHE / package.replace("/", "-")
    if folder.is_dir():
        return folder
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        subprocess.run(
            (*install, str(part), package), check=True, capture_output=True, text=True, timeout=FETCH_SECONDS
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{package} could not be fetched within {FETCH_SECONDS} s: no network, or a slow one")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{package} could not be fetched: {' '.join(error.stderr.split())[:300]}")
    return part.rename(folder)
