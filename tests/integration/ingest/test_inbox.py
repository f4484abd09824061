"""The inbox on real Kafka: what platforms write arrives once in effect, whatever is killed; nothing stops it."""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from baton_local.ports import HeldPorts
from baton_local.topics import PARTITIONS, create_topics
from chassis.kafka.consumer import append_time
from schemas.envelope import Decoder
from schemas.identity import lead_id_of, partition_of
from schemas.topics import TOPICS
from tests.infrastructure import Room
from tests.processes import Instance
from tests.topics import written
from tests.until import until

MAPPINGS = Path(__file__).parents[3] / "deploy" / "mappings"
INBOXES: list[dict[str, Any]] = [
    {"topic": "calls", "format": "segment", "source": "calls", "class": "public"},
    {"topic": "events", "format": "cloudevents", "source": "events", "class": "server",
     "sends": ["engagements", "sales-activities"]},
    {"topic": "changes", "format": "debezium", "source": "shop", "class": "server"},
]  # fmt: skip
ADA = lead_id_of(email="ada@example.com")
Sent = tuple[str, bytes | None, bytes | None, Sequence[tuple[str, bytes]]]


class Door:
    """Instances of the inbox, and the topics around them."""

    def __init__(self, room: Room, folder: Path, ports: HeldPorts) -> None:
        self.room = room
        self.folder = folder
        self._ports = ports
        (folder / "inboxes.yaml").write_text(json.dumps({"inboxes": INBOXES}))

    def instance(self, number: int = 1) -> Instance:
        env = {
            "BATON_KAFKA__BOOTSTRAP_SERVERS": self.room.bootstrap_servers,
            "BATON_KAFKA__PREFIX": self.room.prefix,
            "BATON_INBOXES": str(self.folder / "inboxes.yaml"),
            "BATON_MAPPINGS": str(MAPPINGS),
        }
        return Instance(f"inbox/{number}", env, self.folder / f"inbox-{number}.log", self._ports.take())

    async def write(self, *sent: Sent) -> None:
        """Writes records as a platform does: any key, any partition."""
        async with AIOKafkaProducer(bootstrap_servers=self.room.bootstrap_servers) as producer:
            for place, (topic, key, value, headers) in enumerate(sent):
                await producer.send(
                    self.room.prefix + topic, value, key=key, headers=list(headers), partition=place % PARTITIONS
                )
            await producer.flush()

    async def on(self, topic: str) -> list[Any]:
        return await written(self.room.bootstrap_servers, self.room.prefix + topic)

    async def facts(self, topic: str = "engagements") -> Counter[tuple[str, str, str, bytes]]:
        """The facts of the topic (lead, source, id, content), each with its number of records."""
        decoder, found = Decoder(*TOPICS[topic].events), Counter[tuple[str, str, str, bytes]]()
        for record in await self.on(topic):
            fact = decoder.fact(record.key, record.value, append_time(record.timestamp))
            assert record.partition == partition_of(record.key, PARTITIONS)
            found[fact.lead_id, fact.event.source, fact.event.id, fact.fingerprint] += 1
        return found


@pytest.fixture
async def door(own_room: Room, tmp_path: Path) -> AsyncIterator[Door]:
    with HeldPorts() as ports:
        await create_topics(own_room.bootstrap_servers, own_room.prefix, ["calls", "events", "changes"])
        yield Door(own_room, tmp_path, ports)


@asynccontextmanager
async def kept(*instances: Instance) -> AsyncIterator[None]:
    """Started again whenever they end."""
    async with asyncio.TaskGroup() as tasks:
        keeping = [tasks.create_task(each.keep()) for each in instances]
        try:
            yield
        finally:
            for task in keeping:
                task.cancel()
            for each in instances:
                await each.end()


def track(number: int, **more: Any) -> bytes:
    item = {"type": "track", "event": "Webinar Attended", "userId": f"u-{number}", "messageId": f"m-{number}"}
    return json.dumps({**item, **more}).encode()


