"""The simulated relay: two processes of each service, one log, a store for each service, and the scenario."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

from chassis.kafka.consumer import Received
from chassis.partition.owner import LOOK_AGAIN
from chassis.partition.supervisor import Supervisor
from chassis.partition.worker import Links
from chassis.policy import load_policies
from chassis.process.settings import Worker as Settings
from chassis.service import Service
from router.app import Router
from schemas.policy import Policy
from schemas.topics import TOPICS
from scorer.app import Scorer
from sla_monitor.app import SlaMonitor
from tests.builders import NOON
from tests.simulation.diary import Diary
from tests.simulation.kafka import LogConsumer, LogPublisher
from tests.simulation.log import SESSION_SECONDS, Group, Log
from tests.simulation.loop import Loop, Process
from tests.simulation.network import SERVERS, Network
from tests.simulation.scenario import INPUT_SECONDS, PARTS, PROCESSES, SERVICES, Arrival, Fault, Scenario
from tests.simulation.store import Store, journals_of

QUICK = Path(__file__).parents[1] / "fixtures" / "policies" / "quick"
SETTLING_SECONDS = 300
LOOKED_AT_AGAIN = timedelta(seconds=2)
"""A lead that is due so soon may be one that waits for a barrier."""
EPOCH = datetime.fromtimestamp(0, NOON.tzinfo)


@cache
def services() -> dict[str, Service[Any]]:
    """The real ones; they hold no state."""
    policies = load_policies(QUICK, Policy)
    found = (Scorer(policies), Router(policies), SlaMonitor(policies, timedelta(seconds=60)))
    return {service.name: service for service in found}


class Computing:
    """The service, whose rules compute for so long."""

    def __init__(self, service: Service[Any], seconds: float, loop: Loop) -> None:
        self._service = service
        self._seconds = seconds
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        if name in ("decide", "tick", "recall"):
            self._loop.spend(self._seconds)
        return getattr(self._service, name)


@dataclass(slots=True)
class Member:
    """A process that runs: what the scheduler, the group and the supervisor call it."""

    process: Process
    consumer: LogConsumer
    supervisor: Supervisor[Any]
    stop: asyncio.Event


class World:
    """Runs one scenario; afterwards `log` and `stores` are what an oracle looks at."""

    def __init__(self, scenario: Scenario, loop: Loop) -> None:
        chance = Random(f"world {scenario.seed}")
        self._scenario = scenario
        self._loop = loop
        self._later = {"world": 0.0, "database": 0.0}
        self.diary = Diary()
        self.network = Network(chance, self.diary.tell)
        self.network.strike = self._strike
        self.log = Log(tuple(TOPICS), PARTS, lambda: (self.now() - EPOCH) // timedelta(milliseconds=1))
        self.groups = {name: Group(PARTS, chance, self.network) for name in SERVICES}
        self.stores = {name: Store(self._database_now) for name in SERVICES}
        self.members: dict[str, Member] = {}
        self.problems: list[str] = []
        self.jumps: list[tuple[datetime, float]] = []
        self.over = False
        self._chance = chance
        self._settings = Settings(
            batch_records=scenario.batch_records, cache_leads=scenario.cache_leads, tick=timedelta(seconds=2)
        )

    def now(self) -> datetime:
        """The broker's time; the database's is the same or later."""
        return NOON + timedelta(seconds=self._loop.time() + self._later["world"])

    def by_database(self, record: Received) -> datetime:
        """The database's time when the record was appended, or up to 1 ms earlier."""
        later = sum(seconds for at, seconds in self.jumps if at <= record.append_time)
        return record.append_time + timedelta(seconds=later)

    def _database_now(self) -> datetime:
        return self.now() + timedelta(seconds=self._later["database"])

    async def run(self) -> None:
        """The scenario, then peace until nothing is left to do; `problems` says so if that never comes."""
        for name in PROCESSES:
            self._start(name)
        for arrival in self._scenario.arrivals:
            self._loop.call_at(arrival.at, self._arrive, arrival)
        for fault in self._scenario.faults:
            self._loop.call_at(fault.at, self._befall, fault)
        await asyncio.sleep(max([INPUT_SECONDS, *(one.at for one in self._scenario.arrivals)]))
        self._calm()
        for _ in range(20):
            if not await self._settled():
                return
            dues = {name: due for name, store in self.stores.items() if (due := store.latest_due()) is not None}
            if not dues:
                return
            self._later["world"] += max(1.0, (max(dues.values()) - self.now()).total_seconds() + 1)
            self.diary.tell("", "time passes", self.now())
            for name in dues:  # a claim reads the database's clock
                self.groups[name].rebalance()
        self.problems.append("deadlines never end")

    def _start(self, name: str) -> None:
        if self.over or (name in self.members and self.members[name].process.alive):
            return
        process = self._loop.process(name)
        process.context.run(self._live, process)

    def _live(self, process: Process) -> None:
        name = process.name.partition("/")[0]
        service: Any = Computing(services()[name], self._scenario.rule_seconds, self._loop)
        consumer = LogConsumer(self.log, self.groups[name], self.network, tuple(service.inputs), self._chance)
        journals = journals_of(self.stores[name], self.network)
        links = Links(consumer, LogPublisher(self.log, self.network), journals, self._settings)
        member = Member(process, consumer, Supervisor(service, links), asyncio.Event())
        self.members[process.name] = member
        consumer.fetching = partial(self._must_wake, member)
        self._loop.create_task(self._work(member))
        self.diary.tell(process.name, "started")

    async def _work(self, member: Member) -> None:
        try:
            await member.supervisor.run(member.stop)
        except Exception as error:  # noqa: BLE001 - nothing that happens here ends a process but a fault
            self.problems.append(f"{member.process.name} failed: {error!r}")
        self.kill(member.process, "ended")

    def kill(self, process: Process, how: str = "killed") -> None:
        """The process never runs again; another one takes its place in a few seconds."""
        if not process.alive:
            return
        process.alive = False
        self.diary.tell(process.name, how)
        member = self.members[process.name]
        group = self.groups[process.name.partition("/")[0]]
        self._loop.call_later(SESSION_SECONDS, group.expel, member.consumer, context=SERVERS)
        self._loop.call_later(self._chance.uniform(0.5, 4), self._start, process.name, context=SERVERS)

    def _strike(self, process: Process, fault: Fault) -> None:
        match fault.kind:
            case "kill":
                self.kill(process)
            case "disk":  # and while it is slow the partition gets another owner
                group = self.groups[process.name.partition("/")[0]]
                self._loop.call_soon(group.rebalance, context=SERVERS)
            case _:
                self._freeze(process, fault.seconds)

    def _freeze(self, process: Process, seconds: float) -> None:
        process.frozen = True
        self.diary.tell(process.name, "frozen", f"{seconds:.1f} s")
        self._loop.call_later(seconds, self._thaw, process, context=SERVERS)
        if seconds > SESSION_SECONDS:
            self._loop.call_later(SESSION_SECONDS, self._missed, process, context=SERVERS)

    def _missed(self, process: Process) -> None:
        if process.frozen:
            self.groups[process.name.partition("/")[0]].expel(self.members[process.name].consumer)

    def _thaw(self, process: Process) -> None:
        if process.frozen:
            self.diary.tell(process.name, "thawed")
            self._loop.thaw(process)

    def _arrive(self, arrival: Arrival) -> None:
        self.diary.tell("", "arrives", f"{arrival.topic}/{arrival.part} {arrival.about}")
        if arrival.about == "mark":
            self.log.mark(arrival.topic, arrival.part)
        else:
            self.log.append(arrival.topic, arrival.part, arrival.key, arrival.value)

    def _befall(self, fault: Fault) -> None:
        member = self.members.get(fault.process)
        process = member.process if member else Process("")
        at_once = fault.kind in ("expel", "stop", "outage", "clock", "transaction")
        self.diary.tell(fault.process, f"{fault.kind}!" if at_once else f"armed: {fault.kind}", fault.request)
        match fault.kind:
            case "kill" | "freeze" if not fault.request:
                process.light(fault.steps, lambda: self._strike(process, fault))
            case "expel" if member:
                self.groups[fault.process.partition("/")[0]].expel(member.consumer)
            case "stop" if member:
                member.stop.set()
            case "outage":
                self.network.down.add(fault.request)
                self._loop.call_later(fault.seconds, self.network.down.discard, fault.request)
            case "clock":
                self._later["database"] += fault.seconds
                self.jumps.append((self.now(), fault.seconds))
            case "transaction":
                topic, part = fault.request.rsplit("/", 1)
                began = self.log.begin(topic, int(part))
                self._loop.call_later(fault.seconds, self.log.finish, topic, int(part), began)
            case _:
                self.network.glitches.append(fault)

    def _calm(self) -> None:
        self.diary.tell("", "peace")
        self.network.calm = True
        self.network.down.clear()
        self.log.finish_all()
        for member in self.members.values():
            member.process.fuse = 0
            self._thaw(member.process)

    async def _settled(self) -> bool:
        until = self._loop.time() + SETTLING_SECONDS
        while unsettled := self.unsettled():
            if self._loop.time() > until or self.problems or self.diary.stopped:
                self.problems.append(f"does not settle: {unsettled}")
                return False
            await asyncio.sleep(1)
        return True

    def unsettled(self) -> str | None:
        """What is still to be done, None for nothing."""
        for name, store in self.stores.items():
            for part in range(PARTS):
                row = store.partitions.get(part)
                if row is None:
                    return f"{name}/{part} has no owner"
                for topic in services()[name].inputs:
                    if self.log.read(topic, part, row.progress.offsets.get(topic, 0)):
                        return f"{name}/{part} has not read {topic}"
                if row.outbox:
                    return f"{name}/{part} has not published {len(row.outbox)}"
            soon = store.now() + LOOKED_AT_AGAIN
            if any(row.due and row.due <= soon for _, row in store.leads.values()):
                return f"{name} has not judged what is due"
        return None

    def _must_wake(self, member: Member, part: int) -> None:
        """An owner that has nothing in hand knows when to wake. With the next timer it would find out: only late."""
        store = self.stores[member.process.name.partition("/")[0]]
        for worker in member.supervisor.workers:
            if worker.ownership is None:
                continue
            owned, due = worker.ownership.committer, store.next_due(part)
            if worker.part == part and owned._claim.epoch == store.partitions[part].epoch and due:
                knows = owned.next_due and owned.next_due <= max(due, store.now() + LOOK_AGAIN)
                if not knows:
                    self.problems.append(f"{member.process.name} does not wake for {part} at {due}")
