"""Every record has exactly one outcome: a fact, a duplicate or a dead letter; and the partition goes on."""

import pytest

from chassis.kafka.publisher import Record
from tests.integration.chassis.counting import Counting, Recalling, Tally
from tests.integration.chassis.driving import (
    PARTS,
    House,
    an_erasure,
    arrived,
    engaged,
    leads,
    record,
    take_all,
    untroubled,
    worker_of,
)
from tests.until import until

HEADERS = [("trace", b"\xff\x00"), ("empty", None)]


@pytest.fixture
async def mixed(house: House) -> tuple[House, dict[str, Record]]:
    """A morning's records, good and bad, all taken: the bad ones by the reason they are refused for."""
    ada, *others = leads(1, 30)
    good = [record(engaged(str(n), lead)) for n, lead in enumerate([ada, ada, *others, *leads(2, 10)])]
    first = engaged("0", ada, content="other than before")
    bad = {
        "not_json": Record("engagements", ada.encode(), b"{", HEADERS, 1),
        "wrong_key": Record("engagements", b"x", good[0].value, (), 1),
        "invalid_event": Record("engagements", ada.encode(), b'{"type": "baton.engagement.recorded.v1"}', (), 1),
        "id_conflict": record(first),
        "rules_failed": record(engaged("b", ada, "boom")),
        "wrong_partition": record(engaged("p", leads(2, 11)[-1]), partition=1),
    }
    async with house.running():
        await house.publish(*good, *bad.values(), good[3], good[40], record(engaged("last", ada)))
        await until(lambda: house.counted("records", len(good) + len(bad) + 3), "every record to have an outcome")
    return house, bad


async def test_records_are_facts_duplicates_and_dead_letters(mixed: tuple[House, dict[str, Record]]) -> None:
    house, bad = mixed
    totals = await house.totals()
    refused = sum(count for name, count in totals.items() if name.startswith("dead_letters:"))
    assert (totals["records"], totals["facts"], totals["duplicates"], refused) == (50, 42, 2, len(bad))
    assert {name.removeprefix("dead_letters:") for name in totals if name.startswith("dead_letters:")} == set(bad)
    assert [row[0] for row in await house.query("SELECT count(*) FROM fact")] == [totals["facts"]]
    assert sum(state.count for state in (await house.states()).values()) == totals["facts"]


async def test_dead_letter_carries_the_original_and_says_why(mixed: tuple[House, dict[str, Record]]) -> None:
    house, bad = mixed
    letters = {
        dict(letter.headers)["x-dlq-reason"].decode(): letter for letter in await house.written("engagements-dlq")
    }
    assert letters.keys() == bad.keys()
    for reason, letter in letters.items():
        assert (letter.key, letter.value) == (bad[reason].key, bad[reason].value)
    headers = letters["not_json"].headers
    assert list(headers[:2]) == HEADERS
    about = dict(headers)
    assert (about["x-dlq-topic"], about["x-dlq-partition"], about["x-dlq-service"]) == (b"engagements", b"1", b"scorer")
    assert about["x-dlq-offset"].isdigit()
    assert about["x-dlq-error"]


async def test_value_that_the_database_refuses_is_set_aside_alone(house: House) -> None:
    ada, bob = leads(0, 2)
    strange = engaged("s", bob, "break").encode()
    records = arrived([engaged("1", ada), engaged("2", bob), engaged("3", ada)])
    records[1] = records[1]._replace(value=strange)
    async with house.claimed() as ownership:
        assert await take_all(ownership, records) == 3
    totals = await house.totals()
    assert (totals["records"], totals["facts"], totals["dead_letters:refused_by_database"]) == (3, 2, 1)
    assert (await house.states())[ada].count == 2
    [letter] = await house.written("engagements-dlq")
    assert letter.value == strange