async def test_every_format_arrives_with_its_class_and_what_cannot_be_read_is_set_aside(door: Door) -> None:
    own = {"specversion": "1.0", "id": "e-1", "source": "/platform", "type": "com.example.webinar.attended"}
    binary = [(f"ce_{name}", value.encode()) for name, value in (own | {"id": "e-3"}).items()]
    binary.append(("content-type", b"application/json"))
    won = {**own, "id": "e-2", "type": "baton.deal.won.v1", "subject": "ada@example.com", "data": {"revenue": 9}}
    row = {"op": "c", "source": {"table": "customers", "lsn": 1}, "after": {"id": 7, "email": "ada@example.com"}}
    without_id = {"type": "page", "name": "Pricing", "anonymousId": "a-1"}
    good: list[Sent] = [
        ("calls", b"any", track(1), ()),
        ("calls", None, json.dumps({"batch": [json.loads(track(2)), json.loads(track(3))]}).encode(), ()),
        ("calls", None, json.dumps(without_id).encode(), ()),
        ("events", None, json.dumps({**own, "data": {"email": "ada@example.com"}}).encode(), ()),
        (
            "events",
            None,
            b'{"userId": "u-9"}',
            [*binary[:1], ("ce_id", b"e-3"), *binary[2:], ("content-type", b"application/json")],
        ),
        ("events", None, json.dumps(won).encode(), ()),
        ("changes", None, b"\0\0\0\0\7" + json.dumps(row).encode(), ()),
        ("changes", b"7", None, ()),
    ]
    bad: list[Sent] = [
        ("calls", None, b"\xff\xfe no json", ()),
        ("calls", None, track(4, timestamp="yesterday"), ()),
        ("calls", None, b"[" * 100_000, ()),
        ("calls", b"k", None, ()),
        ("calls", None, json.dumps(won).encode(), ()),
        ("changes", None, b"\0\0\0\0\7\2Ada\4", ()),
        ("events", None, b"{}", ()),
    ]
    instance = door.instance()
    async with kept(instance):
        await door.write(*bad, *good)

        async def all_there() -> bool:
            wanted = {"engagements": 8, "sales-activities": 1, "events-rejected": len(bad)}
            return all([len(await door.on(topic)) >= count for topic, count in wanted.items()])

        await until(all_there, "everything to arrive", 60)
        async with httpx.AsyncClient(trust_env=False) as http:
            metrics = (await http.get(f"{instance.ops_url}/metrics")).text
            assert (await http.get(f"{instance.ops_url}/readyz")).status_code == 200
        assert f'baton_inbox_records_total{{topic="{door.room.prefix}' not in metrics
        assert 'baton_inbox_events_total{outcome="published",topic="calls"} 4.0' in metrics
        code, _ = await instance.signal(signal.SIGTERM)
        assert code == 0
    told = [json.loads(record.value) for record in await door.on("engagements")]
    ids = {(event["source"], event["id"], event["sentby"]) for event in told}
    assert ids >= {
        ("inbox/calls", "m-1", "public"), ("inbox/calls", "m-2", "public"), ("inbox/calls", "m-3", "public"),
        ("/platform", "e-1", "server"), ("/platform", "e-3", "server"), ("inbox/shop", "customers-7-1", "server"),
    }  # fmt: skip
    [activity] = [json.loads(record.value) for record in await door.on("sales-activities")]
    assert (activity["id"], activity["sentby"], activity["subject"]) == (
        "e-2",
        "server",
        lead_id_of(email="ada@example.com"),
    )
    rejected = [json.loads(record.value) for record in await door.on("events-rejected")]
    assert Counter(entry["reason"] for entry in rejected) == {
        "unreadable": 3, "bad_time": 1, "bad_item": 2, "unknown_type": 1,
    }  # fmt: skip
    assert {entry["address"].partition("/")[0] for entry in rejected} == {"calls", "changes", "events"}


