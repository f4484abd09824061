"""Settings of ingest."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from pydantic import Field

from chassis.process.settings import Ops, Section, Settings

KIB = 1024
MAPPINGS = Path("deploy/mappings")


class Http(Section):
    """The port that trackers and sales tools send to."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, description="port to listen on")
    docs: bool = Field(False, description="show the contract of the routes, at /openapi.json and /docs")
    try_key: str | None = Field(None, description="public write key with which the page /try sends; else no such page")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class IngestOps(Ops):
    """The HTTP port for operators: /livez, /readyz, /metrics."""

    port: int = Field(9101, description="port to listen on")


class Limits(Section):
    """Limits of one request and of all requests together."""

    body: int = Field(500 * KIB, ge=1, description="most bytes of a request's body as sent")
    inflated: int = Field(1024 * KIB, ge=1, description="most bytes of a gzip body once inflated")
    lenient: int = Field(500 * KIB, ge=0, description="most bytes of a body, not quite JSON, that is mended; else 400")
    event: int = Field(32 * KIB, ge=1, description="most bytes of one item of the Segment routes, as compact JSON")
    cloud_event: int = Field(256 * KIB, ge=1, description="most bytes of one CloudEvent, as compact JSON")
    batch: int = Field(500, ge=1, description="most items of one request")
    body_deadline: timedelta = Field(timedelta(seconds=10), description="how long a body may take to arrive")
    answer_deadline: timedelta = Field(
        timedelta(seconds=5), description="how long the broker may take to acknowledge before the answer is 503"
    )
    retry_after: timedelta = Field(
        timedelta(seconds=2), ge=timedelta(seconds=1), description="what a 503 asks the sender to wait, whole seconds"
    )
    in_flight_events: int = Field(20_000, ge=1, description="most records handed over and not yet acknowledged")
    in_flight_bytes: int = Field(
        64 * KIB * KIB, ge=1, description="most bytes of bodies being read and records not yet acknowledged"
    )
    strangers: int = Field(
        256, ge=1, description="most requests whose body is being read before a key was shown (writeKey in the body)"
    )
    strangers_bytes: int = Field(8 * KIB * KIB, ge=1, description="most bytes of such bodies")


class IngestSettings(Settings):
    """Settings of ingest: `BATON_HTTP__PORT`, `BATON_OPS__PORT`, `BATON_WRITE_KEYS`, `BATON_LIMITS__BODY`, ..."""

    http: Http = Field(Http(), description=Http.__doc__ or "")
    ops: IngestOps = Field(IngestOps(), description=IngestOps.__doc__ or "")
    limits: Limits = Field(Limits(), description=Limits.__doc__ or "")
    write_keys: Path = Field(
        Path("deploy/local/write-keys.yaml"), description="file of the write keys' names, kinds and SHA-256 hashes"
    )
    webhooks: Path | None = Field(None, description="file of the webhooks; there are none without it")
    mappings: Path = Field(MAPPINGS, description="folder of the mappings by which bodies of platforms are read")
    write_keys_check: timedelta = Field(
        timedelta(seconds=30),
        gt=timedelta(0),
        le=timedelta(seconds=60),
        description="how often that file and the webhooks' are looked at: a key or secret is revoked within so long",
    )
