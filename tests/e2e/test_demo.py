"""The demo's stories on the real relay: each comes to the end that it promises, and the view's numbers say so."""

import asyncio
from collections import Counter

from baton_local.board import Board
from baton_local.demo import Demo, entrances
from baton_local.replies import Replies
from baton_local.senders import Senders
from baton_local.watch import Watch
from chassis.process.settings import Kafka
from tests.relay import Relay
from tests.until import until

RUN = 11


async def test_every_story_ends_as_it_should(shared_relay: Relay) -> None:
    kafka = Kafka(bootstrap_servers=shared_relay.room.bootstrap_servers, prefix=shared_relay.room.prefix)
    board, replies = Board(), Replies()
    watch = Watch(kafka, board)
    watch.listen(replies.take)
    of_story = {story.__name__: person for _, (_, person, story) in zip(range(6), entrances(RUN), strict=False)}

    async def told() -> bool:
        said = [text for _, text in board.lines]
        return all(any(part in line for line in said) for part in expected)

    expected = (
        f"the follow-up of {of_story['followed_up_in_time'].name} was in time".replace("the", "The", 1),
        f"{of_story['followed_up_in_time'].name} scored 80 points",
        f"{of_story['followed_up_in_time'].name} was validated by",
        f"owed {of_story['followed_up_too_late'].name} the follow-up by",
        f"{of_story['followed_up_too_late'].name} was validated by",
        f"{of_story['sent_by_the_platform'].name} was turned down by",
        f"owed {of_story['reported_too_late'].name} the follow-up by",
        f"Breach taken back: the follow-up of {of_story['reported_too_late'].name}",
        f"{of_story['history_comes_late'].name} scored 65 points",
        f"{of_story['history_comes_late'].name} was turned down by",
        f"{of_story['not_ready_yet'].name} scored 20 points",
    )
    url = str(shared_relay.http.base_url)
    async with watch.watching(), Senders.open(url, kafka) as senders, asyncio.TaskGroup() as group:
        demo = Demo(senders, replies, board.say, RUN, pace=0.1)
        tasks = [group.create_task(work()) for work in (watch.read, watch.count, demo.play)]
        await until(told, "every story", 60)
        for task in tasks:
            task.cancel()

    counted = Counter(
        {kind: int(n.replace(",", "")) for n, _, kind in (p.partition(" ") for p in board.funnel.people().split(", "))}
    )
    assert min(counted[kind] for kind in ("scored", "handed over", "validated", "turned down")) >= 2
    assert board.funnel.breached
    assert {event["subject"] for event in await shared_relay.events("lead-handoffs", "handed_off")} >= {
        person.lead_id for name, person in of_story.items() if name != "not_ready_yet"
    }