@pytest.mark.parametrize(
    "failpoints", ["fetched=kill@2", "sending=kill@2", "sent=kill@3", "acknowledged=kill@2", "reporting=kill@2"]
)
async def test_a_kill_at_any_point_loses_nothing_and_repeats_nothing_in_effect(door: Door, failpoints: str) -> None:
    """The instance is killed at the point, once, and again by SIGKILL from outside; then it works to the end."""
    count = 1500
    expected = {f"m-{number}" for number in range(count)}
    instance = door.instance()
    await instance.start(BATON_FAILPOINTS=failpoints)
    await door.write(*(("calls", None, track(number), ()) for number in range(count // 2)))
    process = await instance.process()
    await door.write(*(("calls", None, track(number), ()) for number in range(count // 2, count)))
    assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
    async with kept(instance):
        os.kill(await instance.pid(), signal.SIGKILL)

        async def all_there() -> bool:
            return {id_ for _, _, id_, _ in await door.facts()} >= expected

        await until(all_there, "every event to arrive", 90)
        assert (await instance.signal(signal.SIGTERM))[0] == 0
    facts = await door.facts()
    assert Counter(id_ for _, _, id_, _ in facts) == dict.fromkeys(expected, 1)
    assert not await door.on("events-rejected")


async def test_a_publish_that_fails_is_repeated(door: Door) -> None:
    instance = door.instance()
    await instance.start(BATON_FAILPOINTS="sending=fail")
    try:
        for number in range(40):
            await door.write(("calls", None, track(number), ()))

        async def all_there() -> bool:
            return {id_ for _, _, id_, _ in await door.facts()} == {f"m-{number}" for number in range(40)}

        await until(all_there, "every event to arrive", 60)
        assert instance.said("inbox_waits") == 1
    finally:
        await instance.end()


async def test_a_topic_that_comes_later_stops_no_other(door: Door) -> None:
    (door.folder / "inboxes.yaml").write_text(json.dumps({"inboxes": [{**INBOXES[0], "topic": "later"}, INBOXES[0]]}))
    instance = door.instance()
    async with kept(instance), httpx.AsyncClient(trust_env=False) as http:
        await door.write(("calls", None, track(1), ()))

        async def arrived(count: int) -> bool:
            return len(await door.on("engagements")) == count

        await until(lambda: arrived(1), "the first event", 60)
        answer = await http.get(f"{instance.ops_url}/readyz")
        assert (answer.status_code, "later" in answer.text) == (503, True)
        await create_topics(door.room.bootstrap_servers, door.room.prefix, ["later"])
        await door.write(("later", None, track(2), ()), ("calls", None, track(3), ()))
        await until(lambda: arrived(3), "the others", 60)


async def test_two_instances_share_the_partitions_and_each_ones_order_is_kept(door: Door) -> None:
    instances = door.instance(1), door.instance(2)
    people, rounds = 8, 0
    async with kept(*instances), httpx.AsyncClient(trust_env=False) as http:

        async def read() -> list[float]:
            """How many records each instance has read."""
            texts = [(await http.get(f"{each.ops_url}/metrics")).text for each in instances]
            return [float(text.partition('baton_inbox_records_total{topic="calls"} ')[2].split()[0]) for text in texts]

        async def ready() -> bool:
            try:
                return all([(await http.get(f"{each.ops_url}/readyz")).status_code == 200 for each in instances])
            except httpx.HTTPError:
                return False

        await until(ready, "both to be ready", 60)
        while rounds < 10 or min(await read()) == 0:
            assert rounds < 200
            # a person's records are all in one partition, as of a platform that keys by its own id
            await door.write(*(("calls", None, track(who, messageId=f"{rounds}"), ()) for who in range(people)))
            rounds += 1

        async def all_there() -> bool:
            return len(await door.facts()) >= rounds * people

        await until(all_there, "every event to arrive", 60)
    of_each: dict[str, list[int]] = {}
    for record in await door.on("engagements"):
        event = json.loads(record.value)
        of_each.setdefault(event["subject"], []).append(int(event["id"]))
    for ids in of_each.values():
        first_times = list(dict.fromkeys(ids))
        assert first_times == sorted(first_times)
