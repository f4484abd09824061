"""The slow and special faults of `make chaos-matrix`: full disks, a database that is away or says no, a broker that
refuses, clocks that are wrong."""

import asyncio
import base64
import contextlib
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from pathlib import Path

from schemas.topics import TOPICS
from tests.chaos.database import all_begin_anew, clock_behind
from tests.chaos.faults import BROKER, DATABASE, KILLED, freezes_ingest, no_success
from tests.chaos.trial import Fault, Inject, Trial
from tests.processes import family_of, kill_family, state_of
from tests.relay import JUDGES, WRITE_KEY
from tests.topics import configure
from tests.until import until

FULL_SECONDS = 15
FULL = "File too large"
"""The system's words when a file may not grow."""
FILE_BYTES = {"broker": 256 * 1024, "database": 4 * 1024 * 1024}
"""No file may grow beyond: log segments are soon longer, and Postgres's log is written in 16 MB files."""
AWAY_SECONDS = 600
CAUGHT_UP = 180
GROWTH_BYTES = 50 * 2**20
REFUSING_SECONDS = 20
RESTARTS = 5
SMALL_RECORD, LARGE_TEXTS = 16_000, 24
CLOCK_SECONDS = 30
LIBFAKETIME = Path(f"/usr/lib/{os.uname().machine}-linux-gnu/faketime/libfaketime.so.1")


def fills_disk(name: str) -> Inject:
    """Every write beyond a small size fails, as on a disk that is full; then the server is gone, and there is room.

    The limit is set on its processes (RLIMIT_FSIZE), so that no disk has to be filled. The broker gives up by itself,
    Postgres may begin again and again.
    """

    async def inject(trial: Trial) -> None:
        server = trial.stage.server(name).child
        before = server.command.log.read_text().count(FULL)
        for pid in family_of(server.pid):
            await _limit_files(pid, FILE_BYTES[name])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.process.wait(), FULL_SECONDS)
        trial.notes["gave up"] = not server.running
        if server.running:
            await kill_family(server)
        down = time.monotonic()
        trial.happened["write refused"] += server.command.log.read_text().count(FULL) - before
        await asyncio.sleep(8)
        no_success(trial, name, down, time.monotonic())
        await trial.stage.server(name).start()
        trial.over()

    return inject


async def away(trial: Trial) -> None:
    """The database is away for ten minutes; ingest goes on as if nothing were."""
    began = time.monotonic()
    trial.happened["SIGKILL"] += await kill_family(trial.stage.database.child) == -signal.SIGKILL
    scorers = [await instance.pid() for instance in trial.stage.of("scorer")]
    before = {pid: _memory(pid) for pid in scorers}
    await asyncio.sleep(AWAY_SECONDS)
    answers = trial.probe.between(began, time.monotonic())
    if wrong := sorted({answer.status for answer in answers} - {200}):
        trial.violations.append(f"ingest, which needs no database, answered {wrong}")
    growth = max(_memory(pid) - before[pid] for pid in scorers)
    trial.notes["MiB grown"] = round(growth / 2**20, 1)
    if growth > GROWTH_BYTES:
        trial.violations.append(f"a waiting scorer grew by {growth / 2**20:.0f} MiB")
    await trial.stage.database.start()
    trial.over()


async def read_only(trial: Trial) -> None:
    """The database takes no writes for 20 s."""
    statement = "ALTER DATABASE baton SET default_transaction_read_only = {}"
    async with _refusing(trial, "25006", [statement.format("on")], [statement.format("off")]):
        await asyncio.sleep(REFUSING_SECONDS)


async def no_connections(trial: Trial) -> None:
    """The database has no connection left for any service for 20 s."""
    statements = {limit: [f"ALTER ROLE {_role(one)} CONNECTION LIMIT {limit}" for one in JUDGES] for limit in (0, -1)}
    async with _refusing(trial, "53300", statements[0], statements[-1]):
        await asyncio.sleep(REFUSING_SECONDS)


async def restarts(trial: Trial) -> None:
    """The database ends at once and is started again, five times in a row, whatever commit is on its way."""
    for _ in range(RESTARTS):
        server = trial.stage.database.child
        server.process.send_signal(signal.SIGQUIT)
        await server.process.wait()
        trial.happened["SIGQUIT"] += 1
        await trial.stage.database.start()
        await asyncio.sleep(trial.chance.uniform(0.5, 2))
    trial.over()


async def refuses_large(trial: Trial) -> None:
    """For 20 s the broker takes smaller records than ingest does; what is small enough must not suffer."""
    servers, usual = trial.stage.room.bootstrap_servers, TOPICS["engagements"].config
    began = time.monotonic()
    await configure(servers, "engagements", {**usual, "max.message.bytes": str(SMALL_RECORD)})
    while time.monotonic() < began + REFUSING_SECONDS:
        status = await _large(trial)
        trial.happened["413"] += status == 413
        if status == 200:
            trial.violations.append("ingest answered 200 for what the broker refused")
        await asyncio.sleep(1)
    if wrong := sorted({answer.status for answer in trial.probe.between(began, time.monotonic())} - {200}):
        trial.violations.append(f"events of the usual size were answered with {wrong}")
    await configure(servers, "engagements", dict(usual))
    trial.over()


