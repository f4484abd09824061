"""Partitions without a leader, on a real broker, fail the requests that need it and no other."""

import asyncio
from collections import Counter
from datetime import timedelta

from baton_local.topics import create_topics
from chassis.kafka.publisher import Publisher
from chassis.process.settings import Kafka
from tests.contract.conftest import SERVER, Door, Opens, RealKafka
from tests.infrastructure import Room
from tests.topics import delete_topics
from tests.until import until

ACTIVITY = {"type": "sales.contacted", "subject": "ada@example.com"}


async def sales_until(door: Door, status: int) -> None:
    async def answered() -> bool:
        return (await door.post("/v1/sales-activities", ACTIVITY, key=SERVER)).status_code == status

    await until(answered, f"an answer {status}", 60)


async def test_only_requests_that_need_the_partitions_without_a_leader_fail(own_room: Room, opened: Opens) -> None:
    kafka = Kafka(bootstrap_servers=own_room.bootstrap_servers, prefix=own_room.prefix)
    async with (
        Publisher(kafka) as publisher,
        opened(RealKafka(publisher, kafka), answer_deadline=timedelta(seconds=4)) as door,
    ):
        await sales_until(door, 200)
        await delete_topics(
            kafka.bootstrap_servers, f"{kafka.prefix}sales-activities"
        )  # its partitions have no leader now
        await sales_until(door, 503)
        statuses: Counter[int] = Counter()
        async with asyncio.TaskGroup() as tasks:
            stuck = [tasks.create_task(door.post("/v1/sales-activities", ACTIVITY, key=SERVER)) for _ in range(5)]
            for number in range(120):  # past the deadline at which the producer is given up
                answer = await door.post("/v1/page", {"userId": f"u{number}", "messageId": f"m{number}"})
                statuses[answer.status_code] += 1
                await asyncio.sleep(0.12)
        assert statuses == {200: 120}
        assert {task.result().status_code for task in stuck} == {503}
        assert publisher.rebuilds >= 1
        assert {event["id"] for _, event in await door.published()} == {f"m{number}" for number in range(120)}
        await create_topics(kafka.bootstrap_servers, kafka.prefix)
        await sales_until(door, 200)
        assert (door.count("in_flight_events"), door.count("in_flight_bytes")) == (0, 0)
