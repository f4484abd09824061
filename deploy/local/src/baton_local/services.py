"""The services as processes: migrated, started, watched, restarted, stopped."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_IWGRP, S_IWOTH
from textwrap import shorten

import httpx

from baton_local.child import Child, Command
from baton_local.errors import LocalError
from baton_local.options import INBOX, MAPPINGS, WEBHOOKS, WRITE_KEYS, Run
from baton_local.senders import TRACKER_KEY
from baton_local.stack import Stack
from ingest.settings import is_loopback

READY_DEADLINE = 120.0
"""Seconds until a service must be ready at the start; 3 are usual."""
STOP_GRACE = 4.0
"""Seconds for all services together to stop before they are killed."""
DEATHS = 5
DEATHS_WITHIN = 60.0
"""With so many deaths within so many seconds the launcher stops."""
LONG_STATE = 5.0
"""Seconds after which the start says what a service still waits for."""
SHOWN_STATE = 100
"""Characters shown of what a service waits for."""
MISSING_VERSION = re.compile(r"version (\d+) of .+ has (?:judged here|handed off), the newest")
"""In the state of a service whose leads were judged by a version of the policy that it does not have. At the start
nothing will add that version: waiting is of no use.
"""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Service:
    """How to run one service."""

    name: str
    env: Mapping[str, str]
    log: Path
    ops_url: str

    @property
    def migrates(self) -> bool:
        """Whether it has a database to bring up to date."""
        return "BATON_DATABASE__URL" in self.env

    def command(self, verb: str) -> Command:
        """Its console script by module name, so that it is always the one of this environment."""
        module = "ingest" if self.name == INBOX else self.name.replace("-", "_")
        words = (INBOX,) if (self.name, verb) == (INBOX, "serve") else (verb,)
        # A service's log is JSON to its last line; the output of another verb is not.
        log = self.log if verb == "serve" else self.log.with_stem(f"{self.name}-{verb}")
        return Command(self.name, (sys.executable, "-P", "-m", module, *words), log, self.env)


def services_of(run: Run, stack: Stack) -> list[Service]:
    """The services of a run, each with its environment."""
    ports = run.ports
    services = []
    for name in run.names():
        env = {
            "PYTHONUNBUFFERED": "1",
            "BATON_KAFKA__BOOTSTRAP_SERVERS": stack.bootstrap_servers,
            "BATON_OPS__PORT": str(ports.ops(name)),
            "BATON_POLICIES": str(run.policies()),
            "BATON_MAPPINGS": str(MAPPINGS),
        }
        if name == INBOX:
            env["BATON_INBOXES"] = str(run.inboxes.absolute())
        elif name == "ingest":
            env |= {
                "BATON_HTTP__HOST": ports.http_host,
                "BATON_HTTP__PORT": str(ports.http),
                "BATON_HTTP__DOCS": "true",
                "BATON_WRITE_KEYS": str(run.write_keys.absolute()),
            }
            if run.write_keys == WRITE_KEYS:
                env["BATON_HTTP__TRY_KEY"] = TRACKER_KEY
            if is_loopback(ports.http_host):  # its secret is known to everybody
                env["BATON_WEBHOOKS"] = str(WEBHOOKS)
        else:
            env["BATON_DATABASE__URL"] = stack.database_url(name)
        url = f"http://127.0.0.1:{ports.ops(name)}"
        services.append(Service(name, env, stack.folder.logs / f"{name}.log", url))
    return services


def tell_desk(run: Run, stack: Stack) -> None:
    """Writes the file by which the command `baton` finds this run, and believes as long as nobody else may write it."""
    env = {
        "BATON_KAFKA__BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "BATON_DATABASE__URL": stack.database_url("baton_reader"),
        "BATON_POLICIES": str(run.policies()),
        "BATON_MAPPINGS": str(MAPPINGS),
    }
    file = run.data / "baton.env"
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in env.items()))
    run.data.chmod(run.data.stat().st_mode & ~(S_IWGRP | S_IWOTH))


async def migrate(services: list[Service]) -> None:
    """Brings every service's tables up to date; LocalError names the one that failed."""
    migrating = [service for service in services if service.migrates]
    await asyncio.gather(
        *(Child.complete(each.command("migrate"), f"{each.name} migrate failed") for each in migrating)
    )


