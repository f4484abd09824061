"""Runs a backtest on the stored facts: reads all leads' facts once, as of one instant, and writes nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chassis.policy import load_policies
from desk.policy.backtest import Backtest, Report
from desk.reading import BEYOND, ever, every_fact, named_states, one_instant, states_between
from desk.settings import DeskSettings
from schemas.envelope import Fact
from schemas.erasure import FLOOD
from schemas.policy import Policy
from scorer.app import Scorer


@dataclass(frozen=True, slots=True)
class Asked:
    """The candidate, and the time of the facts, [since, until); `most` leads of each kind are named."""

    candidate: Policy
    since: datetime | None = None
    until: datetime | None = None
    most: int = sys.maxsize


async def backtest(settings: DeskSettings, asked: Asked, tell: Callable[[int, int], None]) -> Report:
    """Compares the candidate with the policy in force; `tell` is called with the facts read and their number.

    A candidate that scores as the policy in force does is compared with the stored states too, if no time leaves facts
    out. Raises PolicyError, Transient, and DBAPIError where a statement fails.
    """
    scorer = Scorer(load_policies(settings.policies, Policy))
    async with one_instant(settings.database, scorer.name) as (connection, now):
        live = scorer.policy(now)
        test = Backtest(live, asked.candidate, asked.until or now, asked.most)
        alike = asked.candidate.scoring == live.scoring
        comparing = alike and asked.since is None and asked.until is None

        async def expect(after: str, last: str) -> None:
            states = await states_between(connection, after, last)
            test.expect((lead_id, scorer.load(lead_id, state)) for lead_id, state in states)

        async def name(facts: list[Fact]) -> None:
            states = await named_states(connection, {fact.lead_id for fact in facts})
            names = ((lead_id, scorer.load(lead_id, state).names) for lead_id, state in states)
            test.name((lead_id, each) for lead_id, each in names if not each.unread)

        read, total, last = 0, await ever(connection), ""
        async for rows, facts in every_fact(connection, scorer.inputs["engagements"], asked.since, asked.until):
            if comparing:
                await expect(last, facts[-1].lead_id)
                last = facts[-1].lead_id
            else:
                await name(facts)
            test.read(facts)
            read += rows
            tell(read, total)
        if comparing:
            await expect(last, BEYOND)
        dropped = await ever(connection, f"dropped:{FLOOD}")
    return test.report(asked.since, asked.until, dropped)
