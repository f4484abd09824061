"""The options of a run, and the paths of the workspace's files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from baton_local.errors import LocalError
from baton_local.ports import Wanted
from chassis.documents import BadDocument
from ingest.formats import Formats
from ingest.inbox.file import read_inboxes
from ingest.settings import is_loopback

DEPLOY = Path(__file__).resolve().parents[3]
WRITE_KEYS = DEPLOY / "local" / "write-keys.yaml"
WEBHOOKS = DEPLOY / "local" / "webhooks.yaml"
MAPPINGS = DEPLOY / "mappings"
INBOXES = DEPLOY / "inboxes.yaml"
DATA = DEPLOY.parent / ".baton"
SERVICES = ("ingest", "scorer", "router", "sla-monitor")
"""In the order of an event's way; the ops port of each is the base plus its index."""
INBOX = "inbox"
"""The process that is started if the file of inboxes names a topic."""


@dataclass(frozen=True)
class Ports:
    """Where everything listens."""

    http_host: str = "127.0.0.1"
    http: int = 8080
    kafka: int = 19092
    postgres: int = 15432
    ops_base: int = 9101

    def ops(self, service: str) -> int:
        """The port of /livez, /readyz and /metrics."""
        return self.ops_base + (*SERVICES, INBOX).index(service)

    @property
    def http_url(self) -> str:
        """Ingest's address on this machine."""
        every = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - read, not bound
        return f"http://{every.get(self.http_host, self.http_host)}:{self.http}"

    def of_services(self, names: Sequence[str]) -> dict[str, Wanted]:
        """The ports that the services need, to be checked before anything starts."""
        ops = {f"{service}'s ops": ("127.0.0.1", self.ops(service), "--ops-port-base") for service in names}
        return {"ingest": (self.http_host, self.http, "--http-port"), **ops}


@dataclass(frozen=True)
class Run:
    """One `make run`."""

    data: Path
    ports: Ports
    policy: str
    demo: bool
    fresh: bool
    write_keys: Path = WRITE_KEYS
    inboxes: Path = INBOXES

    def names(self) -> tuple[str, ...]:
        """The processes of the services, in the order of an event's way. Raises LocalError as `topics`."""
        return (*SERVICES, *((INBOX,) if self.topics() else ()))

    def topics(self) -> Sequence[str]:
        """The topics of the file of inboxes. Raises LocalError where it is wrong."""
        try:
            return tuple(read_inboxes(self.inboxes, Formats(MAPPINGS)))
        except BadDocument as error:
            raise LocalError(f"The inboxes cannot be read:\n{error}") from error

    def check(self) -> None:
        """Raises LocalError for what cannot be run together."""
        self.policies()
        host = self.ports.http_host
        if self.write_keys != WRITE_KEYS:
            if self.demo:
                raise LocalError("The demo signs with keys of its own: with --write-keys, add --no-demo.")
        elif not is_loopback(host):
            raise LocalError(
                f"{host} can be reached by others, and everybody knows the demo's keys: "
                "give --no-demo and --write-keys with a file of your own (`baton keys hash`)."
            )

    def policies(self) -> Path:
        """The folder of the policy's versions; LocalError with the known names if there is none."""
        folder = DEPLOY / "policies" / self.policy
        if not folder.is_dir():
            names = ", ".join(sorted(path.name for path in folder.parent.iterdir() if path.is_dir()))
            raise LocalError(f"There is no policy {self.policy!r}; there are: {names}.")
        return folder
