"""The schedule of the demo and what the launcher keeps of it."""

import json
from collections import Counter
from itertools import islice
from typing import Any

from baton_local import funnel
from baton_local.cast import Pen, people
from baton_local.demo import EVERY, STORIES, entrances
from baton_local.funnel import Funnel
from baton_local.replies import HANDED_OFF, Replies
from baton_local.words import Narrator


def event(kind: str, number: int, subject: str = "a lead", **data: Any) -> bytes:
    named = {"type": f"baton.{kind}.v1", "source": "s", "id": str(number), "subject": subject}
    return json.dumps({**named, "data": data}).encode()


def test_the_same_run_has_the_same_people_at_the_same_times_with_the_same_event_ids() -> None:
    first, again, other = (list(islice(entrances(run), 300)) for run in (7, 7, 8))
    assert first == again
    assert not {person.email for _, person, _ in first} & {person.email for _, person, _ in other}
    assert [Pen(person).event_id() for _, person, _ in first] == [Pen(person).event_id() for _, person, _ in again]


def test_it_goes_on_with_a_new_person_every_twenty_seconds_or_so_and_every_story_in_each_round() -> None:
    entered = list(islice(entrances(7), 6 * 200))
    later = entered[len(STORIES) :]
    assert all(0.7 * EVERY < seconds < 1.3 * EVERY for seconds, _, _ in later)
    assert len({person.lead_id for _, person, _ in entered}) == len(entered)
    assert Counter(story for _, _, story in entered) == dict.fromkeys(STORIES, 200)
    assert sum(seconds for seconds, _, _ in entered[: len(STORIES)]) < 30, "the first round is for newcomers"


def test_a_person_comes_as_visitors_do_and_only_the_identify_call_has_the_address() -> None:
    pen = Pen(next(people(7)))
    page, identify, track = pen.page("Pricing"), pen.identify(), pen.track("Webinar Attended")
    names = ("anonymousId", "userId")
    assert [[name for name in names if name in item] for item in (page, identify, track)] == [
        ["anonymousId"],
        ["anonymousId", "userId"],
        ["userId"],
    ]
    assert ["@" in json.dumps(item) for item in (page, identify, track)] == [False, True, False]


def test_a_visitor_who_turns_out_to_be_somebody_counts_once() -> None:
    counted, narrator = Funnel(), Narrator()
    visitor = event("lead.scored", 1, "visitor0", version=1, score=15, band="cold")
    ada = event("lead.scored", 2, "ada00000", version=1, score=60, band="pass", contact={"name": "Ada"})
    link, stranger = ({"alias": alias, "lead": "ada00000"} for alias in ("visitor0", "user0000"))
    told = (visitor, ada, event("lead.linked", 3, "visitor0", **link), event("lead.linked", 4, "user0000", **stranger))
    for value in (*told, told[2]):
        counted.take(value)
    assert counted.people() == "1 scored, 0 handed over"
    assert [narrator.tell(value) for value in told] == [
        "lead visitor0 scored 15 points (cold)",
        "Ada scored 60 points (pass)",
        "lead visitor0 turns out to be Ada",
        None,
    ]


async def test_replies_keep_nothing_of_a_person_whose_story_is_over() -> None:
    replies = Replies()
    handoff = json.dumps({"type": HANDED_OFF, "subject": "x", "data": {"owner": 1}}).encode()
    replies.take(handoff)
    with replies.expecting("x"):
        assert await replies.first(HANDED_OFF, "x", 0.01) is None, "it came before"
        replies.take(handoff)
        assert await replies.first(HANDED_OFF, "x", 1) == {"owner": 1}
    assert vars(replies) == vars(Replies())


def test_the_funnel_counts_an_event_once_and_forgets_old_ids() -> None:
    counted = Funnel()
    for number in range(funnel.REMEMBERED + 5):
        counted.take(event("clock.met", number))
    for _ in range(2):
        counted.take(event("lead.scored", -1, version=1))
        counted.take(event("lead.scored", -2, version=2))
        counted.take(event("lead.stage_changed", -3, after="sql"))
        counted.take(event("sla.breached", -4))
    assert counted.people() == "1 scored, 0 handed over, 1 validated"
    assert counted.promises() == "10,005 kept, 1 breached, 0 taken back"
    assert counted.breached
    counted.take(event("sla.breach_retracted", -5))
    assert not counted.breached
    assert len(vars(counted)["_seen"]) == funnel.REMEMBERED
