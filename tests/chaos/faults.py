"""The catalogue of `make chaos`: faults of processes and the group, and all faults by name."""

import asyncio
import math
import signal
import time
from collections.abc import Iterable, Mapping

from tests.chaos.database import slow_commits
from tests.chaos.flow import ANSWER_SECONDS, PATIENCE
from tests.chaos.guests import visits
from tests.chaos.inbox import INBOX
from tests.chaos.intruders import IMPORTED, imports, leaves_open, writes_rubbish
from tests.chaos.link import Way
from tests.chaos.network import black_hole, cuts, half_open, latency, resets
from tests.chaos.trial import Fault, Inject, Trial
from tests.processes import family_of, frozen, kill_family, state_of
from tests.relay import JUDGES, SERVICES
from tests.until import until

SESSION_SECONDS = 10
"""Kafka's session timeout: so long the group waits for a member that is silent."""
KILLED, STOPPED = SESSION_SECONDS + 5, 5
READY = 5
"""Until an ingest that has ended takes events again; what they lead to has KILLED."""
BROKER, DATABASE = 15, 30
"""Limits from the end of the fault."""
CUT_OFF = 20
"""The same for a service that the network kept from its broker."""
ZOMBIE_SECONDS = 40
NO_MEMBER = ("offset commit refused", "member_id was not recognized")
"""By these a log tells that the group has gone on without the instance: the worker's words, and the client's."""
STORM_SECONDS = 60
STOP_SECONDS = 25


def kills(service: str) -> Inject:
    """SIGKILL to one instance of the service; it is started again by whoever keeps services running."""

    async def inject(trial: Trial) -> None:
        instance = trial.chance.choice(trial.stage.of(service))
        code, _ = await instance.signal(signal.SIGKILL)
        trial.over()
        trial.happened["SIGKILL"] += code == -signal.SIGKILL
        if service == "ingest":
            await takes_again(trial)

    return inject


async def stops(trial: Trial) -> None:
    """SIGTERM to one instance: an orderly stop, at which the others go on at once, and then a start."""
    instance = trial.chance.choice(trial.stage.instances)
    code, seconds = await instance.signal(signal.SIGTERM)
    trial.over()
    trial.happened["SIGTERM"] += 1
    trial.within("stop", seconds, STOP_SECONDS)
    if code != 0:
        trial.violations.append(f"{instance.name} ended an orderly stop with {code}")
    if instance.service == "ingest":
        await takes_again(trial)
    else:
        trial.within("takeover", await trial.flow.recovered(time.monotonic(), without=[instance]), STOPPED)


async def takes_again(trial: Trial) -> None:
    """Ingest, of which there is one, is back."""
    began = time.monotonic()
    await until(trial.probe.ring, "an event to be accepted", PATIENCE)
    trial.within("takes events again", time.monotonic() - began, READY)


def kills_server(name: str) -> Inject:
    """SIGKILL to the broker or to the database with all its processes; it is back after some seconds, data kept."""

    async def inject(trial: Trial) -> None:
        killed = time.monotonic()
        code = await kill_family(trial.stage.server(name).child)
        trial.happened["SIGKILL"] += code == -signal.SIGKILL
        await asyncio.sleep(trial.chance.uniform(1, 6))
        no_success(trial, name, killed, time.monotonic())
        await trial.stage.server(name).start()
        trial.over()

    return inject


def freezes_server(name: str, seconds: float) -> Inject:
    """SIGSTOP to the broker or to the database with all its processes."""

    async def inject(trial: Trial) -> None:
        async with frozen(family_of(trial.stage.server(name).child.pid)):
            began = time.monotonic()
            await asyncio.sleep(seconds)
            trial.happened["SIGSTOP"] += state_of(trial.stage.server(name).child.pid) == "T"
            no_success(trial, name, began, time.monotonic())
        trial.over()

    return inject


def no_success(trial: Trial, server: str, since: float, until: float) -> None:
    """While the broker is away ingest answers, and never with success."""
    if server != "broker":
        return
    answers = trial.probe.between(since, until)
    trial.notes["calls meanwhile"] = len(answers)
    if any(answer.status == 200 for answer in answers):
        trial.violations.append("ingest answered 200 with the broker away")
    if until - since > ANSWER_SECONDS and not any(answer.status == 503 for answer in answers):
        trial.violations.append("ingest did not answer 503 with the broker away")


