"""What `baton lead` shows: one screen of what three services keep of a lead."""

from dataclasses import replace

from desk.lead.clocks import Row
from desk.lead.explanation import explain, tell
from desk.lead.person import Alias, Linked, Person
from desk.lead.row import Tombstone
from desk.lead.screen import Screen, lines
from desk.lead.standing import overview
from schemas.identity import lead_id_of
from tests.builders import EMAIL, LEAD, NOON, a_description, a_fact, an_engagement, at
from tests.unit.router.journeys import a_context, a_handed_off_lead
from tests.unit.scorer.driver import CLASSIC

FACTS = [a_fact(a_description(company_size=120)), a_fact(an_engagement("webinar_attended", time=at(5)))]
CLOCK = Row("CK-S2", LEAD, "Ada", 1, "Grace", at(60), 3000.0, "running")


def a_screen() -> Screen:
    standing = overview(a_handed_off_lead(), a_context(NOON))
    return Screen(LEAD, explain(LEAD, FACTS, CLASSIC, at(10)), standing, (CLOCK,))


def test_each_part_of_the_relay_has_its_lines() -> None:
    told = lines(a_screen())
    assert told[0] == f"Lead      Ada <{EMAIL}>, {LEAD}"
    assert [line.split()[0] for line in told if line[:1].isalpha()] == [
        *("Lead", "Score", "Missing", "Stage", "Owner", "Episode", "Handoff", "Entered", "Entered", "Gate", "Clock")
    ]
    assert "Clock     CK-S2  running   due 2026-03-02 13:00:00, in 50 min, Grace" in told
    assert any(line.startswith("Score     50 points, band ") for line in told)


def test_who_is_found_by_an_alias_is_shown_with_it_on_the_screen_and_in_the_explanation() -> None:
    screen = a_screen()
    alias = Alias(lead_id_of(user_id="u-1"), (Linked(LEAD, EMAIL, at(3)),), LEAD, facts=2)
    person = Person("u-1", "user id", LEAD, (alias,))
    found = f"alias {alias.lead_id} is {EMAIL} ({LEAD}) since 2026-03-02 12:03:00"
    assert f"          {found}" in lines(replace(screen, person=person))
    assert screen.score is not None
    assert tell(replace(screen.score, person=person))[1:3] == ["Found by the user id u-1", found.capitalize()]


def test_the_score_reads_as_in_its_explanation() -> None:
    facts = [*FACTS, a_fact(an_engagement("content_downloaded", content="pricing", time=at(6)))]
    for instant, standing in ((at(5), "nurture, in it or above since 2026-03-02 12:00:00"), (at(10), "pass since")):
        view = explain(LEAD, facts, CLASSIC, instant)
        [score] = [line for line in tell(view) if " points, band " in line]
        assert standing in score
        assert f"Score     {score}" in lines(Screen(LEAD, view, None, ()))


def test_what_a_service_does_not_know_and_what_was_dropped_is_said() -> None:
    screen = a_screen()
    assert screen.score is not None
    alone = Screen(LEAD, replace(screen.score, dropped={"flood": 7}), None, ())
    told = lines(alone)
    assert "Stage     none: the router knows no score of it yet" in told
    assert "Clocks    none" in told
    assert any(line.startswith("Dropped   7 of its events as flood") for line in told)
    assert "Score     none: no engagement and no description has come" in lines(Screen(LEAD, None, screen.standing, ()))
    assert (alone.known, Screen(LEAD, None, None, ()).known) == (True, False)


def test_an_erased_and_suppressed_lead_is_so_before_all_else() -> None:
    screen = a_screen()
    assert screen.score is not None
    gone = replace(screen.score, erased=Tombstone(at=at(20), facts=2), suppressed=at(15))
    told = lines(replace(screen, score=gone))
    assert told[1].startswith("Suppressed since 2026-03-02 12:15:00")
    assert told[2].startswith("Erased    2026-03-02 12:20:00")


def test_a_line_says_what_a_cut_takes_and_counts_in_plain_words() -> None:
    view = explain(LEAD, [a_fact(a_description(company_size=120))], CLASSIC, at(10))
    told = lines(Screen(LEAD, view, None, ()))
    assert "          policy classic-50 version 1, 1 fact, times in UTC" in told
    cut = replace(view.lines[0], cut="decay", points=-3.0, events=())
    told = lines(Screen(LEAD, replace(view, lines=(cut,)), None, ()))
    assert any(line.endswith("since 2026-03-02 12:00:00, decay") for line in told)
