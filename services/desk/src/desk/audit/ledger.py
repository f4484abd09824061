"""Recomputes one service's outcomes from the raw records of its inputs, and compares them with its tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from uuid import UUID

from desk.audit.content import Event, conflict, content_of, digest, event_of, minute_of
from desk.audit.copies import Copies
from desk.audit.dead_letters import Letter, Letters, dead_letters_of
from desk.audit.latest import Latest, Scores, value_of
from desk.audit.report import Findings
from desk.audit.snapshot import Books, Database, part_of
from desk.audit.topics import BARRIER_KEY, Extent, Place, Raw

DISPUTED = 1_000
"""Most records whose content is compared field by field."""


class Ledger:
    """The outcomes of one service, record by record; call `finish` after the last one."""

    def __init__(self, books: Books, letters: Letters, extents: dict[Place, Extent], findings: Findings) -> None:
        self._books = books
        self._letters = letters
        self._extents = extents
        self._findings = findings
        self._first: dict[bytes, bytes] = {}
        self._counted: dict[int, Counter[str]] = {part: Counter() for part in books.partitions}
        self._disputed: list[tuple[Raw, Event]] = []
        self._scores = Scores()
        self._missing: defaultdict[str, set[bytes]] = defaultdict(set)
        """Lead -> its events that are no facts; only of leads whose rows count some."""
        self._minutes: defaultdict[bytes, set[int]] = defaultdict(set)
        """Lead, source and content of events without a time -> the minutes in which one was accepted."""
        self.copies = Copies(books)
        self.waiting: dict[Place, int] = {}
        """Place -> time stamp of the oldest record without an outcome."""

    def add(self, raw: Raw, event: Event | None) -> None:
        """Takes the next raw record of an input and its `event`."""
        place = (raw.topic, raw.partition)
        self.copies.add(event, published=True)
        letter = self._letters.found.pop((self._books.service, *place, raw.offset), None)
        if letter is not None and letter.content not in (None, digest(raw.key, raw.value)):
            self._findings.wrong("I10", f"{raw.name}: its dead letter holds other bytes")
        if raw.offset >= self._stored(place):
            self.waiting.setdefault(place, raw.timestamp)
            return self._findings.count("in flight", f"{self._books.service}: {raw.topic}")
        self._counted[raw.partition]["records"] += 1
        if raw.key == BARRIER_KEY:
            outcome = "barriers"
        else:
            outcome = self._conflict(raw, event, letter) if letter is not None else self._accepted(raw, event)
        self._counted[raw.partition][outcome] += 1
        return self._findings.count(f"{self._books.service} records", outcome.partition(":")[0])

    async def finish(self, database: Database) -> None:
        """Compares the counts with the totals, and reports what the tables have without a record."""
        for place in self._inputs():
            self._check_extent(place)
        self.copies.close()
        for latest in self._scores.items():
            self._check_latest(*latest)
        for part, counted in self._counted.items():
            self._check_totals(part, counted)
        for fact in self._books.facts.values():
            if self._whole(part_of(fact)):
                lead = UUID(bytes=fact[:16])
                self._findings.wrong("I3", f"{self._books.service}: lead {lead} has a fact that no record made")
        for (service, topic, part, offset), _ in self._letters.found.items():
            extent = self._extents.get((topic, part))
            if service == self._books.service and (extent is None or offset >= extent.first):
                self._findings.wrong("I10", f"{topic}/{part}@{offset}: a dead letter of {service} without its record")
        self._check_missing()
        for raw, event in self._disputed:
            accepted = event_of(await database.fact(self._books.service, event.key))
            if accepted is not None and conflict(event.body, accepted.body):
                self._findings.wrong(
                    "I10", f"{raw.name}: a duplicate to {self._books.service}, but it says other things"
                )

    def _accepted(self, raw: Raw, event: Event | None) -> str:
        """A record without a dead letter is the fact or a repeat, or of a lead whose row counts events not kept.

        One that was forwarded is a fact too, until all copies are known.
        """
        if event is None:
            if self._whole(raw.partition):
                self._findings.wrong("I10", f"{raw.name}: neither fact nor dead letter of {self._books.service}")
            return "unaccounted"
        self.copies.accepted(event, raw.partition)
        key, content = digest(*event.key), content_of(event.body)
        if self._scores.counts(raw, event):
            return self._score(raw, event, key, content)
        if self._of_next_minute(event, key, content):
            return "duplicates"
        if event.key[0] in self._books.unkept:
            return self._kept_or_not(raw, event.key[0], key, content)
        if self._known(raw, event, key, content):
            return "duplicates"
        self._check_fact(raw, self._books.facts.pop(key, None))
        return "facts"

    def _of_next_minute(self, event: Event, key: bytes, content: bytes) -> bool:
        """Whether it is a retry, in a minute next to the first one's, of an event with neither id nor time.

        Its id has the minute in it. A record that is a fact is no retry.
        """
        minute = minute_of(event.body)
        if minute is None:
            return False
        accepted = self._minutes[digest(*event.key[:2], content)]
        known = key in self._books.facts or key in self._first
        if not known and accepted & {minute - 1, minute + 1}:
            return True
        accepted.add(minute)
        return False

    def _known(self, raw: Raw, event: Event, key: bytes, content: bytes) -> bool:
        """Whether the event was read before."""
        first = self._first.setdefault(key, content)
        if first != content and len(self._disputed) < DISPUTED:
            self._disputed.append((raw, event))
        return first is not content

    def _score(self, raw: Raw, event: Event, key: bytes, content: bytes) -> str:
        """Only a lead's latest score is a fact; one kept beside it before 2026-11-28 still is."""
        if key in self._first and self._known(raw, event, key, content):
            return "duplicates"
        older = self._scores.add(raw, event, key)
        if older is None or older.key != key:
            self._first[key] = content
        if older is None:
            unkept = self._books.unkept.get(event.key[0])
            if unkept is not None and unkept.deleted and not unkept.living:
                self._missing[event.key[0]].add(key)
                return "unkept"
            return "facts"
        beside = self._books.facts.pop(older.key, None)
        if beside is None:
            self._first.pop(older.key, None)
            return "replaced"
        self._first.setdefault(older.key, content)
        self._check_fact(older.raw, beside, older.value)
        return "facts"

    def _check_latest(self, lead: str, latest: Latest) -> None:
        """The score is a fact, or was deleted when its lead was erased in part."""
        fact, unkept = self._books.facts.pop(latest.key, None), self._books.unkept.get(lead)
        if fact is None and unkept is not None and unkept.living and unkept.deleted:
            self._missing[lead].add(latest.key)
            self._counted[latest.raw.partition].update(facts=-1, unkept=1)
            return
        self._check_fact(latest.raw, fact, latest.value)

    def _kept_or_not(self, raw: Raw, lead: str, key: bytes, content: bytes) -> str:
        """Dropped, deleted or duplicate: distinguished by their numbers only, since a dropped event may come again."""
        fact = self._books.facts.get(key)
        if fact is not None and fact[16:32] == value_of(raw):
            self._first.setdefault(key, content)
            self._check_fact(raw, self._books.facts.pop(key))
            return "facts"
        if key in self._first:
            return "duplicates"
        self._missing[lead].add(key)
        return "unkept"

    def _check_missing(self) -> None:
        for lead, keys in self._missing.items():
            unkept, missing = self._books.unkept[lead], len(keys - self._first.keys())
            most = unkept.dropped + unkept.deleted
            if missing > most:
                wrong = f"lead {lead} has no fact of {missing} events, {most} were dropped or erased"
                self._findings.wrong("I3", f"{self._books.service}: {wrong}")

    def _check_fact(self, raw: Raw, fact: bytes | None, value: bytes | None = None) -> None:
        service, value = self._books.service, value or value_of(raw)
        if fact is None:
            wrong = f"{service} has no fact of it"
        elif part_of(fact) != raw.partition:
            wrong = f"{service} has its fact in partition {part_of(fact)}"
        elif fact[16:32] != value:
            wrong = f"{service} has another fact under its id"
        else:
            return
        if self._whole(raw.partition):
            self._findings.wrong("I3", f"{raw.name}: {wrong}")

    def _conflict(self, raw: Raw, event: Event | None, letter: Letter) -> str:
        known = self._first.get(digest(*event.key)) if event is not None and letter.reason == "id_conflict" else None
        if event is not None and known == content_of(event.body):
            self._findings.wrong("I10", f"{raw.name}: an id_conflict to {self._books.service}, but it is a duplicate")
        return f"dead_letters:{letter.reason}"

    def _check_totals(self, part: int, counted: Counter[str]) -> None:
        progress = self._books.partitions[part]
        totals = Counter(progress.totals)
        judged = {name for name in totals if name in _JUDGED or name.startswith(("dead_letters:", "dropped:"))}
        outcomes = sum(totals[name] for name in judged - {"records"})
        wrong = []
        if totals["records"] != outcomes:
            wrong.append(f"{totals['records']} records have {outcomes} outcomes")
        if totals["published"] != progress.out_seq:
            wrong.append(f"{totals['published']} outputs are numbered up to {progress.out_seq}")
        unkept = [each for each in self._books.unkept.values() if each.part == part]
        deleted, dropped = sum(each.deleted for each in unkept), sum(each.dropped for each in unkept)
        if (in_totals := sum(totals[name] for name in judged if name.startswith("dropped:"))) != dropped:
            wrong.append(f"dropped are {in_totals} in the totals, {dropped} in the leads")
        counted = counted + Counter(facts=deleted, **{name: totals[name] for name in judged if name[:8] == "dropped:"})
        counted["duplicates"] += counted.pop("unkept", 0) - deleted - dropped
        counted["facts"] -= totals["forwarded"]
        counted["forwarded"] = totals["forwarded"]
        if self._whole(part):
            copies, most = self.copies.known[part], totals["forwarded"] + totals["moved"]
            if not copies <= most <= copies + self.copies.again[part]:
                wrong.append(f"{most} facts were forwarded or moved by the totals, {copies} have a copy")
            differing = sorted(n for n in judged | counted.keys() if totals[n] != counted[n] and n != "unaccounted")
            wrong += [f"{name} are {totals[name]} in the totals, {counted[name]} in the topics" for name in differing]
        elif totals["records"] < counted["records"]:
            wrong.append(f"records are {totals['records']} in the totals, {counted['records']} or more in the topics")
        for each in wrong:
            self._findings.wrong("I2", f"{self._books.service}, partition {part}: {each}")

    def _check_extent(self, place: Place) -> None:
        stored, extent = self._stored(place), self._extents[place]
        if stored > extent.end or 0 < stored < extent.first:
            where = f"{self._books.service} is at {stored}, outside {extent.first}..{extent.end}"
            self._findings.wrong("I10", f"{place[0]}/{place[1]}: {where}")

    def _inputs(self) -> Iterable[Place]:
        return [(topic, part) for part, progress in self._books.partitions.items() for topic in progress.offsets]

    def _stored(self, place: Place) -> int:
        progress = self._books.partitions.get(place[1])
        return 0 if progress is None else progress.offsets.get(place[0], 0)

    def _whole(self, part: int) -> bool:
        """Whether nothing of the partition's inputs and dead letters is gone; what is gone cannot be compared."""
        topics = [topic for topic, at in self._inputs() if at == part]
        if self.copies.any and any(self._extents[place].first for place in self._inputs()):
            return False  # a copy may have been there
        return all(self._extents[name, part].first == 0 for topic in topics for name in (topic, dead_letters_of(topic)))


_JUDGED = ("records", "facts", "duplicates", "replaced", "forwarded", "barriers")