class Keeper:
    """Keeps one service running. `state` is for people: starting, ready, waiting for something, restarting."""

    def __init__(self, service: Service, say: Say) -> None:
        self.service = service
        self.state = "starting"
        self._since = asyncio.get_running_loop().time()
        self.child: Child | None = None
        self._say = say
        self._ready = asyncio.Event()
        self._deaths: deque[float] = deque(maxlen=DEATHS)

    async def keep(self) -> None:
        """Starts the service again whenever it dies; runs until cancelled. LocalError after too many deaths."""
        while True:
            self._become("starting")
            self.child = await Child.start(self.service.command("serve"))
            await self.child.process.wait()
            await asyncio.sleep(self._mourn(self.child))

    async def watch(self) -> None:
        """Keeps `state` equal to /readyz; runs until cancelled."""
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            while True:
                if self.state != "restarting":
                    self._become(await self._ask(client))
                if self.state == "ready":
                    self._ready.set()
                await asyncio.sleep(1 if self.state == "ready" else 0.2)

    async def until_ready(self, tell: Say) -> None:
        """Returns once the service is ready for the first time; until then says each state that lasts.

        LocalError when that takes too long, or when a version of the policy is missing.
        """
        now = asyncio.get_running_loop().time
        deadline, told = now() + READY_DEADLINE, "starting"
        while not self._ready.is_set():
            if missing := MISSING_VERSION.search(self.state):
                raise LocalError(
                    f"The leads in this folder were judged by version {missing[1]} of the policy, which is not here: "
                    f"start with --fresh, or with the policy that has version {missing[1]}."
                )
            if now() > deadline:
                raise LocalError(
                    f"{self.service.name} did not get ready within {READY_DEADLINE:.0f} s ({self.state}): "
                    f"see {self.service.log}."
                )
            if self.state != told and now() - self._since > LONG_STATE:
                told = self.state
                tell(f"{self.service.name}: {told}")
            await asyncio.sleep(0.1)

    def _become(self, state: str) -> None:
        if state != self.state:
            self.state, self._since = state, asyncio.get_running_loop().time()

    async def _ask(self, client: httpx.AsyncClient) -> str:
        try:
            answer = await client.get(f"{self.service.ops_url}/readyz")
        except httpx.HTTPError:
            return "starting" if self.state in {"starting", "restarting"} else "not answering"
        if answer.status_code == 200:
            return "ready"
        return shorten((answer.text.strip().splitlines() or ["not ready"])[0], SHOWN_STATE, placeholder=" ...")

    def _mourn(self, child: Child) -> float:
        """Says that the service died; returns the seconds to wait before it is started again."""
        name, ending = self.service.name, child.ending()
        self._become("restarting")
        now = asyncio.get_running_loop().time()
        self._deaths.append(now)
        recent = sum(now - death < DEATHS_WITHIN for death in self._deaths)
        if recent == DEATHS:
            raise LocalError(f"{name} died {DEATHS} times within a minute {child.epitaph()}")
        delay = min(0.25 * (1 << recent), 5.0)
        self._say(f"{name} died ({ending}) and is started again in {delay:.1f} s")
        return delay


@asynccontextmanager
async def keeping(services: list[Service], say: Say) -> AsyncIterator[list[Keeper]]:
    """The services' keepers, to be run by the caller; at the end of the block all are stopped, the last one first."""
    keepers = [Keeper(service, say) for service in services]
    try:
        yield keepers
    finally:
        children = [keeper.child for keeper in reversed(keepers) if keeper.child is not None]
        for child in children:
            child.ask()
        await asyncio.gather(*(child.stop(STOP_GRACE) for child in children))