def _has_loaded(pid: int, library: str) -> bool:
    return library in Path(f"/proc/{pid}/maps").read_text()


def wrong_clock(offset: str) -> Inject:
    """The services' own clocks are wrong by an hour for a while; those of broker and database are not."""

    async def inject(trial: Trial) -> None:
        fake = {"LD_PRELOAD": str(LIBFAKETIME), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        judges = [instance for instance in trial.stage.instances if instance.service in JUDGES]
        for instance in judges:
            usual, instance.env = instance.env, {**instance.env, **fake}
            code, _ = await instance.signal(signal.SIGTERM)
            await until(partial(_has_loaded, await instance.pid(), LIBFAKETIME.name), "the wrong clock")
            trial.happened["clock wrong"] += code == 0
            instance.env = usual
        await asyncio.sleep(CLOCK_SECONDS)
        for instance in judges:
            await instance.signal(signal.SIGTERM)
        trial.over()

    return inject


@contextlib.asynccontextmanager
async def _refusing(trial: Trial, words: str, on: Iterable[str], off: Iterable[str]) -> AsyncIterator[None]:
    """The statements hold for sessions that begin after them, so all that there are end. `words` is what it is called
    in a service's log."""
    marks = {instance: instance.mark() for instance in trial.stage.instances if instance.service in JUDGES}
    try:
        await all_begin_anew(trial, on)
        yield
    finally:
        await all_begin_anew(trial, off)
        trial.over()
    for instance, mark in marks.items():
        trial.happened[f"{instance.name} refused"] += instance.said(words, mark)


async def _large(trial: Trial) -> int:
    properties = {f"text{number}": _incompressible(1_000) for number in range(LARGE_TEXTS)}
    call = {"userId": "large", "event": "Page Viewed", "properties": properties}
    return (await trial.stage.http.post("/v1/track", auth=WRITE_KEY, json=call)).status_code


def _incompressible(size: int) -> str:
    """A text that a producer's compression does not make small."""
    return base64.b64encode(os.urandom(size * 3 // 4)).decode()


async def _limit_files(pid: int, size: int) -> None:
    """The process's soft limit; as its own user, for root may not where it has no capabilities. It may be gone."""
    with contextlib.suppress(FileNotFoundError):
        owner = _owner(pid)
        limit = ("prlimit", f"--pid={pid}", f"--fsize={size}:")
        process = await asyncio.create_subprocess_exec(*limit, user=owner.st_uid, group=owner.st_gid)
        assert await process.wait() == 0 or not state_of(pid), f"no limit set for {pid}"


def _owner(pid: int) -> os.stat_result:
    return Path(f"/proc/{pid}").stat()


def _memory(pid: int) -> int:
    """Resident bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _role(service: str) -> str:
    return service.replace("-", "_")


def _special() -> Iterable[Fault]:
    yield Fault("broker-disk-full", "no room for a record until it gives up", fills_disk("broker"), 60, BROKER)
    yield Fault("database-disk-full", "no room in its log until it gives up", fills_disk("database"), 60, DATABASE)
    yield Fault("database-read-only", "it takes no writes for 20 s", read_only, 30, DATABASE)
    yield Fault("database-connections", "it has no connection left for 20 s", no_connections, 30, DATABASE)
    yield Fault("database-restarts", "it ends at once, five times in a row", restarts, 35, DATABASE)
    yield Fault("large-records", "the broker refuses what ingest takes, for 20 s", refuses_large, 30, BROKER)
    yield Fault("ingest-freeze", "SIGSTOP for 40 s", freezes_ingest, 55, KILLED)
    if LIBFAKETIME.exists():
        yield Fault("clock-ahead", "services' clocks are an hour ahead", wrong_clock("+1h"), 80, KILLED)
        yield Fault("clock-behind", "services' clocks are an hour behind", wrong_clock("-1h"), 80, KILLED)
    yield Fault("broker-ahead", "the broker's clock is 20 s ahead of the database's", clock_behind, 60, KILLED)
    yield Fault("database-away", "it is away for ten minutes", away, AWAY_SECONDS + 90, CAUGHT_UP)


SPECIAL: Mapping[str, Fault] = {fault.name: fault for fault in _special()}
"""Every one by name, in the order in which they are tried."""
LEFT_OUT = "" if LIBFAKETIME.exists() else f"Left out: clock-ahead and clock-behind, for want of {LIBFAKETIME}."
"""What cannot be tried on this machine, in a sentence."""
