"""The guards that are removed, each with the suite that must fail. One list, so over 250 lines.

`make chaos-mutants` tries them all; `make test` those that the simulation finds.
"""

from dataclasses import dataclass
from pathlib import Path

CHASSIS = "services/chassis/src/chassis"

Hunt = tuple[str, ...]
"""Arguments of the interpreter: a suite that ends with 0 when all is well, with 1 when it found something."""


def chaos(*faults: str, minutes: float) -> Hunt:
    """A run under load with auditor and model at its end; none of those guards is about how long it takes."""
    named = (word for fault in faults for word in ("--fault", fault))
    return ("-m", "tests.chaos", "--seed", "1", "--slack", "3", "--minutes", str(minutes), *named)


def tests(path: str, named: str) -> Hunt:
    """The tests with that in their names."""
    return ("-m", "pytest", "-q", "-x", "-m", "", path, "-k", named)


INTEGRATION = "tests/integration/chassis/test_chassis_{}.py"
POINTS = "tests/chaos/points/test_{}.py"
SIMULATION: Hunt = ("-m", "tests.simulation", "--seeds", "200", "--json")
NAMES: Hunt = ("-m", "tests.simulation", "--family", "names", "--seeds", "200", "--json")
STORE = "tests/simulation/store.py"
LOAD = tests("tests/chaos/test_load.py", "nothing_wrong")
REBALANCE = tests("tests/e2e/test_rebalance.py", "change_hands")
SCORER = "services/scorer/src/scorer/rules"
KILLS = chaos("scorer-kill", "router-kill", minutes=1.3)


@dataclass(frozen=True)
class Mutant:
    """A guard, and the text that takes it out of one file; the hunt is what has to notice, and so has `also`."""

    guard: str
    file: str
    text: str
    instead: str
    hunt: Hunt
    also: Hunt = ()

    @property
    def hunts(self) -> tuple[Hunt, ...]:
        return (self.hunt, self.also) if self.also else (self.hunt,)

    def apply(self, copy: Path) -> None:
        """Raises ValueError when the text is not there exactly once: the list is then out of date."""
        path = copy / self.file
        whole = path.read_text()
        if whole.count(self.text) != 1:
            raise ValueError(f"{self.guard}: {self.file} has {self.text!r} {whole.count(self.text)} times")
        path.write_text(whole.replace(self.text, self.instead))


