"""Upgrade to another version of the contract: facts kept by the older one are read, and their repeats recognised."""

from schemas.engagements import LeadDescribed
from schemas.envelope import Decoder
from tests.integration.chassis.counting import Counting, Recalling
from tests.integration.chassis.driving import House, arrived, engaged, leads, take_all


async def test_facts_of_a_type_that_the_older_version_did_not_know_are_recalled_and_known_again(house: House) -> None:
    """Of two engagements that a version without engagements keeps, the newer one reads one and refuses the other."""
    [ada] = leads(0, 1)
    first, second, late = (
        engaged("1", ada, content="a", properties={"n": 1.0}),
        engaged("2", ada),
        engaged("3", ada, "late"),
    )
    kept = [arrived([first])[0], arrived([second], 1)[0]]
    kept[1] = kept[1]._replace(value=second.encode().replace(b'"page_viewed"', b'"No Kind"'))
    older = Counting(inputs={"engagements": Decoder(LeadDescribed)})
    async with house.claimed(older) as ownership:
        await take_all(ownership, kept)
    assert (await house.totals())["facts"] == 2
    newer = Recalling()
    retry = kept[0]._replace(
        value=first.encode().replace(b'"n":1.0', b'"n":1').replace(b'{"kind', b'{ "campaign": null, "kind')
    )
    async with house.claimed(newer) as ownership:
        await take_all(ownership, [retry._replace(offset=2), arrived([late], 3)[0], kept[0]._replace(offset=4)])
    totals = await house.totals()
    assert newer.recalled == [["1", "2", "3"]]
    assert (totals["facts"], totals["duplicates"], totals["records"]) == (3, 2, 5)
