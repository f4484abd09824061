"""What the desk says of people with several names, on the tables of a stopped relay."""

import json
from datetime import timedelta

from pydantic import SecretStr

from chassis.process.settings import Database
from desk.lead.meaning import meaning_of, not_erased
from desk.reading import one_instant
from schemas.engagements import LeadLinked, LeadUnmerged, Link, Merge
from schemas.identity import Identifiers, lead_id_of
from tests.builders import LEAD, an_engagement, at
from tests.infrastructure import connected
from tests.integration.desk.test_backtest import Bench
from tests.relay import Relay

USERS = ("u-1", "u-2", "u-3")
CROWD = """
INSERT INTO lead (lead_id, part, version, state)
SELECT '00000000-' || lpad(n::text, 4, '0'), 1, 1, '{}' FROM generate_series(1, 4500) AS n
"""
"""More than two pages of leads without other names, before all others."""


def read_by(terminal: Relay) -> Database:
    return Database(url=SecretStr(terminal.room.database_url("baton_reader")))


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


async def test_of_an_alias_its_links_and_the_progress_of_its_move_are_shown(terminal: Relay) -> None:
    await terminal.migrate()
    bench, alias = Bench(terminal), lead_id_of(user_id="u-1")
    visits = [an_engagement(subject=alias, identifiers=Identifiers(user_id="u-1"), id=id_) for id_ in ("b", "d", "f")]
    known = [an_engagement(subject=lead_id_of(email=f"u-1-{number}@example.com")) for number in (1, 2)]
    first, second = a_conflict("u-1")
    await bench.fill(*visits, *known, second, first)

    async def shown(verb: str) -> list[str]:
        code, out, err = await terminal.typed("desk", verb, "u-1")
        assert code == 0, err
        return [line.strip().lower() for line in out.splitlines()]

    links = ", ".join(f"lead {link.data.lead} since {link.time:%Y-%m-%d %H:%M:%S}" for link in (first, second))
    for verb in ("lead", "explain"):
        lines = await shown(verb)
        at_ = lines.index("found by the user id u-1")
        assert lines[at_ + 1 : at_ + 4] == [
            f"alias {alias} is {links}",
            f"what it did before is lead {second.data.lead}'s",
            "0 of its 5 facts were moved there so far",
        ]
    async with connected(bench.url, "scorer") as connection:
        moved = "jsonb_set(state::jsonb, '{names,after}', '[\"tests\", \"d\"]')"
        await connection.execute(f"UPDATE lead SET state = {moved} WHERE lead_id = $1", alias)
    assert "2 of its 5 facts were moved there so far" in await shown("lead")


async def test_after_an_erasure_each_service_is_waited_for(terminal: Relay) -> None:
    await terminal.migrate()
    await Bench(terminal).fill(an_engagement())
    async with connected(terminal.room.url, "scorer") as connection:
        await connection.execute("UPDATE lead SET erased = now(), deleted = 1")
    told = list[tuple[int, int]]()
    left = await not_erased(read_by(terminal), [LEAD], 0.1, lambda done, total: told.append((done, total)))
    assert left == {"scorer": set(), "router": {LEAD}, "sla-monitor": {LEAD}}
    assert set(told) == {(1, 3)}


async def test_a_lead_means_all_its_names_also_those_that_its_list_has_no_room_for(terminal: Relay) -> None:
    await terminal.migrate("scorer")
    bench, old, apart = Bench(terminal), lead_id_of(email="old@example.com"), lead_id_of(email="apart@example.com")
    user, tablet, phone, stranger = (lead_id_of(anonymous_id=name) for name in ("u", "tablet", "phone", "stranger"))
    visits = [
        an_engagement(id=name, via=lead_id_of(anonymous_id=name), identifiers=Identifiers(anonymous_id=name))
        for name in ("tablet", "phone")
    ]
    unmerge = LeadUnmerged(
        id="m", source="crm", subject=LEAD, via=apart, time=at(0), data=Merge(alias=apart, lead=LEAD)
    )
    data = Link(alias=stranger, lead=apart, alias_by="anonymous_id", lead_by="email")
    await bench.fill(
        *visits,
        unmerge,
        LeadLinked(id="l", source="tracker", subject=LEAD, via=apart, time=at(0), data=data),
        *(an_engagement(subject=lead) for lead in (old, user, tablet, phone)),
    )
    names: dict[str, dict[str, object]] = {
        LEAD: {"aliases": [old], "more": 2, "masked": [apart]},
        old: {"links": {"first": LEAD, "since": [[at(0).isoformat(), LEAD]]}, "merged": True, "aliases": [user]},
        phone: {"links": {"first": LEAD, "since": [[at(0).isoformat(), LEAD], [at(1).isoformat(), apart]]}},
    }
    async with connected(bench.url, "scorer") as connection:
        for lead, its in names.items():
            state = "jsonb_set(state::jsonb, '{names}', $2::text::jsonb)"
            await connection.execute(f"UPDATE lead SET state = {state} WHERE lead_id = $1", lead, json.dumps(its))
    async with one_instant(read_by(terminal), "scorer") as (connection, _):
        meaning = await meaning_of(connection, LEAD)
    assert (meaning.persons, meaning.unlisted, meaning.shared) == ((LEAD,), [tablet], {phone})
    assert set(meaning.names) == {LEAD, old, user, tablet, phone}
    assert meaning.names[tablet] == "tablet (anonymous id)"
