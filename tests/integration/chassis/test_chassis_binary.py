"""Records in binary mode on a real broker: facts in structured mode, recalled and forwarded like any other."""

import json

from chassis.kafka.publisher import Record
from schemas.engagements import EngagementRecorded
from tests.integration.chassis.counting import Recalling
from tests.integration.chassis.driving import House, engaged, leads, record
from tests.until import until


def in_binary_mode(event: EngagementRecorded, data: bytes | None = None) -> Record:
    """The event as an SDK of CloudEvents writes it."""
    said = json.loads(event.encode())
    value = json.dumps(said.pop("data")).encode() if data is None else data
    headers = [(f"ce_{name}", text.encode()) for name, text in said.items() if isinstance(text, str)]
    return Record(
        "engagements", event.subject.encode(), value, [*headers, ("content-type", b"application/json; charset=UTF-8")]
    )


async def test_a_record_in_binary_mode_is_a_fact_that_can_be_recalled_and_its_repeat_a_duplicate(house: House) -> None:
    [ada] = leads(0, 1)
    first, last = engaged("1", ada), engaged("2", ada, kind="late")
    service = Recalling()
    await house.publish(in_binary_mode(first), record(first), in_binary_mode(first), in_binary_mode(last))
    async with house.running(service):
        await until(lambda: house.counted("records", 4), "the records")
    totals = await house.totals()
    assert (totals["facts"], totals["duplicates"]) == (2, 2)
    assert ["1", "2"] in service.recalled
    stored = [json.loads(row[0]) for row in await house.query("SELECT data FROM fact ORDER BY id")]
    assert [(each["id"], each["data"]["kind"]) for each in stored] == [("1", "page_viewed"), ("2", "late")]


async def test_a_bad_record_in_binary_mode_is_a_dead_letter_as_it_came(house: House) -> None:
    [ada] = leads(0, 1)
    bad = in_binary_mode(engaged("1", ada), b'{}, "via": 1')
    await house.publish(bad, record(engaged("2", ada)))
    async with house.running():
        await until(lambda: house.counted("records", 2), "the records")
    [letter] = await house.written("engagements-dlq")
    assert (letter.key, letter.value) == (bad.key, bad.value)
    assert set(bad.headers) <= set(letter.headers)
    assert dict(letter.headers)["x-dlq-reason"] == b"invalid_event"
    assert (await house.totals())["facts"] == 1
