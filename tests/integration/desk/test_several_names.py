"""What the desk says of people with several names, on the tables of a stopped relay."""

import json
from datetime import timedelta

from schemas.engagements import LeadLinked, Link
from schemas.identity import Identifiers, lead_id_of
from tests.builders import an_engagement, at
from tests.infrastructure import connected
from tests.integration.desk.test_backtest import Bench
from tests.relay import Relay

USERS = ("u-1", "u-2", "u-3")
CROWD = """
INSERT INTO lead (lead_id, part, version, state)
SELECT '00000000-' || lpad(n::text, 4, '0'), 1, 1, '{}' FROM generate_series(1, 4500) AS n
"""
"""More than two pages of leads without other names, before all others."""


def a_conflict(user: str) -> list[LeadLinked]:
    alias, found = lead_id_of(user_id=user), list[LeadLinked]()
    for number in (1, 2):
        lead = lead_id_of(email=f"{user}-{number}@example.com")
        data = Link(alias=alias, lead=lead, alias_by="user_id", lead_by="email")
        time = at(0) + timedelta(days=number)
        found.append(LeadLinked(id=f"link-{number}", source="tracker", subject=alias, time=time, data=data))
    return found


async def test_every_conflict_is_listed_and_what_is_left_out_is_said(terminal: Relay) -> None:
    await terminal.migrate("scorer")
    bench = Bench(terminal)
    visits = [an_engagement(subject=lead_id_of(user_id=u), identifiers=Identifiers(user_id=u), id=u) for u in USERS]
    await bench.fill(*visits, *(link for user in USERS for link in a_conflict(user)))
    async with connected(bench.url, "scorer") as connection:
        await connection.execute(CROWD)

    code, out, _ = await terminal.typed("desk", "conflicts", "--json", BATON_POLICIES="/nowhere")
    told = json.loads(out)
    assert (code, sorted(each["user_id"] for each in told["conflicts"]), told["more"]) == (0, [*USERS], False)
    code, out, _ = await terminal.typed("desk", "conflicts", "--limit", "2")
    assert (code, out.count(" since "), out.splitlines()[-1]) == (0, 4, "... and more; --limit says how many to list.")
    code, out, _ = await terminal.typed("desk", "conflicts", "--limit", "3")
    assert (code, "more" in out) == (0, False), out