def freezes(service: str) -> Inject:
    """A zombie: one instance stands still for longer than its session and believes, awake, that it owns partitions."""

    async def inject(trial: Trial) -> None:
        instance = trial.chance.choice(trial.stage.of(service))
        pid, mark = await instance.pid(), instance.mark()
        async with frozen([pid]):
            began = time.monotonic()
            taken_over = await trial.flow.recovered(began, without=[instance])
            trial.within("takeover", taken_over, KILLED)
            await asyncio.sleep(max(0.0, began + ZOMBIE_SECONDS - time.monotonic()))
            trial.happened["SIGSTOP"] += state_of(pid) == "T"
        trial.over()

        async def noticed() -> None:
            """The database refused its writes, or Kafka its membership."""
            fenced = instance.said('"event": "fenced"', mark)
            trial.notes["fenced"] = fenced
            trial.happened["zombie noticed"] += fenced + sum(instance.said(words, mark) for words in NO_MEMBER)

        trial.afterwards(noticed)

    return inject


async def freezes_ingest(trial: Trial) -> None:
    """Ingest stands still; what its clients gave up waiting for it may take all the same, awake again."""
    [instance] = trial.stage.of("ingest")
    pid, began = await instance.pid(), time.monotonic()
    trial.probe.still = (began, math.inf)
    async with frozen([pid]):
        await asyncio.sleep(ZOMBIE_SECONDS)
        trial.happened["SIGSTOP"] += state_of(pid) == "T"
        if any(answer.status == 200 for answer in trial.probe.between(began, time.monotonic())):
            trial.violations.append("a frozen ingest answered")
    trial.probe.still = (began, time.monotonic())
    trial.over()


async def storm(trial: Trial) -> None:
    """One more instance of scorer or router joins the group and leaves it again, over and over, 5 s between."""
    service = trial.chance.choice(("scorer", "router"))
    began, records = time.monotonic(), await trial.flow.records(service)
    await visits(trial, service, STORM_SECONDS)
    trial.over()
    trial.notes["records/s"] = round((await trial.flow.records(service) - records) / (time.monotonic() - began), 1)


def _catalogue() -> Iterable[Fault]:
    for service in (*SERVICES, INBOX):
        yield Fault(f"{service}-kill", "SIGKILL of an instance", kills(service), 15, KILLED)
    yield Fault("broker-kill", "SIGKILL, back after 1 to 6 s", kills_server("broker"), 22, BROKER)
    yield Fault("database-kill", "SIGKILL, back after 1 to 6 s", kills_server("database"), 15, DATABASE)
    for service in JUDGES:
        yield Fault(f"{service}-freeze", "SIGSTOP of an instance for 40 s", freezes(service), 50, KILLED)
    yield Fault("broker-freeze", "SIGSTOP for 20 s", freezes_server("broker", 20), 32, BROKER)
    yield Fault("database-freeze", "SIGSTOP for 10 s", freezes_server("database", 10), 18, DATABASE)
    yield Fault("stop", "SIGTERM of any instance", stops, 10, KILLED)
    yield Fault("storm", "an instance joins and leaves, again and again for 60 s", storm, 72, KILLED)
    yield Fault("blackhole-up", "a service's bytes do not reach the broker", black_hole(Way.UP), 38, CUT_OFF)
    yield Fault("blackhole-down", "the broker's bytes do not reach a service", black_hole(Way.DOWN), 38, CUT_OFF)
    yield Fault("half-open", "a service's database connections are dead in silence", half_open, 55, DATABASE)
    yield Fault("reset", "all connections of a service are reset, 5 times", resets, 15, BROKER)
    yield Fault("cut", "connections of a service are cut in mid-sentence", cuts, 20, BROKER)
    yield Fault("latency", "500 ms on every answer of broker and database", latency, 24, BROKER)
    yield Fault("slow-commits", "commits take 2 s while partitions change hands", slow_commits, 40, DATABASE)
    yield Fault("import", "12,000 events of 61 to 89 days ago at once", imports, 40, IMPORTED)
    yield Fault("hostile", "50 records in a row that none may accept, on each topic", writes_rubbish, 12, BROKER)
    yield Fault("open-transaction", "a foreign transaction hides sales activities for 25 s", leaves_open, 35, BROKER)


CATALOGUE: Mapping[str, Fault] = {fault.name: fault for fault in _catalogue()}
"""Every fault by name."""
KILLS = tuple(name for name in CATALOGUE if name.endswith("-kill"))
