"""What `baton due` lists."""

from dataclasses import replace

import pytest

from desk.lead.clocks import Overview
from desk.lead.commands import table
from sla_monitor.rules.clock import WatchedLead
from tests.builders import LEAD, NOON, a_handoff, a_qualification, a_sales_activity, at
from tests.unit.sla_monitor.driver import Play, handed_off


def overview(*leads: WatchedLead, minutes: float = 0, limit: int = 50, ended: bool = False) -> Overview:
    listed = Overview(at(minutes), limit, ended)
    for lead in leads:
        listed.add([lead])
    return listed


def test_open_clocks_are_listed_by_due_time_across_leads() -> None:
    early, late = handed_off().lead, Play()
    late.hear(a_handoff(handed_off_at=at(1)))
    listed = overview(replace(late.lead, lead_id="late"), early)
    assert [(row.clock, row.lead_id) for row in listed.rows[:4]] == [
        ("CK-S1", LEAD),
        ("CK-S1", "late"),
        ("CK-S3", LEAD),
        ("CK-S3", "late"),
    ]


def test_row_names_lead_owner_due_and_time_left() -> None:
    [row, *_] = overview(handed_off().lead, minutes=10).rows
    assert (row.lead, row.owner, row.due, row.seconds_left, row.state) == ("Ada", "Grace", at(60), 3000, "running")


def test_nobody_in_person_owes_the_handoff() -> None:
    play = Play()
    play.hear(a_qualification())
    [row] = overview(play.lead).rows
    assert (row.lead, row.owner) == (None, None)


def test_limit_bounds_the_list_and_the_rest_is_counted() -> None:
    leads = [handed_off().lead for _ in range(4)]
    listed = overview(*leads, limit=5)
    assert (len(listed.rows), listed.total, listed.more) == (5, 12, 7)
    assert [row.clock for row in listed.rows] == ["CK-S1"] * 4 + ["CK-S3"]


def test_ended_clocks_are_listed_when_asked_for() -> None:
    play = handed_off()
    play.hear(a_sales_activity(time=at(5)))
    assert "CK-S1" not in [row.clock for row in overview(play.lead).rows]
    [row] = [row for row in overview(play.lead, ended=True).rows if row.clock == "CK-S1"]
    assert (row.state, row.time_left) == ("met", "-")


def test_clock_past_due_is_waiting_until_its_feed_is_known_and_then_unknown_or_gone() -> None:
    play = handed_off()
    assert overview(play.lead, minutes=60).rows[0].state == "running"
    assert overview(play.lead, minutes=61).rows[0].state == "waiting"
    play.tick(at(62), known=NOON)
    assert overview(play.lead, minutes=62).rows[0].state == "unknown"
    play.tick(at(63))
    assert overview(play.lead, minutes=63).rows[0].clock == "CK-S3"


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (59.8, "in 12 s"),
        (60, "in 0 s"),
        (60 + 8 / 60, "8 s overdue"),
        (58, "in 2 min"),
        (0, "in 1 h"),
        (-90, "in 2 h 30 min"),
        (-60 * 24 * 2, "in 2 d 1 h"),
    ],
)
def test_time_left_in_words(minutes: float, words: str) -> None:
    assert overview(handed_off().lead, minutes=minutes).rows[0].time_left == words


def test_table_has_a_line_for_each_clock_under_its_heading() -> None:
    lines = table(overview(handed_off().lead, minutes=10).rows).splitlines()
    assert len(lines) == 4
    assert lines[0].split() == ["CLOCK", "LEAD", "OWNER", "DUE", "(UTC)", "TIME", "LEFT", "STATE"]
    assert lines[1].split() == ["CK-S1", "Ada", "Grace", "2026-03-02", "13:00:00", "in", "50", "min", "running"]


def test_latest_handoff_names_the_lead() -> None:
    play = Play()
    play.hear(a_handoff(episode=2, contact={"name": "Ada Lovelace"}, handed_off_at=at(10)))
    play.hear(a_handoff(episode=1, contact={"name": "Ada Byron"}))
    assert play.lead.name == "Ada Lovelace"
    play.hear(a_handoff(episode=3, contact={"email": "ada@example.com"}, handed_off_at=at(20)))
    assert play.lead.name == "ada@example.com"
