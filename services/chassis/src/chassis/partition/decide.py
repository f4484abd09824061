"""Applies the service's rules to one record or one due lead; a failure becomes a dead letter, or a later tick."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Generic, cast

from chassis.kafka.consumer import received_at
from chassis.kafka.dead_letter import RULES_FAILED, WRONG_PARTITION
from chassis.kafka.publisher import Record
from chassis.partition.barrier import is_barrier
from chassis.partition.flood import Guard
from chassis.partition.lead_cache import File, Files, Stored, keys_of
from chassis.partition.pending import Draft
from chassis.process.failures import Transient
from chassis.process.logs import logger
from chassis.service import Decision, Recalling, S, Service
from schemas.envelope import Fact, Refused, older_fingerprint
from schemas.identity import partition_of

Heard = tuple[int, Any, Fact]
"""A record's place in its batch, the record, its fact."""
Decided = tuple[Decision[S], list[Record]]
"""With what it publishes."""
TRY_AGAIN = timedelta(seconds=60)
"""When a lead whose tick failed is looked at again."""

log = logger(__name__)


class Judge(Generic[S]):
    """Writes into a draft, never into the world."""

    def __init__(self, service: Service[S], files: Files[S], part: int, partitions: int) -> None:
        self._service = service
        self._files = files
        self._guard: Guard[S] = Guard(service.limit)
        self._part = part
        self._partitions = partitions

    def judge_read(self, place: int, record: Any, reading: Fact | Refused, draft: Draft[S]) -> bool:
        """As `judge`; what cannot be read is a dead letter, and of a barrier nothing follows."""
        if is_barrier(record):
            draft.totals["barriers"] += 1
            return True
        if isinstance(reading, Fact):
            return self.judge(place, record, reading, draft)
        draft.bury(record, reading)
        return False

    def judge(self, place: int, record: Any, fact: Fact, draft: Draft[S]) -> bool:
        """False when the rules failed. `place` is the record's in the batch."""
        file = self._files.of(fact.event.subject)
        if file.lead_id in draft.late:
            draft.late[file.lead_id].append((place, record, fact))
        elif _known(file, record, fact, draft):
            pass
        elif self._guard.unsure(file):
            draft.late[file.lead_id] = [(place, record, fact)]
        elif self._guard.full(file, fact):
            self._guard.drop(file, draft)
        else:
            return self._decide(file, (place, record, fact), draft)
        return True

    def _decide(self, file: File[S], heard: Heard, draft: Draft[S]) -> bool:
        _, record, fact = heard
        try:
            decision = self._service.decide(file.state, fact, draft.at)
            outputs = draft.outputs(file, decision)
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 - whatever rules raise is held against this fact, and limited
            self._failed(record, error, draft)
            return False
        if decision.dropped is not None:
            draft.drop(file, decision.dropped, decision.state)
            draft.tell(decision, outputs)
        elif not decision.late:
            self._accept(file, fact, decision, draft)
            draft.apply(file, decision, outputs)
        elif decision.behind and self._guard.too_late(file, fact):
            self._guard.drop(file, draft)
        else:
            draft.late[file.lead_id] = [heard]
        return True

    def _accept(self, file: File[S], fact: Fact, decision: Decision[S], draft: Draft[S]) -> None:
        draft.accept(file, fact, decision.replaces)
        if not decision.replaces:
            self._guard.keep(file, fact)

    def recall(self, lead_id: str, stored: Sequence[Stored], newer: Sequence[Fact], draft: Draft[S]) -> list[int]:
        """Decides what waits for the lead's facts, those `stored` and the `newer` ones of the draft.

        Returns the places of those that failed. Touches nothing but the draft and the lead's file.
        """
        service = cast("Recalling[S]", self._service)
        known = (service.stored(*fact) for fact in stored)
        return self._recall(
            lead_id, [*(fact for fact in known if (lead_id, *fact.key) not in draft.replaced), *newer], draft
        )

    def _recall(self, lead_id: str, earlier: Sequence[Fact], draft: Draft[S]) -> list[int]:
        file, service = self._files.of(lead_id), cast("Recalling[S]", self._service)
        if draft.late[lead_id] and self._guard.unsure(file):
            return self._counted(file, earlier, draft)
        waiting = draft.late[lead_id]
        self._guard.count(file, earlier)
        taken = self._taken(file, waiting)
        heard = list(taken.values())
        try:  # of a flood alone nothing follows
            decision = service.again(file.state, earlier, heard, draft.at) if heard or not waiting else None
            outputs = draft.outputs(file, decision) if decision is not None else []
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 - as in `judge`; which fact it was is found one by one
            if not waiting:
                self.postpone(file, draft, error)
            self._guard.count(file, earlier)
            return self._one_by_one(file, earlier, draft)
        if decision is not None and decision.erasing is not None:
            return self._erase(file, (decision, outputs), waiting, draft)
        if decision is not None:
            draft.apply(file, decision, outputs)
        for _, record, fact in waiting:
            if _known(file, record, fact, draft):
                continue
            if fact.key in taken:
                draft.accept(file, fact)
            else:
                self._guard.drop(file, draft)
        return []

    def _counted(self, file: File[S], earlier: Sequence[Fact], draft: Draft[S]) -> list[int]:
        """As `recall`, for what is not late and only had to wait until the lead's facts were counted."""
        self._guard.count(file, earlier)
        waiting, before = draft.late.pop(file.lead_id), set(draft.facts)
        failed = [place for place, record, fact in waiting if not self.judge(place, record, fact, draft)]
        if file.lead_id in draft.late:  # from one of them on
            new = (fact for key, fact in draft.facts.items() if key[0] == file.lead_id and key not in before)
            gone = draft.replaced | (before - draft.facts.keys())
            left = (fact for fact in earlier if (file.lead_id, *fact.key) not in gone)
            failed += self._recall(file.lead_id, [*left, *new], draft)
        return failed

    def _erase(self, file: File[S], decided: Decided[S], others: Sequence[Heard], draft: Draft[S]) -> list[int]:
        """Carries the erasure out and decides the others on what is left; returns the places of those that failed."""
        erasing = cast("Fact", decided[0].erasing)
        draft.erase(file)
        draft.accept(file, erasing)
        draft.apply(file, *decided)
        failed = list[int]()
        for place, record, fact in others:
            new = fact is not erasing and not _known(file, record, fact, draft)
            if new and not self._decide(file, (place, record, fact), draft):
                failed.append(place)
        return failed

    def _taken(self, file: File[S], waiting: Sequence[Heard]) -> dict[tuple[str, str], Fact]:
        """What is new of what waits and finds room; it is counted with the file from now on."""
        taken: dict[tuple[str, str], Fact] = {}
        for _, _, fact in waiting:
            new = not any(key in file.keys or key in taken for key in keys_of(fact))
            if new and not self._guard.full(file, fact):
                taken[fact.key] = fact
                self._guard.keep(file, fact)
        return taken

    def _one_by_one(self, file: File[S], earlier: Sequence[Fact], draft: Draft[S]) -> list[int]:
        facts, failed, service = list(earlier), list[int](), cast("Recalling[S]", self._service)
        waiting = draft.late[file.lead_id]
        for number, (place, record, fact) in enumerate(waiting, 1):
            if _known(file, record, fact, draft):
                continue
            if self._guard.full(file, fact):
                self._guard.drop(file, draft)
                continue
            try:
                decision = service.decide(file.state, fact, draft.at)
                if decision.late:
                    decision = service.again(file.state, facts, [fact], draft.at)
                outputs = draft.outputs(file, decision)
            except Transient:
                raise
            except Exception as error:  # noqa: BLE001 - as in `judge`
                self._failed(record, error, draft)
                failed.append(place)
            else:
                if decision.erasing is not None:
                    return failed + self._erase(file, (decision, outputs), waiting[number:], draft)
                if decision.dropped is not None:
                    draft.drop(file, decision.dropped, decision.state)
                    draft.tell(decision, outputs)
                    continue
                facts = [*(each for each in facts if each.key not in decision.replaces), fact]
                self._accept(file, fact, decision, draft)
                draft.apply(file, decision, outputs)
        return failed

    def _failed(self, record: Any, error: Exception, draft: Draft[S]) -> None:
        log.error("rules_failed", partition=self._part, offset=record.offset, error=type(error).__name__)
        draft.bury(record, Refused(RULES_FAILED, type(error).__name__))

    def tick(self, file: File[S], draft: Draft[S], refusal: Exception | None = None) -> None:
        """One lead's failure holds up no other; after a `refusal` of the database it is not even tried."""
        if refusal is not None:
            self.postpone(file, draft, refusal)
            return
        try:
            decision = self._service.tick(file.state, draft.at)
            if decision.late:
                draft.late[file.lead_id] = []
            else:
                draft.apply(file, decision, draft.outputs(file, decision))
        except Exception as error:  # noqa: BLE001 - tried again, and counted
            self.postpone(file, draft, error)

    def postpone(self, file: File[S], draft: Draft[S], error: Exception) -> None:
        """The lead's tick failed: it is tried again in a minute."""
        log.error("tick_failed", partition=self._part, lead_id=file.lead_id, error=type(error).__name__)
        draft.totals["tick_failures"] += 1
        draft.apply(file, Decision(file.state, due=draft.at.now + TRY_AGAIN), ())

    def read(self, record: Any) -> Fact | Refused:
        """The record's fact, or why it cannot be read."""
        try:
            fact = self._service.inputs[record.topic].fact(record.key, record.value, received_at(record))
        except Refused as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - a fault of the decoder: it must cost this record only
            log.error("decoder_failed", partition=self._part, offset=record.offset, error=type(error).__name__)
            return Refused(RULES_FAILED, type(error).__name__)
        if fact.event.subject not in self._files and partition_of(record.key, self._partitions) != self._part:
            return Refused(WRONG_PARTITION, "not where Kafka's default partitioner puts the key")
        return fact


def _known(file: File[Any], record: Any, fact: Fact, draft: Draft[Any]) -> bool:
    """Whether a fact of this id is there already, or the same content under a key of `keys_of`: that is the outcome."""
    own, *others = keys_of(fact)
    known = file.keys.get(own)
    same = known == fact.fingerprint or (known is not None and known == older_fingerprint(fact))
    if same or (known is None and any(key in file.keys for key in others)):
        draft.totals["duplicates"] += 1
        return True
    if known is not None:
        draft.bury(record, Refused("id_conflict", "the same id came with other content before"))
    return known is not None
