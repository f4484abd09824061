"""Applies the service's rules to one record or one due lead, and has what they decide carried out.

A failure of the rules becomes a dead letter, or a later tick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import takewhile
from typing import Any, Generic

from chassis.kafka.consumer import Received
from chassis.kafka.dead_letter import RULES_FAILED, WRONG_PARTITION
from chassis.kafka.publisher import Record
from chassis.partition.barrier import is_barrier
from chassis.partition.flood import Guard
from chassis.partition.lead_cache import File, Files, Stored, keys_of
from chassis.partition.pending import Arrival, Key, OutputTooLarge, Pending, Undecided
from chassis.process.failures import Transient
from chassis.process.logs import logger
from chassis.service import At, Decision, Forward, Keep, Move, Recall, S, Service
from schemas.binary import of_record
from schemas.envelope import WAY, Fact, Refused, older_fingerprint
from schemas.identity import partition_of

TRY_AGAIN = timedelta(seconds=60)
"""Until the next try for a lead whose tick failed."""

log = logger(__name__)


class Decider(Generic[S]):
    """Changes only what is pending and the leads' files."""

    def __init__(self, service: Service[S], files: Files[S], part: int, partitions: int) -> None:
        self._service = service
        self._files = files
        self._guard: Guard[S] = Guard(service.limit)
        self._part = part
        self._partitions = partitions

    def read(self, record: Received) -> Fact | Refused:
        """The record's fact, or why it is refused."""
        try:
            value = of_record(record.headers, record.value)
            fact = self._service.inputs[record.topic].fact(record.key, value, record.append_time)
        except Refused as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - a fault of the decoder: it must cost this record only
            log.error("decoder_failed", partition=self._part, offset=record.offset, error=type(error).__name__)
            return Refused(RULES_FAILED, type(error).__name__)
        if fact.event.subject not in self._files and partition_of(record.key or b"", self._partitions) != self._part:
            return Refused(WRONG_PARTITION, f"not where Kafka's default partitioner puts the key; {WAY}")
        return fact

    def take(self, number: int, record: Received, reading: Fact | Refused, pending: Pending[S]) -> None:
        """Decides the record, the `number`th of its batch; one that needs all facts of its lead is added to
        `pending.undecided` instead.
        """
        if is_barrier(record):
            pending.totals["barriers"] += 1
            return
        if isinstance(reading, Refused):
            pending.fail(number, record, reading)
            return
        file, arrival = self._files.of(reading.event.subject), Arrival(number, record, reading)
        if file.lead_id in pending.undecided:
            pending.undecided[file.lead_id].arrivals.append(arrival)
        elif (undecided := self._decide(file, arrival, pending)) is not None:
            pending.undecided[file.lead_id] = undecided

    def tick(self, file: File[S], pending: Pending[S], refusal: Exception | None = None) -> None:
        """Ticks one lead; its failure delays no other. After a `refusal` of the database it is not tried."""
        if refusal is not None:
            self._postpone(file, pending, refusal)
            return
        try:
            decision = Keep(file.state) if file.erased else self._service.tick(file.state, pending.at)
            outputs = [] if isinstance(decision, Move) else self._outputs(file, decision, pending)
        except Exception as error:  # noqa: BLE001 - tried again, and counted
            self._postpone(file, pending, error)
            return
        if isinstance(decision, Move):
            pending.moves[file.lead_id] = decision.after
        elif not pending.carry_out(file, decision, outputs):
            pending.undecided[file.lead_id] = Undecided([], recall=True)

    def move(self, lead_id: str, stored: Sequence[Stored], pending: Pending[S], *, last: bool) -> None:
        """Has some facts of a lead published again for others, `last` if none follow; a failure delays no other
        lead.
        """
        file, facts = self._files.of(lead_id), [self._service.stored(*fact) for fact in stored]
        try:
            decision = self._service.move(file.state, facts, pending.at, last=last)
            outputs = pending.outputs(file, decision.events)
            decision = decision._replace(copies=self._copied(file, decision, outputs, pending))
        except Exception as error:  # noqa: BLE001 - as in `tick`
            self._postpone(file, pending, error)
            return
        pending.carry_out(file, decision, outputs)

    def _copied(
        self, file: File[S], decision: Keep[S], outputs: list[Record], pending: Pending[S]
    ) -> list[tuple[Fact, str]]:
        """The copies that can be made, which are added to the outputs. Others are counted: one must not stop all."""
        made = []
        for copy in decision.copies:
            try:
                outputs += pending.copies(self._service.forwards, [copy])
            except (OutputTooLarge, ValueError) as error:
                log.error("not_copied", partition=self._part, lead_id=file.lead_id, error=type(error).__name__)
                pending.totals["not_copied"] += 1
            else:
                made.append(copy)
        return made

    def decide_rest(
        self, lead_id: str, stored: Sequence[Stored], pending: Pending[S], over: Callable[[], bool]
    ) -> bool:
        """Decides what is undecided of the lead, with all of its facts, of which the database has `stored`.

        False where time was up (`over`) before all was decided; a first part always is. Changes only the lead's file
        and what is pending, so it may run in a thread.
        """
        file, undecided = self._files.of(lead_id), pending.undecided[lead_id]
        earlier = [self._service.stored(*fact) for fact in stored]
        self._guard.count(file, pending.facts_of(lead_id, earlier))
        if not undecided.arrivals:
            self._recall_for_tick(file, earlier, pending)
        self._erase_first(file, undecided, pending)
        recalled = False
        while arrivals := undecided.arrivals:
            alone = arrivals[0].fact.event.erases or file.erased or not undecided.recall
            if alone and self._decide(file, arrivals[0], pending) is None:
                del arrivals[0]
                continue
            if recalled and over():
                return False
            together = list(takewhile(lambda each: not each.fact.event.erases, arrivals))
            assert together  # noqa: S101 - `Service.decide` promises it
            left = self._recall(file, earlier, together, pending)
            undecided.arrivals = [*left, *arrivals[len(together) :]]
            undecided.recall, recalled = False, True
        return True

    def _decide(self, file: File[S], arrival: Arrival, pending: Pending[S]) -> Undecided | None:
        """Decides the record and returns None; where that needs all facts of the lead, returns what waits for them."""
        fact = arrival.fact
        if _ends_as_known(file, arrival, pending):
            return None
        decide: Callable[[S, Fact, At], Decision[S]] = self._service.decide
        if file.erased:
            decide = self._service.after_erasure
        elif not fact.event.erases:
            if self._guard.unsure(file):
                return Undecided([arrival], recall=False)
            if self._guard.full(file, fact):
                self._guard.drop(file, pending)
                return None
        try:
            decision = decide(file.state, fact, pending.at)
            outputs = self._outputs(file, decision, pending, arrival)
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 - whatever rules raise is held against this fact, and limited
            self._failed(arrival, error, pending)
            return None
        if isinstance(decision, Recall) and decision.late and self._guard.too_late(file, fact):
            self._guard.drop(file, pending)
            return None
        if isinstance(decision, Forward) or (isinstance(decision, Keep) and not decision.replaces):
            self._guard.keep(file, fact)
        return None if pending.carry_out(file, decision, outputs, fact) else Undecided([arrival], recall=True)

    def _erase_first(self, file: File[S], undecided: Undecided, pending: Pending[S]) -> None:
        """Decides an erasure of all before what waits with it, whichever came first: the others are then dropped, not
        recalled.
        """
        for arrival in [each for each in undecided.arrivals if each.fact.event.erases_all]:
            if not file.erased:
                undecided.arrivals = [each for each in undecided.arrivals if each is not arrival]
                assert self._decide(file, arrival, pending) is None  # noqa: S101 - `Service.decide` promises it

    def _outputs(
        self, file: File[S], decision: Decision[S], pending: Pending[S], arrival: Arrival | None = None
    ) -> list[Record]:
        match decision:
            case Recall():
                return []
            case Forward():
                assert arrival is not None  # noqa: S101 - only `decide` forwards
                return pending.copies(arrival.record.topic, [(arrival.fact, decision.to)])
        outputs = pending.outputs(file, decision.events) if decision.events else []
        if isinstance(decision, Keep) and decision.copies:
            outputs += pending.copies(self._service.forwards, decision.copies)
        return outputs

    def _recall(
        self, file: File[S], earlier: Sequence[Fact], arrivals: list[Arrival], pending: Pending[S]
    ) -> list[Arrival]:
        """Decides as many of the arrivals as the rules take together with all facts of the lead, at least the first.

        Bisects them while the rules fail, to isolate the one on which they fail. Returns what is left to be decided.
        """
        facts, size = pending.facts_of(file.lead_id, earlier), len(arrivals)
        taken = self._with_room(file, arrivals)
        while taken:  # nothing follows if all are dropped as flood
            try:
                decision = self._service.recall(file.state, facts, list(taken.values()), pending.at)
                outputs = self._outputs(file, decision, pending)
            except Transient:
                raise
            except Exception as error:  # noqa: BLE001 - as in `_decide`
                self._guard.count(file, facts)
                if size == 1:
                    self._failed(arrivals[0], error, pending)
                    return arrivals[1:]
                size = (size + 1) // 2
                taken = self._with_room(file, arrivals[:size])
                continue
            pending.carry_out(file, decision, outputs)
            break
        for arrival in arrivals[:size]:
            if _ends_as_known(file, arrival, pending):
                continue
            if arrival.fact.key in taken:
                pending.accept(file, arrival.fact)
            else:
                self._guard.drop(file, pending)
        return arrivals[size:]

    def _with_room(self, file: File[S], arrivals: Sequence[Arrival]) -> dict[Key, Fact]:
        """The new arrivals that the limits allow, counted with the file from now on."""
        taken: dict[Key, Fact] = {}
        for _, _, fact in arrivals:
            new = not any(key in file.keys or key in taken for key in keys_of(fact))
            if new and not self._guard.full(file, fact):
                taken[fact.key] = fact
                self._guard.keep(file, fact)
        return taken

    def _recall_for_tick(self, file: File[S], earlier: Sequence[Fact], pending: Pending[S]) -> None:
        try:
            decision = self._service.recall(file.state, pending.facts_of(file.lead_id, earlier), [], pending.at)
            outputs = self._outputs(file, decision, pending)
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 - as in `tick`
            self._postpone(file, pending, error)
        else:
            pending.carry_out(file, decision, outputs)

    def _postpone(self, file: File[S], pending: Pending[S], error: Exception) -> None:
        """Ticks the lead again in a minute, since its tick failed."""
        log.error("tick_failed", partition=self._part, lead_id=file.lead_id, error=type(error).__name__)
        pending.totals["tick_failures"] += 1
        pending.apply(file, Keep(file.state, due=pending.at.now + TRY_AGAIN), ())

    def _failed(self, arrival: Arrival, error: Exception, pending: Pending[S]) -> None:
        log.error("rules_failed", partition=self._part, offset=arrival.record.offset, error=type(error).__name__)
        pending.fail(arrival.number, arrival.record, Refused(RULES_FAILED, type(error).__name__))


def _ends_as_known(file: File[Any], arrival: Arrival, pending: Pending[Any]) -> bool:
    """Whether the fact is known, by its id or as the same content under a key of `keys_of`.

    It has its outcome then: counted as a duplicate, or a dead letter with an id conflict.
    """
    _, record, fact = arrival
    own, *others = keys_of(fact)
    first = file.keys.get(own)
    same = first == fact.fingerprint or (first is not None and first == older_fingerprint(fact))
    if same or (first is None and any(key in file.keys for key in others)):
        pending.totals["duplicates"] += 1
        return True
    if first is not None:
        pending.bury(record, Refused("id_conflict", "the same id came with other content before"))
    return first is not None
