"""An unreadable record becomes one dead letter, and its partition continues."""

import json
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from schemas.identity import lead_id_of, partition_of
from tests.e2e import people
from tests.e2e.test_story import handed_off
from tests.infrastructure import connected
from tests.relay import Relay
from tests.until import until


async def test_bad_records_become_dead_letters_and_the_lead_behind_them_is_handed_off(shared_relay: Relay) -> None:
    email, key = people.somebody(), b"a-key"
    part = partition_of(lead_id_of(email=email).encode(), 4)
    bad: dict[bytes | None, str] = {
        b"{": "not_json",
        b"\xff\xfe": "not_json",
        b'{"specversion": "1.0"}': "invalid_event",
        json.dumps({"type": "baton.lead.described.v1", "data": {}}).encode(): "invalid_event",
        None: "not_json",
    }
    async with AIOKafkaProducer(bootstrap_servers=shared_relay.room.bootstrap_servers) as producer:
        for value in bad:
            topic = shared_relay.room.prefix + "engagements"
            await producer.send_and_wait(topic, value, key=key, partition=part, headers=[("from", b"outside")])
    await shared_relay.batch(people.qualified(email))
    await handed_off(shared_relay, email)

    async def letters() -> list[Any]:
        found = [letter for letter in await shared_relay.records("engagements-dlq") if letter.key == key]
        return found if len(found) >= len(bad) else []

    about = [(each.value, dict(each.headers)) for each in await until(letters, "the dead letters", 15)]
    assert len(about) == len(bad)
    assert {value: headers["x-dlq-reason"].decode() for value, headers in about} == bad
    where = (b"outside", b"engagements", str(part).encode())
    for _, headers in about:
        assert (headers["from"], headers["x-dlq-topic"], headers["x-dlq-partition"]) == where


async def test_a_bad_item_of_a_batch_is_rejected_and_the_good_ones_are_kept(shared_relay: Relay) -> None:
    email = people.somebody()
    nobody = {"type": "track", "event": "Webinar Attended", "userId": None, "messageId": "of-nobody"}
    answer = await shared_relay.batch([*people.qualified(email), nobody])
    assert answer.status_code == 200
    await handed_off(shared_relay, email)
    rejected = [json.loads(record.value) for record in await shared_relay.records("events-rejected")]
    assert [(r["reason"], r["item"]["messageId"]) for r in rejected] == [("no_identifier", "of-nobody")]

    code, printed = await shared_relay.baton("rejected", "list", "--reason", "no_identifier", "--json")
    [item] = json.loads(printed)["items"]
    assert (code, item["source"], item["cut"]) == (0, "segment/demo-tracker", None)
    code, printed = await shared_relay.baton("rejected", "show", item["address"])
    assert (code, "of-nobody" in printed, "cannot succeed" in printed) == (0, True, True)
    code, printed, err = await shared_relay.typed("desk", "rejected", "replay", item["address"], "--apply", "--json")
    assert err.startswith(f"Relay: broker {shared_relay.room.bootstrap_servers}")
    assert (code, json.loads(printed)["fates"][0]["fate"]) == (0, "no_identifier")
    assert "dead letters: " in (await shared_relay.baton("rejected", "list"))[1].lower()


async def test_the_desk_s_role_reads_every_table_and_writes_none(shared_relay: Relay) -> None:
    async with connected(shared_relay.room.database_url("baton_reader")) as connection:
        assert not await connection.fetchval("SELECT pg_has_role('pg_read_all_data', 'member')")
        assert await connection.fetchval("SHOW statement_timeout") == "1min"
        for schema in ("scorer", "router", "sla_monitor"):
            for table in ("partition", "fact", "lead", "outbox", "policy"):
                await connection.fetchval(f"SELECT count(*) FROM {schema}.{table}")
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await connection.execute(f"DELETE FROM {schema}.fact")
            await connection.execute("SET default_transaction_read_only = off")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"DELETE FROM {schema}.fact")
            await connection.execute("SET default_transaction_read_only = on")