async def test_many_failures_in_a_row_stop_the_partition_before_it_is_drained_away(house: House) -> None:
    ada, *others = leads(3, 22)
    async with house.running(Counting(own=("engagements",))) as supervisor:
        await house.publish(record(engaged("good", ada)))
        await until(lambda: house.counted("records", 1), "the good one")
        await house.publish(*(record(engaged("b", lead, "boom")) for lead in others))
        stopped = await until(lambda: [w for w in supervisor.workers if w.events["stopped"]], "the partition to stop")
        assert [worker.part for worker in stopped] == [3]
        assert "partition 3: stopped: 21 in a row" in str(supervisor.ready())
        await house.publish(record(engaged("good", leads(1, 1)[0])))
        await until(lambda: house.counted("records", 2), "another partition to go on")
    assert (await house.totals())["dead_letters:rules_failed"] == 0


async def test_resumed_service_sets_aside_what_stands_there_and_keeps_its_limit_for_the_rest(house: House) -> None:
    [ada] = leads(0, 1)
    await house.publish(*(record(engaged(f"b{n}", ada, "boom")) for n in range(50)), record(engaged("good", ada)))
    own = ("engagements",)
    async with house.running(Counting(own=own)) as supervisor:
        await until(lambda: "`serve --resume` goes on" in str(supervisor.ready()), "the partition to stop")
    async with house.running(Counting(own=own), resume=True) as supervisor:
        await until(lambda: house.counted("records", 51), "all of them")
        await untroubled(supervisor)
        await house.publish(*(record(engaged(f"c{n}", ada, "boom")) for n in range(21)))
        await until(lambda: "`serve --resume` goes on" in str(supervisor.ready()), "the partition to stop again")
    totals = await house.totals()
    assert (totals["facts"], totals["dead_letters:rules_failed"]) == (1, 50)


def _bad(kind: str, lead: str) -> list[Record]:
    """More records than the limit allows that fail: in the decoder, in the rules, in the database."""
    if kind == "invalid_event":
        return [Record("engagements", b"k", b"{}", partition=0) for _ in range(30)]
    if kind == "rules_failed":
        return [record(engaged(f"b{n}", lead, "boom")) for n in range(30)]
    return [record(engaged(f"b{n}", lead, "break")) for n in range(30)]


@pytest.mark.parametrize("kind", ["invalid_event", "rules_failed", "refused_by_database"])
async def test_what_baton_wrote_and_cannot_use_trips_the_limit_and_an_outsiders_record_does_not(
    house: House, kind: str
) -> None:
    ada, bob = leads(0, 2)
    await house.publish(*_bad(kind, ada), record(engaged("good", bob)))
    async with house.running() as supervisor:
        await until(lambda: house.counted("records", 31), "the outsider's records")
        await untroubled(supervisor)
    totals = await house.totals()
    assert (totals[f"dead_letters:{kind}"], totals["facts"]) == (30, 1)
    await house.publish(*_bad(kind, ada))
    async with house.running(Counting(own=("engagements",))) as supervisor:
        await until(lambda: "partition 0: stopped: 21 in a row" in str(supervisor.ready()), "the partition to stop")


async def test_late_fact_is_decided_with_all_facts_of_its_lead_and_what_fails_hides_no_other(
    house: House,
) -> None:
    ada, bob = leads(0, 2)
    before = [engaged("0", ada), engaged("1", ada), engaged("0", bob)]
    batch = [engaged("2", ada), engaged("3", ada, "late"), engaged("4", ada, "boom"), engaged("5", ada)]
    service = Recalling()
    async with house.claimed(service) as ownership:
        await take_all(ownership, arrived(before))
        again = [*batch, batch[0], batch[2], batch[3], engaged("5", ada), engaged("1", bob, "late")]
        assert await take_all(ownership, arrived(again, 3)) == 9
    whole = ["0", "1", "2", "3", "4", "5"]
    assert service.recalled == [whole, whole, whole[:5], whole[:4], ["0", "1"]], "halved until the rules take it"
    states, totals = await house.states(), await house.totals()
    assert (states[ada].count, states[bob].count) == (5, 2)
    assert (totals["records"], totals["facts"], totals["duplicates"]) == (12, 7, 2)
    assert (totals["dead_letters:rules_failed"], totals["dead_letters:id_conflict"]) == (2, 1)
    assert [letter.key for letter in await house.written("engagements-dlq")] == [ada.encode()] * 3


