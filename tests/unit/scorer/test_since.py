"""Since when a band is held, a rule pays, a fact is known: by the time of the event, not of its arrival."""

from datetime import timedelta, timezone

from tests.builders import a_description, an_engagement, an_opt_in, at
from tests.unit.scorer.driver import Play, several, verdict_on

FIT = a_description(company_size=100, time=at(0))
WEBINAR = an_engagement("webinar_attended", time=at(50))
DOWNLOAD = an_engagement("content_downloaded", "pricing", time=at(90))


def test_the_band_is_held_since_the_instant_that_took_the_score_into_it() -> None:
    verdict = verdict_on(FIT, DOWNLOAD, WEBINAR)
    assert verdict.band == "pass"
    assert verdict.band_since == at(90)
    assert verdict.facts["band:nurture"] == at(0)


def test_a_late_event_moves_the_band_to_where_it_belongs() -> None:
    play = Play()
    play.play([FIT, WEBINAR, DOWNLOAD])
    assert play.published[-1].data.band_since == at(90)
    [corrected] = play.play([an_engagement("content_downloaded", "pricing", id="late", time=at(20))])
    assert corrected.data.band_since == at(50)
    assert corrected.data.version == 4
    assert [line.since for line in corrected.data.explanation] == [at(0), at(20), at(50)]


def test_a_band_that_was_left_and_taken_again_is_held_since_the_last_time() -> None:
    grown = a_description(company_size=5000, id="grown", time=at(100))
    shrunk = a_description(company_size=200, id="shrunk", time=at(200))
    assert verdict_on(FIT, WEBINAR, DOWNLOAD, grown).band == "nurture"
    verdict = verdict_on(FIT, WEBINAR, DOWNLOAD, grown, shrunk)
    assert verdict.facts == {
        "band:cold": at(0),
        "band:nurture": at(0),
        "band:pass": at(200),
        "contactable": at(0),
        "engaged": at(50),
    }


def test_a_counted_rule_pays_since_the_engagement_that_made_it_enough() -> None:
    [line] = verdict_on(*several(7, "page_viewed", "pricing")).lines
    assert line.since == at(3)
    assert [order.split("\t")[2] for order in line.evidence] == [f"page_viewed-{n}" for n in range(4)]


def test_an_attribute_pays_since_its_value_began_to_match_not_since_it_was_repeated() -> None:
    again = [a_description(company_size=120, id=f"again-{n}", time=at(n + 1)) for n in range(30)]
    [line] = verdict_on(FIT, *again).lines
    assert (line.since, line.evidence[0].split("\t")[2]) == (at(0), "again-0"), "the value in force is 120"


def test_a_late_description_counts_until_the_next_one() -> None:
    verdict = verdict_on(a_description(company_size=600, time=at(60)), a_description(company_size=100, id="b"))
    assert verdict.points == 20
    assert verdict.lines[0].since == at(60)


def test_of_two_descriptions_at_one_instant_the_last_by_source_and_id_is_in_force() -> None:
    first = a_description(company_size=100, id="a", source="z")
    last = a_description(company_size=600, id="b", source="z")
    earlier_source = a_description(company_size=5000, id="c", source="y")
    assert verdict_on(last, earlier_source, first).points == 20


def test_contactable_and_opted_in_since_the_earliest_that_says_so() -> None:
    named = an_engagement("page_viewed", id="p", time=at(7), identifiers={"email": "ada@example.com"})
    verdict = verdict_on(an_opt_in(time=at(30)), named, an_opt_in(id="late", time=at(12)))
    assert verdict.facts["contactable"] == at(7)
    assert verdict.facts["double_opt_in"] == at(12)


def test_an_instant_is_the_same_in_every_time_zone() -> None:
    eastern = at(7).astimezone(timezone(timedelta(hours=-5)))
    assert verdict_on(an_opt_in(time=eastern)) == verdict_on(an_opt_in(time=at(7)))
    assert verdict_on(an_opt_in(time=eastern), an_opt_in(id="b", time=at(6))).facts["double_opt_in"] == at(6)


def test_without_an_address_a_lead_is_not_contactable() -> None:
    assert verdict_on(an_engagement("webinar_attended")).facts == {"band:cold": at(0), "engaged": at(0)}


def test_intent_is_of_the_latest_request_by_time() -> None:
    asked = [an_engagement("demo_requested", time=at(90)), an_engagement("sales_inquired", time=at(20))]
    play = Play()
    play.play([asked[0], asked[1]])
    [only] = play.published
    assert (only.data.intent.level, only.data.intent.since) == ("high", at(90))
