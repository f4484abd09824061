"""One person by three names, as a tracker sends her: one lead, handed off once, in any order and after kills."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from itertools import permutations
from pathlib import Path

import pytest

from schemas.identity import lead_id_of
from tests.e2e import people
from tests.e2e.conftest import QUICK
from tests.infrastructure import Infrastructure, room
from tests.relay import Relay, relay
from tests.until import until

PAGES, IDENTIFY, TRACKS = (0, 1, 2, 3), (4,), (5, 6)
ORDERS = [[*one, *two, *three] for one, two, three in permutations((PAGES, IDENTIFY, TRACKS))]
"""The calls of `people.of_three_names` in every order of what belongs together."""


def aliases_of(email: str) -> list[str]:
    """The leads of the person's user id and anonymous id."""
    user_id, anonymous_id = people.weaker_names(email)
    return [lead_id_of(user_id=user_id), lead_id_of(anonymous_id=anonymous_id)]


async def arrive(relay: Relay, *items: people.Item) -> None:
    """Each call in a request of its own, one after the other."""
    for item in items:
        assert (await relay.batch([item])).status_code == 200


async def one_lead_of_80_points(relay: Relay, email: str, aliases: Sequence[str], facts: int = 7) -> None:
    """Waits until everything has arrived under the address; then one handoff has been published, for the lead."""
    lead = lead_id_of(email=email)

    async def whole() -> bool:
        [row] = await relay.query(
            "scorer", "SELECT count(*) FROM fact WHERE lead_id = $1 AND type NOT LIKE '%linked%'", lead
        )
        scores = await relay.events("lead-scores", "scored", lead)
        read = await relay.query("router", "SELECT id FROM fact WHERE lead_id = $1 AND type LIKE '%scored%'", lead)
        left = await relay.query("router", "SELECT 1 FROM outbox LIMIT 1")
        scored = bool(scores) and scores[-1]["data"]["score"] == 80
        return row["count"] == facts and scored and [fact["id"] for fact in read] == [scores[-1]["id"]] and not left

    await until(whole, f"all {facts} events at the lead", 40)
    [handoff] = [e for each in (lead, *aliases) for e in await relay.events("lead-handoffs", "handed_off", each)]
    assert (handoff["subject"], handoff["data"]["contact"]["email"]) == (lead, email)

    async def all_linked() -> bool:
        ends = [(await relay.events("lead-handoffs", lead=alias))[-1:] for alias in aliases]
        return all(end and "linked" in end[0]["type"] and end[0]["data"]["lead"] in (lead, *aliases) for end in ends)

    await until(all_linked, "the aliases to be told to everybody", 20)


async def known(relay: Relay, leads: Sequence[str], facts: int) -> None:
    """Waits until the scorer keeps so many facts of the leads."""

    async def kept() -> bool:
        [row] = await relay.query("scorer", "SELECT count(*) FROM fact WHERE lead_id = ANY($1)", list(leads))
        return bool(row["count"] == facts)

    await until(kept, f"{facts} facts", 30)


@pytest.mark.parametrize("apart", [False, True], ids=["at once", "one after the other"])
async def test_three_names_in_any_order_are_one_lead_handed_off_once(shared_relay: Relay, apart: bool) -> None:
    persons = {people.somebody(): order for order in (*ORDERS, list(range(6, -1, -1)))}
    calls = {email: people.of_three_names(email) for email in persons}

    async def sent(email: str) -> None:
        for number in persons[email]:
            await arrive(shared_relay, calls[email][number])
            if apart:  # long enough for the scorer to have decided what came before
                await asyncio.sleep(0.3)

    await asyncio.gather(*(sent(email) for email in persons))
    for email in persons:
        await one_lead_of_80_points(shared_relay, email, aliases_of(email))

    code, printed = await shared_relay.baton("lead", next(iter(persons)))
    assert (code, "80 points" in printed, "visit_pricing" in printed) == (0, True, True)


@pytest.fixture
async def own_relay(servers: Infrastructure, tmp_path: Path) -> AsyncIterator[Relay]:
    """One whose scorer has nothing else to do: it would kill itself at the first tick of another lead."""
    async with room(servers) as where, relay(where, tmp_path, QUICK) as running:
        yield running


@pytest.mark.parametrize("failpoint", ["moving=kill", "moved=kill"])
async def test_a_kill_while_the_past_moves_leaves_nothing_behind(own_relay: Relay, failpoint: str) -> None:
    email = people.somebody()
    calls = people.of_three_names(email)
    await arrive(own_relay, *(calls[number] for number in (*PAGES, *TRACKS)))
    await known(own_relay, aliases_of(email), 6)

    await doomed(own_relay, failpoint, calls[4])
    await one_lead_of_80_points(own_relay, email, aliases_of(email))


async def test_a_kill_between_the_commit_and_the_copies_loses_none(own_relay: Relay) -> None:
    email = people.somebody()
    calls = people.of_three_names(email)
    await arrive(own_relay, *(calls[number] for number in (*IDENTIFY, *PAGES)))
    await known(own_relay, [lead_id_of(email=email)], 7)  # with the two links

    await doomed(own_relay, "committed=kill", *(calls[number] for number in TRACKS))
    await one_lead_of_80_points(own_relay, email, aliases_of(email))


async def doomed(relay: Relay, failpoint: str, *items: people.Item) -> None:
    """The calls arrive at a scorer that kills itself at the failpoint; another one takes over."""
    await relay.kill("scorer", signal.SIGTERM)
    process = await relay.launch("scorer", BATON_FAILPOINTS=failpoint)
    await until(lambda: relay.ready("scorer"), "the scorer to be ready", 60)
    await arrive(relay, *items)
    assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL
    await relay.start("scorer")
