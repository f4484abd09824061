"""A database of before links took effect: what an alias did comes to its lead, and owners of before commit nothing."""

import json

import asyncpg
import pytest
from alembic import command

from chassis.postgres.database import is_transient
from schemas.engagements import LeadLinked, Link
from schemas.identity import Identifiers, derived_id, lead_id_of, partition_of
from scorer.app import Scorer
from tests.builders import a_fact
from tests.infrastructure import Room
from tests.integration.chassis.driving import PARTS, House, engaged, leads
from tests.unit.scorer.driver import a_scorer
from tests.until import until

BEFORE = "0006"
[PHONE], [ADA] = leads(0, 1), leads(1, 1)


def a_link_of_before() -> LeadLinked:
    """As ingest made them: it did not say by which identifiers."""
    id_, data = derived_id("linked", PHONE, ADA), Link(alias=PHONE, lead=ADA)
    return LeadLinked(id=id_, source="web", subject=PHONE, time=engaged("1", PHONE).time, finaltime=True, data=data)


async def older(room: Room, scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> House:
    """The scorer's schema as version BEFORE has filled it, with a visit and a link of one device."""
    house, upgrade = House(room, scorer.name), command.upgrade
    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", lambda config, _: upgrade(config, BEFORE))
        await house.open()
    state = scorer.dump(scorer.new(PHONE))
    await house.query("INSERT INTO partition VALUES (0, 1, '{}', 0, '{}')")
    await house.query("INSERT INTO lead (lead_id, part, version, state) VALUES ($1, 0, 1, $2)", PHONE, state)
    for event in (engaged("visit", PHONE, "webinar_attended"), a_link_of_before()):
        fact = a_fact(event)
        row = (PHONE, *fact.key, event.type, fact.time, fact.fingerprint, fact.value)
        columns = "lead_id, source, id, part, type, time, fingerprint, data"
        await house.query(f"INSERT INTO fact ({columns}) VALUES ($1, $2, $3, 0, $4, $5, $6, $7)", *row)
    return house


async def test_what_a_device_had_done_before_comes_to_its_lead(own_room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = a_scorer()
    house = await older(own_room, scorer, monkeypatch)
    await house.open()
    async with house.running(scorer):
        await until(lambda: house.counted("facts", 2), "the copies of visit and link")
    rows = await house.query("SELECT lead_id, state::text FROM lead")
    states = {row[0]: scorer.load(row[0], row[1]) for row in rows}
    assert (states[PHONE].names.unread, states[PHONE].names.after) == (False, None)
    assert states[ADA].names.aliases == (PHONE,)
    assert states[ADA].tally.basis.kept, "the webinar counts"
    assert (await house.totals())["moved"] == 2


async def test_a_lead_of_an_address_spelt_otherwise_is_merged_into_the_right_one(
    own_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer, house, upgrade = a_scorer(), House(own_room, "scorer"), command.upgrade
    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", lambda config, _: upgrade(config, BEFORE))
        await house.open()
    for email in ("<ada@example.com>", "bob@example.com"):
        lead = Identifiers(email=email).lead_ids()["email"]
        part = partition_of(lead.encode(), len(PARTS))
        basis = {"email": ["o", email], "first": "o"}
        await house.query("INSERT INTO partition VALUES ($1, 1, '{}', 0, '{}') ON CONFLICT DO NOTHING", part)
        await house.query(
            "INSERT INTO lead (lead_id, part, version, state) VALUES ($1, $2, 1, $3)",
            *(lead, part, json.dumps({"tally": {"basis": basis}})),
        )
        visit = engaged("visit", lead, "webinar_attended", identifiers=Identifiers(email=email))
        fact = a_fact(visit)
        columns = "lead_id, source, id, part, type, time, fingerprint, data"
        stored = (lead, *fact.key, part, visit.type, fact.time, fact.fingerprint, fact.value)
        await house.query(f"INSERT INTO fact ({columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", *stored)
    await house.open()
    [due] = await house.query("SELECT lead_id FROM lead WHERE due_at IS NOT NULL")
    assert due[0] == Identifiers(email="<ada@example.com>").lead_ids()["email"], "an ordinary address is let alone"
    async with house.running(scorer):
        await until(lambda: house.counted("moved", 2), "the merge")
        await until(lambda: house.counted("facts", 3), "its copies")
    [row] = await house.query("SELECT state::text FROM lead WHERE lead_id = $1", lead_id_of(email="ada@example.com"))
    assert scorer.load("", row[0]).tally.basis.kept, "the webinar counts"


async def test_an_owner_of_before_that_would_forget_the_links_commits_nothing(
    own_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await older(own_room, a_scorer(), monkeypatch)
    old = await asyncpg.connect(house.room.url, server_settings={"search_path": "scorer"})
    commit = await old.prepare("SELECT require_held(true)")  # as each commit of version BEFORE does
    await commit.fetch()
    await house.open()
    with pytest.raises(asyncpg.UndefinedFunctionError) as refused:
        await commit.fetch()
    await old.close()
    assert not is_transient(refused.value), "its partition stops, instead of trying for ever"
