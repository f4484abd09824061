"""The publisher: what the broker refuses is told apart, and costs the others nothing (delivery.md P1)."""

from __future__ import annotations

import pytest

from chassis.failures import Unpublishable
from chassis.publisher import Record
from tests.integration.chassis.driving import House


async def test_record_over_the_brokers_limit_is_refused_and_good_ones_land(house: House) -> None:
    good = [Record("lead-scores", b"k", b"%d" % n, partition=0) for n in range(1000)]
    async with house.publisher() as publisher:
        await publisher.publish(good[:10])
        large = Record("lead-scores", b"k", b"x" * 1_500_000, partition=0)
        with pytest.raises(Unpublishable, match="lead-scores") as refusal:
            await publisher.publish([*good[10:14], large, *good[14:20]])
        assert refusal.value.records == [large]
        assert refusal.value.names(large)
        assert not any(map(refusal.value.names, good))
        await publisher.publish(good[20:])
    landed = [each.value for each in await house.written("lead-scores")]
    assert set(landed) == {each.value for each in good}
    assert [value for value in landed if value in {each.value for each in good[20:]}] == [e.value for e in good[20:]]