async def test_an_erasure_leaves_nothing_but_itself_and_what_waits_with_it_is_dropped(house: House) -> None:
    [ada] = leads(0, 1)
    before = [engaged(str(number), ada, kind) for number, kind in enumerate(("page_viewed", "late", "boom"), 1)]
    erasure = an_erasure(ada)
    batch = [*before, erasure, engaged("4", ada, "late"), an_erasure(ada, "twice")]
    service = Recalling()
    async with house.claimed(service) as ownership:
        await take_all(ownership, arrived([engaged("0", ada, "wait")]))
        await take_all(ownership, arrived(batch, 1))
        await take_all(ownership, arrived([erasure, engaged("5", ada, "boom")], 7))
    assert [row["id"] for row in await house.query("SELECT id FROM fact")] == ["erase"]
    totals, states = await house.totals(), await house.states()
    assert (totals["records"], totals["facts"], totals["duplicates"], totals["dropped:erased"]) == (9, 3, 1, 5)
    assert (states[ada], service.recalled) == (Tally(1), []), "no fact was read for it"
    [row] = await house.query("SELECT erased IS NOT NULL, deleted, dropped ->> 'erased', due_at FROM lead")
    assert tuple(row) == (True, 2, "5", None)


async def test_an_erasure_beside_a_fact_that_fails_leaves_nothing_but_itself(house: House) -> None:
    [ada] = leads(0, 1)
    before = [engaged("0", ada), engaged("1", ada, "boom"), engaged("2", ada)]
    async with house.claimed(Recalling()) as ownership:
        await take_all(ownership, arrived([*before, an_erasure(ada), engaged("3", ada, "boom")]))
    assert [row["id"] for row in await house.query("SELECT id FROM fact")] == ["erase"]
    totals, states = await house.totals(), await house.states()
    assert (totals["facts"], totals["dead_letters:rules_failed"], totals["dropped:erased"]) == (3, 1, 1)
    assert states[ada] == Tally(1)
    [letter] = await house.written("engagements-dlq")
    assert letter.value == before[1].encode()


async def test_tick_that_takes_all_facts_gets_them(house: House) -> None:
    [ada] = leads(0, 1)
    await house.publish(record(engaged("0", ada)), record(engaged("1", ada, "wait")))
    service = Recalling()
    async with house.running(service):
        await until(lambda: house.counted("again", 1), "the tick")
    assert service.recalled == [["0", "1"]]
    assert (await house.states())[ada].count == 2


async def test_bad_record_that_came_compressed_is_cut_rather_than_stuck_in_the_outbox(house: House) -> None:
    [ada] = leads(0, 1)
    async with house.running() as supervisor:
        async with house.foreign_producer(compression_type="gzip", max_request_size=8_000_000) as producer:
            await producer.send_and_wait(
                f"{house.room.prefix}engagements", b"x" * 3_000_000, key=ada.encode(), partition=0
            )
        await house.publish(record(engaged("1", ada)))
        await until(lambda: house.counted("records", 2), "both records")
        await untroubled(supervisor)
    [letter] = await house.written("engagements-dlq")
    assert len(letter.value) < 1_100_000
    assert dict(letter.headers)["x-dlq-cut"].startswith(b"3000036 bytes")


async def test_metrics_survive_a_restart(house: House) -> None:
    await house.publish(*(record(engaged(str(n), lead)) for n, lead in enumerate(leads(0, 5))))
    async with house.running():
        await until(lambda: house.counted("records", 5), "five records")
    async with house.running(Counting()) as supervisor:
        await until(lambda: supervisor.ready() is None and len(supervisor.workers) == len(PARTS), "a new owner")
        assert worker_of(supervisor, 0).ownership.committer.progress.totals["facts"] == 5
