"""One run of the suite: start, load, one fault after another, wait for quiet, verdict."""

import asyncio
import os
import platform
import random
import subprocess
import time
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from chassis.process.settings import Database, Kafka
from desk.audit import Report
from desk.auditing import audited
from tests.chaos.flow import Flow, Probe
from tests.chaos.inbox import TOPIC, drained
from tests.chaos.load import Load
from tests.chaos.quiet import quiet
from tests.chaos.schedule import PAUSE_SECONDS
from tests.chaos.stage import POLICIES, Stage
from tests.chaos.traffic import Key
from tests.chaos.trial import Fault, Trial
from tests.chaos.verdict import Findings, verdict

EVENTS_PER_SECOND = 200.0
WARM_UP_SECONDS = 3.0
QUIET_SECONDS = 120.0


def machine() -> dict[str, str]:
    """What the figures were measured on, and of which commit."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    git = ("git", "describe", "--always", "--dirty", "--abbrev=12")
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "commit": commit or "?",
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


@dataclass
class Run:
    """What is tried, and what came of it so far."""

    seed: int
    faults: Sequence[Fault]
    again: str = ""
    """The command that repeats it."""
    rate: float = EVENTS_PER_SECOND
    slack: float = 1.0
    """Every limit of time is multiplied by it."""
    machine: dict[str, str] = field(default_factory=machine)
    began: float = field(default_factory=time.monotonic)
    trials: list[Trial] = field(default_factory=list)
    doing: str = "starting"
    counts: Counter[str] = field(default_factory=Counter)
    acknowledged: Set[Key] = frozenset()
    exits: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    """Of the run as a whole; a fault's own are in its trial."""
    findings: Findings | None = None
    """What the model says, once all was quiet."""
    audited: Report | None = None
    """What the auditor says."""
    logs: Path | None = None

    @property
    def planned_seconds(self) -> float:
        """About what the faults still to come take."""
        return sum(fault.seconds + PAUSE_SECONDS for fault in self.faults[len(self.trials) :])

    @property
    def broken(self) -> int:
        """How many violations there are, in trials and at the end."""
        found = len(self.findings.violations) if self.findings else 0
        audited = len(self.audited.broken) if self.audited else 0
        return len(self.violations) + sum(len(trial.violations) for trial in self.trials) + found + audited


class Watcher(Protocol):
    """Is shown the run while it goes on."""

    async def watch(self, run: Run) -> None:
        """Until cancelled."""


async def perform(run: Run, watcher: Watcher) -> None:
    """Fills the run in. Nothing is left running on return; logs stay, and the run names them, if anything is broken."""
    watching = asyncio.create_task(watcher.watch(run))
    stage = Stage(run.seed)
    run.logs = stage.logs
    try:
        async with stage:
            await _judge(run, stage, await _play(run, stage))
            if not run.broken:
                stage.forget_logs()
                run.logs = None
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        run.exits = stage.exits()


async def _play(run: Run, stage: Stage) -> Load:
    """The load, and the faults in their order; on return all that was sent has been acknowledged, or it is noted."""
    load = Load(stage.room, stage.http_port, run.seed, run.rate, TOPIC)
    run.counts, run.acknowledged = load.counts, load.acknowledged
    probe, stop = Probe(stage), asyncio.Event()
    flow = Flow(stage, probe)
    loading, probing = asyncio.create_task(load.run(stop)), asyncio.create_task(probe.run())
    trying = asyncio.create_task(_try_all(run, stage, flow, probe))
    try:
        await asyncio.wait({loading, probing, trying}, return_when=asyncio.FIRST_COMPLETED)
        for task in (loading, probing, trying):
            if task.done():
                task.result()
        run.doing = "sending what is left"
        stop.set()
        await loading
        await _finish(run, load)
    finally:
        for task in (loading, probing, trying):
            task.cancel()
        await asyncio.gather(loading, probing, trying, return_exceptions=True)
        await load.close()
    load.acknowledged.update(probe.acknowledged)
    run.violations += probe.violations[probe.told :]
    run.violations += [f"no bytes went through the proxy from {name}" for name in stage.bypassed()]
    return load


async def _finish(run: Run, load: Load) -> None:
    try:
        await load.finish()
    except TimeoutError:
        run.violations.append("not all that was sent has been acknowledged, long after the last fault")


async def _try_all(run: Run, stage: Stage, flow: Flow, probe: Probe) -> None:
    await asyncio.sleep(WARM_UP_SECONDS)
    for number, fault in enumerate(run.faults):
        run.doing = fault.name
        trial = Trial(fault, stage, flow, probe, random.Random(f"{run.seed}/{number}"), run.slack)
        run.trials.append(trial)
        await trial.run()
        run.doing = "pausing"
        await asyncio.sleep(PAUSE_SECONDS)


async def _judge(run: Run, stage: Stage, load: Load) -> None:
    """The auditor's word and the model's, once nothing is on its way any more."""
    run.doing = "waiting for quiet"
    try:
        await drained(stage.room, QUIET_SECONDS)
        await quiet(stage.room, QUIET_SECONDS)
    except TimeoutError as error:
        run.violations.append(str(error))
    run.doing = "auditing"
    kafka = Kafka(bootstrap_servers=stage.room.bootstrap_servers)
    run.audited = await audited(kafka, Database(url=SecretStr(stage.room.url)), load.acknowledged)
    run.findings = await verdict(stage.room, POLICIES / "1.yaml", load.book)
