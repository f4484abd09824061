"""Mutants of single guards; the simulation must find each one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import Any
from unittest.mock import patch

import sla_monitor.rules
from chassis.partition import worker
from chassis.partition.barrier import Barriers
from chassis.partition.journal import Batch, Claim
from chassis.process.failures import Fenced
from schemas.envelope import Fact
from sla_monitor.rules.clock import Clock
from tests.simulation.log import Log
from tests.simulation.store import Key, Store, StoreJournal, claim_of

_commit = StoreJournal.commit
_settle = sla_monitor.rules._settle


async def _commit_all_the_same(self: StoreJournal, epoch: int, batch: Batch, acknowledged: int) -> datetime:
    try:
        return await _commit(self, epoch, batch, acknowledged)
    except Fenced:
        return self._store.now()


async def _claim_at_once(self: StoreJournal) -> Claim:
    async def claim() -> Claim:
        due, owed_since = self._store.next_due(self._part), self._store.owed_since(self._part)
        return claim_of(*await self._store.claim(self._part), due, owed_since)

    return await self._network.run("claim", claim)


async def _no_leftovers(*_: object) -> list[object]:
    return []


def _those_not_there(self: Store, facts: Sequence[Fact]) -> dict[Key, Fact]:
    return {key: fact for fact in facts if (key := (fact.lead_id, *fact.key)) not in self.facts}


def _let_stand(clock: Clock, *rest: Any) -> Clock:
    return clock if clock.standing == "breached" else _settle(clock, *rest)


async def _end_in_its_place(self: Barriers, now: datetime, publisher: Any) -> None:
    """What was read up to the end that the broker tells to who reads committed records only."""
    for topic in self._known:
        log: Log = publisher._log
        there = log.read(topic, self._part, 0, log.stable(topic, self._part))
        self._standing[topic] = (now, there[-1].offset if there else -1)


MUTANTS: Mapping[str, Callable[[], AbstractContextManager[Any]]] = {
    "no fence: a commit of an older epoch is written": partial(patch.object, Store, "owned", lambda *_: True),
    "a worker that does not heed the fence": partial(patch.object, StoreJournal, "commit", _commit_all_the_same),
    "claim reads what lies beside its row in one statement": partial(
        patch.object, StoreJournal, "claim", _claim_at_once
    ),
    "facts inserted ON CONFLICT DO NOTHING": partial(patch.object, Store, "new_facts", _those_not_there),
    "outbox not written by the commit": partial(patch.object, Store, "numbered", lambda *_: {}),
    "outbox not drained by the next owner": partial(patch.object, StoreJournal, "leftovers", _no_leftovers),
    "offsets not checked": partial(patch.object, worker, "following", lambda records, *_: len(records)),
    "no retraction": partial(patch.object, sla_monitor.rules, "_settle", _let_stand),
    "replaced facts that stay": partial(patch.object, Store, "forget", lambda *_: None),
    "inputs known by their read-committed ends": partial(patch.object, Barriers, "write", _end_in_its_place),
    "shared rows set without comparison": partial(patch.object, Store, "unchanged", lambda *_: True),
}
"""What is taken away -> how."""