MUTANTS = (
    Mutant(
        "what lies beside a claim's row is read after it",
        f"{CHASSIS}/partition/journal.py",
        "        [row] = await self._rows(sql.CLAIM, part=self._part)\n"
        "        epoch, offsets, out_seq, totals, now, marks, version, until = row\n"
        "        due = await self.next_due()\n",
        "        due = await self.next_due()\n"
        "        [row] = await self._rows(sql.CLAIM, part=self._part)\n"
        "        epoch, offsets, out_seq, totals, now, marks, version, until = row\n",
        tests("tests/simulation/test_contract_journal.py", "waited_for_a_commit"),
    ),
    Mutant(
        "errors told without their messages",
        f"{CHASSIS}/process/logs.py",
        "        _no_messages,\n",
        "        structlog.processors.format_exc_info,\n",
        tests("tests/unit/chassis/test_logs.py", "no_log_line"),
    ),
    Mutant(
        "evidence cut by bytes",
        "schemas/src/schemas/scores.py",
        "        if left < 0:\n",
        "        if left < 0 < lines < 0:\n",
        tests("tests/unit/test_largest_outputs.py", "fits"),
    ),
    Mutant(
        "outputs checked before the commit",
        f"{CHASSIS}/partition/pending.py",
        "if (size := size_of(record)) > limit:",
        "if (size := size_of(record)) > 2 * limit:",
        tests("tests/simulation/test_outputs.py", "too_large"),
    ),
    Mutant(
        "the bounds of times in the contract",
        "schemas/src/schemas/envelope.py",
        "Instant = Annotated[AwareDatetime, Field(ge=_EPOCH, le=datetime(2200, 1, 1, tzinfo=UTC))]",
        "Instant = AwareDatetime",
        tests("tests/unit/schemas/test_decoder.py", "before_1970"),
    ),
    Mutant(
        "the limit of failures for Baton's own records only",
        f"{CHASSIS}/partition/owner.py",
        "if record.topic in mine and not is_barrier(record)]",
        "if not is_barrier(record)]",
        tests(INTEGRATION.format("outcomes"), "an_outsiders_record_does_not"),
    ),
    Mutant(
        "the limit of what a batch may inflate to",
        f"{CHASSIS}/kafka/inflation.py",
        "LARGEST = 16 * 1024 * 1024",
        "LARGEST = 1024 * 1024 * 1024",
        tests(INTEGRATION.format("bombs"), "little_memory"),
    ),
    Mutant(
        "the fence",
        f"{CHASSIS}/partition/sql.py",
        "WHERE part = :part AND epoch = :epoch RETURNING part",
        "WHERE part = :part AND :epoch > 0 RETURNING part",
        tests(POINTS.format("failpoints"), "deadline"),
    ),
    Mutant(
        "the plain insert of facts",
        f"{CHASSIS}/partition/sql.py",
        "AS u(lead_id, source, id, type, time, fingerprint, data, received_at)\n)",
        "AS u(lead_id, source, id, type, time, fingerprint, data, received_at) ON CONFLICT DO NOTHING\n)",
        tests("tests/simulation/test_contract_journal.py", "known_fact_undoes"),
    ),
    Mutant(
        "the outbox in the same statement",
        f"{CHASSIS}/partition/sql.py",
        "AS u(seq, topic, key, value, headers, partition)\n)",
        "AS u(seq, topic, key, value, headers, partition) WHERE false\n)",
        KILLS,
    ),
    Mutant(
        "the drain on takeover",
        f"{CHASSIS}/partition/commit.py",
        "while rows := await self._journal.leftovers(self._acknowledged_up_to):",
        "while rows := (await self._journal.leftovers(self._acknowledged_up_to))[:0]:",
        KILLS,
        SIMULATION,
    ),
    Mutant(
        "the offset check at the claim",
        f"{CHASSIS}/partition/worker.py",
        "if not first <= offsets[topic] <= end:",
        "offsets[topic] = min(max(first, offsets[topic]), end)\n            if False:",
        tests(POINTS.format("failpoints"), "truncated"),
    ),
    Mutant(
        "the offset check while reading",
        f"{CHASSIS}/partition/worker.py",
        "if record.offset != wanted:",
        "if record.offset < wanted:",
        tests(INTEGRATION.format("process"), "gaps_of_the_log"),
        SIMULATION,
    ),
    Mutant(
        "the retraction",
        "services/sla-monitor/src/sla_monitor/rules/__init__.py",
        "    was = clock.standing\n",
        '    was = clock.standing\n    if was == "breached":\n        return clock\n',
        chaos("reset", minutes=0.5),
        SIMULATION,
    ),
    Mutant(
        "the news that a further episode takes",
        "services/router/src/router/rules/handoff.py",
        "    return (score.engaged_at, asked,",
        "    return (max(line.since for line in score.explanation), asked,",
        tests("tests/unit/router/test_news.py", "unsubscribed"),
    ),
    Mutant(
        "the start of a clock when its handoff was published",
        "services/sla-monitor/src/sla_monitor/rules/clock.py",
        "started_at = max(start.time, received.astimezone(UTC)) if owner else start.time",
        "started_at = start.time",
        tests("tests/unit/sla_monitor/test_publication.py", "published_late"),
    ),
    Mutant(
        "a contact that counts from the qualification on",
        "services/sla-monitor/src/sla_monitor/rules/clock.py",
        "stops_from=min(data.qualified_at.astimezone(UTC), start.time),",
        "stops_from=started_at,",
        tests("tests/unit/sla_monitor/test_publication.py", "between_qualification"),
    ),
    Mutant(
        "the append time kept with a fact",
        f"{CHASSIS}/partition/sql.py",
        "coalesce(f.received_at, f.time)\nFROM unnest(CAST(:leads AS text[])) AS u",
        "f.time\nFROM unnest(CAST(:leads AS text[])) AS u",
        tests(INTEGRATION.format("received"), "first_record"),
    ),
    Mutant(
        "the barrier that is read back",
        f"{CHASSIS}/partition/barrier.py",
        "if offsets.get(topic, 0) > offset:",
        "if offset >= 0:",
        tests(INTEGRATION.format("deadlines"), "open_transaction"),
        also=SIMULATION,
    ),
    Mutant(
        "the word of a broker that does not tell a barrier's offset",
        f"{CHASSIS}/partition/barrier.py",
        "now))) >= 0:",
        "now))) >= -1:",
        tests("tests/simulation/test_barriers.py", "does_not_tell"),
    ),
    Mutant(
        "the copy in the commit that forwards",
        f"{CHASSIS}/partition/pending.py",
        "self.apply(file, Keep(decision.state, due=file.due), outputs)",
        "self.apply(file, Keep(decision.state, due=file.due), ())",
        tests("tests/simulation/test_simulation.py", "is_forwarded"),
    ),
    Mutant(
        "every fact of the slice with which a move's cursor goes on",
        f"{SCORER}/linking.py",
        "for fact in facts if not names_itself(fact)]\n    after",
        "for fact in facts[1:] if not names_itself(fact)]\n    after",
        REBALANCE,
        NAMES,
    ),
    Mutant(
        "the cursor of a move in the lead's row",
        f"{SCORER}/linking.py",
        "after = None if last or not facts else facts[-1].key",
        "after = None",
        REBALANCE,
        NAMES,
    ),
    Mutant(
        "the copies of a move in the outbox",
        f"{CHASSIS}/partition/commit.py",
        "        batch = Batch(progress, new, rows, outbox, shared,",
        "        left = [record for record in outbox if record.topic not in self._service.inputs]\n"
        '        progress.totals["published"] += len(left) - len(outbox)\n'
        "        batch = Batch(progress, new, rows, left, shared,",
        NAMES,
    ),
    Mutant(
        "what comes behind the cursor of a move is forwarded at once",
        f"{SCORER}/names.py",
        "return self.after is not None and fact.key > self.after",
        "return self.after is not None",
        NAMES,
    ),
    Mutant(
        "links that do not go up",
        f"{SCORER}/names.py",
        "if not upward or link.lead == lead_id",
        "if link.lead == lead_id",
        LOAD,
        NAMES,
    ),
    Mutant(
        "an alias without a score",
        f"{SCORER}/linking.py",
        "return State(state.lead_id, NOTHING_KNOWN, untold(state).published, names)",
        "return State(state.lead_id, state.tally, untold(state).published, names)",
        LOAD,
        NAMES,
    ),
    Mutant(
        "what came by an unmerged lead does not count",
        f"{SCORER}/names.py",
        "for alias in latest if _is_apart(alias, latest)",
        "for alias in latest if False",
        NAMES,
    ),
    Mutant(
        "a merged lead is named along a chain of merges",
        f"{SCORER}/names.py",
        "if fact.event.via in self.joined and",
        "if fact.event.via in self.joined[:0] and",
        NAMES,
    ),
    Mutant(
        "the score of a survivor told anew after an unmerge",
        f"{SCORER}/linking.py",
        "Published(version) if version else NEVER_PUBLISHED",
        "replace(NEVER_PUBLISHED, version=version)",
        tests("tests/unit/scorer/test_links.py", "nothing_of_its_own"),
    ),
    Mutant(
        "a survivor waits for the answer of a merged lead",
        "services/router/src/router/rules/handoff.py",
        "    if lead.waits:",
        "    if lead.waits and lead.score is None:",
        NAMES,
    ),
    Mutant(
        "what comes after an erasure is dropped",
        f"{CHASSIS}/partition/decide.py",
        "        if file.erased:\n            decide = self._service.after_erasure\n        elif not",
        "        if not",
        tests(INTEGRATION.format("outcomes"), "an_erasure"),
    ),
    Mutant(
        "an erasure that leaves what is others' of a shared name",
        f"{SCORER}/erasure.py",
        "    if said.lead is None:",
        "    if True:",
        tests("tests/unit/scorer/test_shared_names.py", "takes_what_was_done"),
    ),
    Mutant(
        "the times of which an erasure deletes facts",
        f"{CHASSIS}/partition/sql.py",
        "AND fact.time >= coalesce(u.starts, '-infinity')",
        "",
        tests(INTEGRATION.format("part"), "these_times"),
    ),
    Mutant(
        "the stop of owners that go by what states said of erasures",
        f"{CHASSIS}/postgres/migrations/versions/v0006_erased.py",
        "RENAME TO require_held",
        "OWNER TO CURRENT_USER",
        tests(INTEGRATION.format("erased"), "commits_nothing"),
    ),
    Mutant(
        "the erasure of what is past its due",
        "services/sla-monitor/src/sla_monitor/rules/clock.py",
        'or ("erased" in milestone.means and (self.open or milestone == self.end))',
        "or False",
        tests("tests/unit/sla_monitor/test_suppression.py", "waits_for_the_feed"),
    ),
    Mutant(
        "the mark by which a log is known again",
        f"{CHASSIS}/partition/worker.py",
        "if stamp != marks[topic]:",
        "if stamp < 0:",
        tests(INTEGRATION.format("process"), "made_anew"),
    ),
    Mutant(
        "the limit of failures of our own making",
        f"{CHASSIS}/kafka/dead_letter.py",
        "if many and number >= self.lifted:",
        "if False:",
        tests(INTEGRATION.format("outcomes"), "many_failures"),
    ),
    Mutant(
        "what --resume lifts, and no more",
        f"{CHASSIS}/partition/owner.py",
        "Limiter(lifted=lifted)",
        "Limiter(lifted=10**9 if lifted else 0)",
        tests(INTEGRATION.format("outcomes"), "resumed_service"),
    ),
    Mutant(
        "the isolation of a tick that the database refuses",
        f"{CHASSIS}/partition/owner.py",
        "                done, followed = await self._judge(some, now, version, failure)",
        "                raise",
        tests(INTEGRATION.format("deadlines"), "database_refuses"),
    ),
    Mutant(
        "the recall of a late fact's lead",
        f"{CHASSIS}/partition/lead_cache.py",
        "stored = [lead_id for lead_id in lead_ids if self._files[lead_id].version]",
        "stored: list[str] = []",
        tests(INTEGRATION.format("outcomes"), "late_fact"),
    ),
    Mutant(
        "how far a version of the policy has judged",
        f"{CHASSIS}/partition/owner.py",
        "pending.progress.revision = Revision(version, rows[done - 1].lead_id)",
        "pending.progress.revision = Revision(version)",
        tests(INTEGRATION.format("revision"), "two_owners"),
    ),
    Mutant(
        "the claim of an instance without the version that has judged",
        f"{CHASSIS}/partition/worker.py",
        "> (newest := len(self._service.policies.versions)):",
        "> (newest := 9):",
        tests(INTEGRATION.format("revision"), "without_the_version"),
    ),
    Mutant(
        "the bound of a commit in time",
        f"{CHASSIS}/partition/stride.py",
        "return self._clock() >= self._over",
        "return False",
        tests(INTEGRATION.format("time"), "piece_by_piece"),
    ),
    Mutant(
        "the loop's turns while a batch is decided",
        f"{CHASSIS}/partition/stride.py",
        "            await asyncio.sleep(0)\n            self._turn_over = self._clock() + TURN_SECONDS\n"
        "        return self.up()",
        "            pass\n        return False",
        tests(INTEGRATION.format("time"), "piece_by_piece"),
    ),
    Mutant(
        "the thread of a long recall",
        f"{CHASSIS}/partition/owner.py",
        "await asyncio.to_thread(decide) if many else decide()",
        "decide()",
        tests(INTEGRATION.format("time"), "recall_longer"),
    ),
    Mutant(
        "the smaller attempt after a statement that was cancelled",
        f"{CHASSIS}/partition/stride.py",
        "        elif tried == 1:\n",
        "        elif tried == 1 or isinstance(failure, StatementTimeout):\n",
        tests(INTEGRATION.format("time"), "cancels"),
    ),
    Mutant(
        "the watchdog",
        f"{CHASSIS}/partition/supervisor.py",
        "os._exit(STUCK)",
        "pass",
        tests(POINTS.format("watchdog"), "stuck"),
    ),
    Mutant(
        "the wait for the broker's word before the answer",
        f"{CHASSIS}/kafka/publisher.py",
        "        await acknowledged\n        return size",
        "        acknowledged.add_done_callback(lambda done: done.exception())\n        return size",
        chaos("broker-kill", minutes=1.0),
    ),
    Mutant(
        "the fence in the simulated store",
        STORE,
        "return row.epoch == epoch",
        "return True",
        SIMULATION,
    ),
    Mutant(
        "the worker that heeds the fence",
        STORE,
        'return await self._network.run("commit", write)',
        'try:\n            return await self._network.run("commit", write)\n'
        "        except Fenced:\n            return self._store.now()",
        SIMULATION,
    ),
    Mutant(
        "what lies beside a simulated claim's row is read after it",
        STORE,
        'row, now = await self._network.run("claim", lambda: self._store.claim(self._part))\n'
        "        due = await self.next_due()\n"
        '        owed_since = await self._network.ask("owed_since", lambda: self._store.owed_since(self._part))',
        "due, owed_since = self._store.next_due(self._part), self._store.owed_since(self._part)\n"
        '        row, now = await self._network.run("claim", lambda: self._store.claim(self._part))',
        SIMULATION,
    ),
    Mutant(
        "the plain insert of facts into the simulated store",
        STORE,
        '            raise FactKnown("a fact of the batch is known already")\n',
        "            return {key: fact for key, fact in new.items() if key not in self.facts}\n",
        SIMULATION,
    ),
    Mutant(
        "the outbox of the simulated store in the same statement",
        STORE,
        "numbered = self.numbered(batch)",
        "numbered = dict[int, tuple[Record, datetime]]()",
        SIMULATION,
    ),
    Mutant(
        "the deletion of replaced facts",
        STORE,
        "self.facts.pop(key, None)",
        "pass",
        SIMULATION,
    ),
    Mutant(
        "the comparison before shared rows are set",
        STORE,
        "if not self.unchanged(batch.shared):",
        "if False:",
        SIMULATION,
    ),
    Mutant(
        "offsets of an inbox are committed after the acknowledgement only",
        "services/ingest/src/ingest/inbox/loop.py",
        "        taken = {place: self._taken(place, records) for place, records in batches.items()}\n",
        "        await self._group.commit({place: each[-1].record.offset + 1 for place, each in batches.items()})\n"
        "        taken = {place: self._taken(place, records) for place, records in batches.items()}\n",
        tests("tests/integration/ingest/test_inbox.py", "loses_nothing"),
    ),
    Mutant(
        "the inbox reads again what it could not publish",
        "services/ingest/src/ingest/inbox/loop.py",
        "            self._group.rewind({place: records[0].record.offset for place, records in batches.items()})\n",
        "",
        tests("tests/integration/ingest/test_inbox.py", "fails_is_repeated"),
    ),
)
