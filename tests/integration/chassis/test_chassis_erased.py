"""A database of before erasures and drops were columns: each lead is afterwards in the condition that it was in."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command

from chassis.partition.journal import Journal
from chassis.policy import Policies
from chassis.postgres.database import connected, is_transient
from desk.lead.row import Row, Tombstone
from desk.reading import one_instant, row_of
from router.app import Router
from sla_monitor.app import SlaMonitor
from tests.builders import a_handoff, a_policy
from tests.infrastructure import Room
from tests.integration.chassis.driving import House, arrived, engaged, leads, take_all
from tests.unit.router.journeys import a_handed_off_lead
from tests.unit.scorer.driver import Play, a_scorer
from tests.unit.sla_monitor.driver import Play as Watch

BEFORE = "0005"
POLICIES = Policies(Path(), (a_policy(),))
SINCE = datetime(2026, 11, 1, 2, 3, 4, 567, tzinfo=UTC)
QUIET, FLOODED, GONE, HEARD_OF = leads(0, 4)
UNKEPT: dict[str, tuple[dict[str, int], int | None]] = {
    QUIET: ({}, None),
    FLOODED: ({"flood": 3}, None),
    GONE: ({}, 7),
    HEARD_OF: ({"flood": 5, "erased": 2}, 0),
}
"""Lead -> what was dropped, and how many facts its erasure deleted."""


def services() -> list[tuple[Any, Any]]:
    """Each service, and a state that it has made."""
    play, watch = Play(), Watch()
    play.play([engaged("1", QUIET, "webinar_attended")])
    watch.hear(a_handoff())
    return [
        (a_scorer(), play.state),
        (Router(POLICIES), a_handed_off_lead()),
        (SlaMonitor(POLICIES, timedelta()), watch.lead),
    ]


async def older(room: Room, service: Any, state: Any, monkeypatch: pytest.MonkeyPatch) -> House:
    """The service's schema as version BEFORE has filled it: its states had these two more members."""
    house, upgrade = House(room, service.name), command.upgrade
    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", lambda config, _: upgrade(config, BEFORE))
        await house.open()
    await house.query("INSERT INTO partition VALUES (0, 1, '{}', 0, '{}')")
    for lead, (dropped, deleted) in UNKEPT.items():
        erased = None if deleted is None else {"at": SINCE.isoformat().replace("+00:00", "Z"), "facts": deleted}
        text = json.dumps({**json.loads(service.dump(state)), "unkept": dropped, "erased": erased})
        await house.query("INSERT INTO lead VALUES ($1, 0, 1, NULL, $2)", lead, text)
    return house


@pytest.mark.parametrize("index", range(3))
async def test_what_a_state_said_is_in_the_columns(own_room: Room, index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    service, state = services()[index]
    house = await older(own_room, service, state, monkeypatch)
    await house.open()
    async with connected(house.engine) as connection:
        rows = {row.lead_id: row for row in await Journal(connection, 0).leads(list(UNKEPT))}
    for lead, (dropped, deleted) in UNKEPT.items():
        row = rows[lead]
        since = None if deleted is None else SINCE
        assert (row.version, row.erased, row.dropped, row.deleted) == (1, since, dropped, deleted or 0)
        assert service.load(lead, row.state) == service.load(lead, service.dump(state))
        kept = json.loads(row.state)
        if lead == QUIET:
            del kept["unkept"], kept["erased"]
        assert json.dumps(kept) == json.dumps(json.loads(service.dump(state))), "its order is kept"
    async with one_instant(house.database, service.name) as (connection, _):
        seen = await row_of(connection, HEARD_OF)
    assert seen == Row(rows[HEARD_OF].state, UNKEPT[HEARD_OF][0], Tombstone(SINCE, 0))


async def test_the_new_owner_goes_by_it_and_the_old_one_commits_nothing(
    own_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, state = services()[0]
    house = await older(own_room, service, state, monkeypatch)
    old = await asyncpg.connect(house.room.url, server_settings={"search_path": "scorer"})
    commit = await old.prepare("SELECT require(true)")  # as each commit of version BEFORE does
    await commit.fetch()
    await house.open()
    with pytest.raises(asyncpg.UndefinedFunctionError) as refused:
        await commit.fetch()
    await old.close()
    assert not is_transient(refused.value), "its partition stops, instead of trying for ever"
    async with house.claimed(service) as ownership:
        await take_all(ownership, arrived([engaged(lead, lead, "demo_requested") for lead in UNKEPT]))
    assert {row[0] for row in await house.query("SELECT id FROM fact")} == {QUIET, FLOODED}
    found = await house.query("SELECT lead_id, dropped ->> 'erased', deleted FROM lead WHERE erased IS NOT NULL")
    assert {row[0]: (row[1], row[2]) for row in found} == {GONE: ("1", 7), HEARD_OF: ("3", 0)}
    assert (await house.totals())["dropped:erased"] == 2
