"""A dead letter of each kind, made by the service: listed, shown, replayed or refused with a reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chassis.kafka.publisher import Record
from schemas.engagements import EngagementRecorded
from tests.integration.chassis import foreign
from tests.integration.chassis.driving import House, engaged, leads, record
from tests.integration.desk.operator import Operator
from tests.until import until

HEADERS = [("trace", b"\xff\x00"), ("x-dlq-offset", b"forged")]


@pytest.fixture
async def letters(house: House) -> dict[str, Record]:
    """What was refused, by its reason; the rules fail for kind `boom`, and have not been mended."""
    ada, bob = leads(1, 2)
    later = EngagementRecorded.model_copy(engaged("l", ada), update={"time": datetime.now(UTC) - timedelta(days=91)})
    made = {
        "not_json": Record("engagements", ada.encode(), b"\xff{", HEADERS, 1),
        "wrong_key": Record("engagements", b"x", engaged("k", ada).encode(), (), 1),
        "invalid_event": Record(
            "engagements", ada.encode(), engaged("i", ada, "abc").encode().replace(b'"abc"', b'"A B"'), HEADERS, 1
        ),
        "id_conflict": record(engaged("0", ada, content="other than before")),
        "rules_failed": record(engaged("b", ada, "boom")),
        "wrong_partition": record(engaged("p", leads(2, 1)[0]), partition=1),
        "time_out_of_range": record(later),
        "refused_by_database": record(engaged("s", bob, "break")),
    }
    async with house.running():
        await house.publish(record(engaged("0", ada)), *made.values())
        await until(lambda: house.counted("records", len(made) + 1), "every record to have an outcome")
    return made


async def test_all_are_listed_and_the_ones_that_can_succeed_are_told_from_those_that_cannot(
    letters: dict[str, Record], house: House, operator: Operator
) -> None:
    listed = await operator.asks("list")
    counted = {row["reason"]: (row["letters"], row["again"]) for row in listed["reasons"]}
    assert counted == dict.fromkeys(letters, (1, 0))
    before = await house.written("engagements"), await house.written("engagements-dlq")
    fates = await operator.fates()
    hopeless = ("not_json", "wrong_key", "id_conflict", "time_out_of_range")
    good = letters.keys() - set(hopeless)
    assert fates == {**{(r, r): 1 for r in hopeless}, **{(r, "replayed"): 1 for r in good}}
    code, out, _ = await operator.types("replay")
    assert (code, "4 would be replayed; nothing was written" in out) == (0, True)
    assert (await house.written("engagements"), await house.written("engagements-dlq")) == before

    assert await operator.fates("--apply") == fates
    records = (await house.written("engagements"))[len(before[0]) :]
    published = [each for each in await house.written("engagements") if each not in before[0]]
    assert len(records) == len(published) == len(good)
    for each in published:
        headers = dict(each.headers)
        assert [name for name in headers if name.startswith("x-dlq-")] == ["x-dlq-replay-of"]
        assert b'"finaltime":true' in each.value
    [moved] = [each for each in published if each.partition == 2]
    assert moved.key == letters["wrong_partition"].key
    assert sorted(dict(e.headers).get("trace", b"") for e in published) == [b"", b"", b"", b"\xff\x00"]


async def test_a_letter_that_fails_again_is_seen_to_and_the_next_replay_does_not_double_it(
    letters: dict[str, Record], house: House, operator: Operator
) -> None:
    for again in (1, 2):
        same = {("rules_failed", "same"): again - 1} if again > 1 else {}
        assert await operator.fates("--reason", "rules_failed", "--apply") == {("rules_failed", "replayed"): 1, **same}
        async with house.running():
            await until(lambda: house.counted("records", len(letters) + 1 + again), "the replay's outcome")  # noqa: B023
        [row] = (await operator.asks("list", "--reason", "rules_failed"))["reasons"]
        assert (row["letters"], row["again"]) == (1 + again, again)
    first, *others = await operator.letters("rules_failed")
    assert (first["replay_of"], {other["replay_of"] for other in others}) == (None, {first["address"]})
    assert await house.query("SELECT 1 FROM fact WHERE id = 'p'") == []


async def test_one_letter_is_shown_whole(letters: dict[str, Record], operator: Operator) -> None:
    [letter] = await operator.letters("not_json")
    shown = await operator.asks("show", letter["address"])
    assert shown["value_hex"] == "ff7b"
    assert shown["headers"] == [{"name": "trace", "value_hex": "ff00"}]
    assert shown["origin"].startswith("engagements/1/")
    assert shown["replay"]["refused"] == "not_json"
    code, out, _ = await operator.types("show", letter["address"])
    assert (code, "0xff7b" in out, "cannot succeed: not JSON" in out) == (0, True, True)

    [letter] = await operator.letters("rules_failed")
    shown = await operator.asks("show", letter["address"])
    assert shown["value"].encode() == letters["rules_failed"].value
    assert (shown["error"], shown["service"], shown["replay"]["topic"]) == ("RuntimeError", "scorer", "engagements")


async def test_letters_named_by_address_are_replayed_alone(
    letters: dict[str, Record], house: House, operator: Operator
) -> None:
    [letter] = await operator.letters("wrong_partition")
    assert await operator.fates(letter["address"], "--apply") == {("wrong_partition", "replayed"): 1}
    async with house.running():
        await until(lambda: house.counted("facts", 2), "the event at its right place")
    assert [row[0] for row in await house.query("SELECT part FROM fact WHERE id = 'p'")] == [2]


async def test_a_letter_that_its_service_published_twice_counts_once(
    letters: dict[str, Record], house: House, operator: Operator
) -> None:
    """As a crash between the acknowledgement and the next commit has it."""
    for letter in await house.written("engagements-dlq"):
        await house.publish(Record("engagements-dlq", letter.key, letter.value, letter.headers, letter.partition))
    listed = await operator.asks("list")
    assert {row["reason"]: row["letters"] for row in listed["reasons"]} == dict.fromkeys(letters, 1)


async def test_what_others_wrote_on_the_topic_is_told_and_left_alone(house: House, operator: Operator) -> None:
    event = engaged("1", leads(0, 1)[0])
    theirs = replace(record(event), topic="engagements-dlq")
    await house.publish(theirs, replace(theirs, value=None), replace(theirs, headers=[("x-dlq-reason", b"\x1b[2J")]))
    async with house.foreign_producer() as producer:  # a header whose name is no text, which the client cannot read
        odd = foreign.batch([foreign.Raw(b"k", b"v", [(b"\xff", b"")], foreign.now())])
        await foreign.send(producer, f"{house.room.prefix}engagements-dlq", 0, odd)
    assert await operator.fates("--apply") == {("foreign", "foreign"): 4}
    assert await house.written("engagements") == []
    code, out, _ = await operator.types("list")
    assert (code, "foreign" in out, "\x1b" in out) == (0, True, False)


async def test_record_that_the_topic_does_not_take_is_told_and_the_others_are_published(
    house: House, operator: Operator
) -> None:
    """It came compressed, and goes back as it is."""
    ada, bob = leads(0, 2)
    large = engaged("0", ada, "abc", content="x" * 1000).encode().replace(b'"abc"', b'"A B"')
    large = large.replace(b'"properties":{}', b'"properties":{"a":"' + b"x" * 1_500_000 + b'"}')
    small = engaged("1", bob, "abc").encode().replace(b'"abc"', b'"A B"')
    async with house.running():
        async with house.foreign_producer(compression_type="gzip", max_request_size=8_000_000) as producer:
            for lead, value, part in ((ada, large, 0), (ada, b"x" * 3_000_000, 0), (bob, small, 0)):
                await producer.send_and_wait(
                    f"{house.room.prefix}engagements", value, key=lead.encode(), partition=part
                )
        await until(lambda: house.counted("records", 3), "three dead letters")
    code, out, _ = await operator.types("replay", "--apply")
    assert (code, "refused by the broker" in out, "too large to be kept whole" in out) == (1, True, True)
    assert [each.key for each in (await house.written("engagements"))[3:]] == [bob.encode()]


async def test_no_letters_and_wrong_words(own_room: object, operator: Operator) -> None:
    code, out, _ = await operator.types("list")
    assert (code, out) == (0, "There are no dead letters.\nRejected items: 0 (baton rejected list).\n")
    code, out, _ = await operator.types("replay")
    assert (code, out) == (0, "There are no such dead letters: nothing to replay.\n")
    for words in (
        ("show", "engagements-dlq/0/0"),
        ("show", "engagements/0/0"),
        ("show", "nothing"),
        ("list", "--topic", "nothing"),
        ("replay", "engagements-dlq/0/7"),
        ("replay", "engagements-dlq/0/7", "--topic", "engagements"),
    ):
        code, out, err = await operator.types(*words)
        assert (code, out, "Traceback" in err) == (2, "", False), words
        assert err
