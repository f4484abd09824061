"""The append time of a fact's first record is kept with the fact."""

from chassis.partition.journal import Journal
from chassis.postgres.database import connected
from tests.integration.chassis.driving import House, engaged, leads, record
from tests.until import until


async def test_a_fact_keeps_the_append_time_of_its_first_record(house: House) -> None:
    [ada] = leads(0, 1)
    each = record(engaged("1", ada))
    await house.publish(each)
    await house.publish(each, record(engaged("2", ada)))
    async with house.running():
        await until(lambda: house.counted("records", 3), "the records")
    first, again, other = await house.written("engagements")
    assert first.timestamp < other.timestamp
    assert again.value == first.value
    async with connected(house.engine) as connection:
        journal = Journal(connection, 0)
        found = {value: int(received.timestamp() * 1000) for _, value, _, _, received in await journal.facts([ada])}
        assert found == {first.value: first.timestamp, other.value: other.timestamp}
        await house.query("UPDATE fact SET received_at = NULL")  # as of before there was such a column
        assert all(received == time for _, _, time, _, received in await journal.facts([ada]))
