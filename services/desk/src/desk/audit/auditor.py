"""The audit: compares a consistent cut through a running system.

The order of reading makes it safe. First the database, at one instant; then the topics' ends; then the partitions'
progress. Whatever the instant's rows call published is before those ends; what is before those ends is in the later
rows; records past the stored offsets are in flight.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any

from desk.audit.content import Event, digest, event_of
from desk.audit.copies import Copies
from desk.audit.dead_letters import Letters, dead_letters_of
from desk.audit.ledger import Ledger
from desk.audit.outputs import KINDS, Outputs
from desk.audit.report import Findings, Report
from desk.audit.snapshot import FACTS, OUTBOX, UNKEPT, Books, Database, Progress, fact_of, raw_of, reading, unkept_of
from desk.audit.topics import Raw, Topics, connected

INPUTS = {
    "scorer": ("engagements",),
    "router": ("lead-scores", "sales-activities"),
    "sla-monitor": ("lead-handoffs", "sales-activities"),
}
ASIDE = tuple(dict.fromkeys(dead_letters_of(topic) for topics in INPUTS.values() for topic in topics))
CARRYING = tuple(
    dict.fromkeys(topic for of in (KINDS["sla-monitor"].topics, *reversed(INPUTS.values())) for topic in of)
)
"""Every topic but dead-letter topics, the last of the chain first."""
Acknowledged = tuple[str, str, str, str]
"""Topic, lead, source and id of an event answered with success."""
Tell = Callable[[str, int, int], None]
"""Called with what is being read, how far it is, and its size (0: unknown)."""


async def audit(
    kafka: Mapping[str, Any],
    prefix: str,
    database: Mapping[str, Any],
    acknowledged: Iterable[Acknowledged] | None = None,
    tell: Tell = lambda *_: None,
) -> Report:
    """Audits the system on these servers while it runs; only reads. With `acknowledged` I1 is checked too.

    `kafka` and `database` are the arguments of a client of each.

    Holds about 500 bytes for each fact and each output. Raises Unreachable, asyncpg.PostgresError, OSError.
    """
    async with reading(**database) as reader, connected(kafka, prefix) as topics:
        return await Audit(reader, topics, tell).run(acknowledged)


class Audit:
    """One audit."""

    def __init__(self, database: Database, topics: Topics, tell: Tell) -> None:
        self._database = database
        self._topics = topics
        self._tell = tell
        self._findings = Findings()
        self._letters = Letters(self._findings)
        self._books = {service: Books(service) for service in INPUTS}
        self._outputs = {service: Outputs(service, self._findings) for service in INPUTS}
        self._later: dict[str, dict[int, Progress]] = {}

    async def run(self, acknowledged: Iterable[Acknowledged] | None) -> Report:
        """The whole audit, in the order that the module's docstring explains."""
        async with self._database.one_instant():
            instant = await self._database.now()
            for service in INPUTS:
                await self._read_books(service)
        await self._topics.measure([*ASIDE, *CARRYING])
        self._later = {service: await self._database.partitions(service) for service in INPUTS}
        async for raw in self._read(ASIDE):
            self._letters.add(raw)
        for raw in self._outbox():
            if raw.topic in ASIDE:
                self._letters.add(raw)
        ledgers = {
            service: Ledger(books, self._letters, self._topics.extents, self._findings)
            for service, books in self._books.items()
        }
        wanted = None if acknowledged is None else {digest(*each): (each[0], each[1]) for each in acknowledged}
        async for raw in self._read(CARRYING):
            event = event_of(raw.said)
            self._show(raw, event)
            for service, inputs in INPUTS.items():
                if raw.topic in inputs:
                    ledgers[service].add(raw, event)
            if wanted and event is not None:
                wanted.pop(digest(raw.topic, *event.key), None)
        for service, books in self._books.items():
            for raw in (each for each in books.outbox if each.topic in CARRYING):
                event = event_of(raw.said)
                self._show(raw, event)
                ledgers[service].copies.add(event, published=False)
        await self._finish(ledgers)
        self._check_acknowledged(wanted)
        await self._check_retention(ledgers, instant.timestamp() * 1000)
        return self._findings.report()

    async def _read_books(self, service: str) -> None:
        books, outputs = self._books[service], self._outputs[service]
        books.partitions = await self._database.partitions(service)
        known = set()
        async for row in self._database.rows(FACTS, service):
            books.facts.update([fact_of(row)])
            known.add(row[0])
            if len(books.facts) % 5_000 == 0:
                self._tell(f"facts of {service}", len(books.facts), 0)
        self._findings.count("facts", service, len(books.facts))
        async for row in self._database.rows(outputs.statement, service):
            outputs.announce(row)
        async for row in self._database.rows(OUTBOX, service):
            books.outbox.append(raw_of(row))
        async for row in self._database.rows(UNKEPT, service):
            books.unkept.update([unkept_of(row)])
        self._findings.count("leads", service, len(outputs.leads))
        for lead in sorted(known ^ outputs.leads):
            has = "facts, but no row" if lead in known else "a row, but no fact"
            self._findings.wrong("I3", f"{service}: lead {lead} has {has}")

    async def _read(self, topics: Iterable[str]) -> AsyncIterator[Raw]:
        """Every record of the topics up to the measured ends."""
        extents = self._topics.extents
        for topic in topics:
            done, size = 0, sum(e.end - e.first for (name, _), e in extents.items() if name == topic)
            async for raw in self._topics.read(topic):
                yield raw
                done += 1
                if done % 1_000 == 0:
                    self._tell(topic, done, size)
            self._findings.count("records", topic, done)

    def _outbox(self) -> Iterator[Raw]:
        return (raw for books in self._books.values() for raw in books.outbox)

    def _show(self, raw: Raw, event: Event | None) -> None:
        for service, kind in KINDS.items():
            if raw.topic in kind.topics:
                self._outputs[service].add(raw, event)

    async def _finish(self, ledgers: Mapping[str, Ledger]) -> None:
        gone = {place for place, extent in self._topics.extents.items() if extent.first > 0}
        for (topic, _), extent in self._topics.extents.items():
            if extent.gaps:
                self._findings.count("offsets without a record", topic, extent.gaps)
        for service, ledger in ledgers.items():
            await ledger.finish(self._database)
            mine = {*KINDS[service].topics, *map(dead_letters_of, INPUTS[service])}
            short = {part for topic, part in gone if topic in mine}
            await self._outputs[service].finish(self._database, whole=not short)
            if any(topic in INPUTS[service] for topic, _ in gone):  # a copy may have been there
                short = set(self._books[service].partitions)
            self._check_published(service, ledger.copies, whole=not short)
        if gone:
            names = ", ".join(sorted(f"{topic}/{part}" for topic, part in gone))
            for name in ("I2", "I3", "I5", "I10"):
                self._findings.notes[name].append(f"compared with what retention has left of {names}")

    def _check_published(self, service: str, copies: Copies, *, whole: bool) -> None:
        """Over all partitions: what one has published on an input of the service may be in any other."""
        outputs, progresses = self._outputs[service], self._books[service].partitions
        announced = sum(progress.out_seq for progress in progresses.values())
        # by an operator: the row, and the record in its place
        aside = 2 * sum(progress.totals.get("set_aside", 0) for progress in progresses.values())
        letters = [(self._letters.known[service, part], self._letters.published[service, part]) for part in progresses]
        known = outputs.known.total() + sum(each for each, _ in letters) + copies.most_ever + aside
        published = outputs.published.total() + sum(each for _, each in letters) + copies.published_ever
        if whole and known < announced:
            self._findings.wrong("I5", f"{service}: {announced} outputs announced, {known} found")
        most = sum(progress.out_seq for progress in self._later[service].values())
        if published > most:
            self._findings.wrong("I5", f"{service}: {most} outputs announced, {published} published")

    def _check_acknowledged(self, wanted: Mapping[bytes, tuple[str, str]] | None) -> None:
        if wanted is None:
            return
        del self._findings.not_checkable["I1"]
        gone = {topic for (topic, _), extent in self._topics.extents.items() if extent.first > 0}
        for topic, lead in wanted.values():
            if topic in gone:
                self._findings.not_checkable["I1"] = f"retention has taken the beginning of {topic}"
            else:
                self._findings.wrong("I1", f"{topic}: an acknowledged event of lead {lead} is not there")

    async def _check_retention(self, ledgers: Mapping[str, Ledger], now: float) -> None:
        """`now` is the database's, in milliseconds."""
        waiting = [(place, since) for ledger in ledgers.values() for place, since in ledger.waiting.items()]
        kept = await self._topics.retention(sorted({topic for topics in INPUTS.values() for topic in topics}))
        if not kept:
            self._findings.not_checkable["I11"] = "the broker does not tell how long it keeps records"
        for (topic, part), since in waiting:
            age = now - since
            if 0 <= kept.get(topic, -1) < 2 * age:
                self._findings.wrong(
                    "I11", f"{topic}/{part}: the oldest record not read yet is {age / 3.6e6:.1f} h old"
                )
