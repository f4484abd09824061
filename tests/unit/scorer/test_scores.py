"""What each rule of the literal policies gives, at every boundary."""

from typing import Any

import pytest

from schemas.engagements import LARGEST_COMPANY, LeadLinked, Link, SizeRange
from schemas.envelope import Envelope, UnknownEvent
from schemas.identity import Identifiers
from schemas.scoring import Scoring
from scorer.rules import Criteria, fold
from tests.builders import EMAIL, a_description, a_fact, a_policy, an_engagement, an_opt_in, at
from tests.unit.scorer.drafts import a_scoring, sized
from tests.unit.scorer.driver import CLASSIC, STRICT, several, verdict_on

DOWNLOADS = [an_engagement("content_downloaded", "pricing"), an_engagement("content_downloaded", "case_study")]
WEBINAR = an_engagement("webinar_attended")
ALL_ENGAGEMENTS = [*DOWNLOADS, WEBINAR, *several(4, "page_viewed", "pricing"), *several(5, "email_opened")]


@pytest.mark.parametrize(
    ("size", "points"), [(0, 0), (9, 0), (10, 30), (500, 30), (501, 20), (2000, 20), (2001, 0), (10_000_000, 0)]
)
def test_company_size_pays_within_its_inclusive_bounds(size: int, points: float) -> None:
    assert verdict_on(a_description(company_size=size)).points == points


@pytest.mark.parametrize(
    ("least", "most", "points"),
    [
        *((10, 500, 30), (51, 200, 30), (9, 10, 0), (500, 501, 0), (501, 2000, 20), (501, 2001, 0), (1, 9, 0)),
        *((501, None, 0), (1000, None, 0), (0, None, 0), (10, 10, 30)),
    ],
)
def test_a_size_told_as_a_range_pays_where_all_of_it_is_within_the_bounds(
    least: int, most: int | None, points: float
) -> None:
    within = SizeRange(least=least, most=most)
    assert verdict_on(a_description(company_size_range=within)).points == points


@pytest.mark.parametrize("high", [LARGEST_COMPANY, LARGEST_COMPANY * 10])
def test_a_range_without_an_end_is_within_bounds_that_no_company_exceeds(high: int) -> None:
    criteria = Criteria.of(a_scoring(sized("large", 1000, high)))
    for least, points in ((1000, 10), (999, 0)):
        described = a_description(company_size_range=SizeRange(least=least))
        assert verdict_on(described, criteria=criteria).points == points


def test_of_a_number_and_a_range_what_was_said_last_counts() -> None:
    number, within = {"company_size": 50, "id": "n"}, {"company_size_range": SizeRange(least=501, most=900), "id": "r"}
    for earlier, later, points in ((number, within, 20), (within, number, 30)):
        said = a_description(**{**earlier, "time": at(-9)}), a_description(**{**later, "time": at(-5)})
        for facts in (said, said[::-1]):
            assert verdict_on(*facts).points == points
    assert verdict_on(a_description(**number | within)).points == 30  # of one that says both the number


@pytest.mark.parametrize(
    ("industry", "points"),
    [
        ("technology", 25),
        ("Technology", 25),
        (" TECHNOLOGY ", 25),
        ("Financial Services", 10),
        ("financial-services", 10),
        ("financial_services", 10),
        ("Financial  -  Services", 10),
        ("financialservices", 0),
        ("biotechnology", 0),
        ("", 0),
    ],
)
def test_industry_is_matched_on_its_code(industry: str, points: float) -> None:
    assert verdict_on(a_description(industry=industry)).points == points


@pytest.mark.parametrize(("visits", "points"), [(1, 0), (3, 0), (4, 15), (5, 15), (40, 15)])
def test_pricing_visits_pay_once_from_the_fourth_on(visits: int, points: float) -> None:
    assert verdict_on(*several(visits, "page_viewed", "pricing")).points == points


@pytest.mark.parametrize(("opens", "points"), [(1, 0), (4, 0), (5, 5), (6, 5)])
def test_opened_emails_pay_once_from_the_fifth_on(opens: int, points: float) -> None:
    assert verdict_on(*several(opens, "email_opened")).points == points


@pytest.mark.parametrize(
    ("kind", "content", "points"),
    [
        ("content_downloaded", "pricing", 15),
        ("content_downloaded", "case_study", 10),
        ("content_downloaded", "e_book", 0),
        ("content_downloaded", None, 0),
        ("webinar_attended", None, 20),
        ("webinar_attended", "any", 20),
        ("webinar_registered", None, 0),
        ("never_heard_of", "pricing", 0),
    ],
)
def test_engagements_pay_once_however_often_they_happen(kind: str, content: str | None, points: float) -> None:
    assert verdict_on(*several(1, kind, content)).points == points
    assert verdict_on(*several(3, kind, content)).points == points


def test_only_pricing_pages_count_as_pricing_visits() -> None:
    assert verdict_on(*several(3, "page_viewed", "pricing"), an_engagement("page_viewed", "home")).points == 0


def test_what_machines_do_earns_nothing_and_asks_for_nothing() -> None:
    opens = several(4, "email_opened")
    verdict = verdict_on(*opens, an_engagement("email_opened", id="scanner", machine=True))
    assert verdict.points == 0
    assert verdict_on(an_engagement("page_viewed", machine=True, identifiers={"email": "a@example.com"})).facts == {}


def test_links_and_events_of_unknown_types_earn_nothing() -> None:
    lead = an_engagement().subject
    link = LeadLinked(id="l", source="tests", subject=lead, time=at(), data=Link(alias=lead, lead=lead))
    unknown = UnknownEvent(id="u", source="tests", type="baton.lead.merged.v1", subject=lead, time=at())
    assert verdict_on(link, unknown) == verdict_on()


def test_the_same_id_from_two_sources_is_two_engagements() -> None:
    opens = several(4, "email_opened")
    assert verdict_on(*opens, an_engagement("email_opened", id=opens[0].id, source="another", time=at(9))).points == 5


def test_perfect_fit_is_55_and_full_engagement_65_of_120() -> None:
    fit = a_description(company_size=100, industry="technology")
    assert verdict_on(fit).points == 55
    assert verdict_on(*ALL_ENGAGEMENTS).points == 65
    both = verdict_on(fit, *ALL_ENGAGEMENTS)
    assert (both.points, both.points_of("fit"), both.points_of("engagement")) == (120, 55, 65)


@pytest.mark.parametrize(
    ("events", "points", "band"),
    [
        ([], 0, "cold"),
        ([a_description(industry="technology")], 25, "cold"),
        ([a_description(company_size=100)], 30, "nurture"),
        ([a_description(company_size=600), *DOWNLOADS, *several(5, "email_opened")], 50, "nurture"),
        ([a_description(company_size=100, industry="technology")], 55, "pass"),
    ],
)
def test_classic_50_nurtures_from_30_to_exactly_50_and_passes_above(
    events: list[Any], points: float, band: str
) -> None:
    verdict = verdict_on(*events)
    assert (verdict.points, verdict.band) == (points, band)


@pytest.mark.parametrize(
    ("events", "points", "band"),
    [
        ([a_description(company_size=100, industry="technology"), DOWNLOADS[1]], 65, "nurture"),
        ([a_description(company_size=100, industry="technology"), DOWNLOADS[0]], 70, "pass"),
    ],
)
def test_strict_70_passes_at_exactly_70(events: list[Any], points: float, band: str) -> None:
    verdict = verdict_on(*events, criteria=STRICT)
    assert (verdict.points, verdict.band) == (points, band)


@pytest.mark.parametrize(
    ("size", "industry", "fits"),
    [
        (10, "technology", True),
        (2000, "Financial Services", True),
        (9, "technology", False),
        (2001, "technology", False),
        (100, "agriculture", False),
        (None, "technology", False),
        (100, None, False),
    ],
)
def test_the_target_profile_needs_size_and_industry(size: int | None, industry: str | None, fits: bool) -> None:
    description = a_description(company_size=size, industry=industry)
    assert ("fit_profile" in verdict_on(description, criteria=STRICT).facts) is fits
    assert "fit_profile" not in verdict_on(description).facts


def test_of_exclusive_rules_the_first_that_holds_pays() -> None:
    base = a_policy("classic-50").model_dump(mode="json", by_alias=True)
    overlapping = [
        {"id": "large", "group": "fit", "points": 7, "exclusive": "x", "attribute": _size(1000, 5000)},
        {"id": "any", "group": "fit", "points": 3.125, "exclusive": "x", "attribute": _size(1, 5000)},
        {"id": "beside", "group": "fit", "points": 1, "attribute": _size(1, 5000)},
    ]
    scoring = {**base["scoring"], "rules": overlapping}
    criteria = Criteria.of(a_policy().model_copy(update={"scoring": Scoring.model_validate(scoring)}))
    large, small = (verdict_on(a_description(company_size=n), criteria=criteria) for n in (2000, 20))
    assert [line.rule for line in large.lines] == ["large", "beside"]
    assert [line.rule for line in small.lines] == ["any", "beside"]
    assert (large.points, small.points) == (8, 4.125)


def test_opting_in_earns_no_points_but_is_known() -> None:
    verdict = verdict_on(an_opt_in(time=at(5)), an_opt_in(id="again", time=at(9)))
    assert (verdict.points, verdict.facts["double_opt_in"]) == (0, at(5))


def _size(low: int, high: int) -> dict[str, Any]:
    return {"name": "company_size", "between": [low, high]}


def address_on(*events: Envelope) -> object:
    email = fold(map(a_fact, events), CLASSIC).basis.email
    return None if email is None else email.value


@pytest.mark.parametrize(
    ("stored", "address"),
    [("<ada@example.com>", "ada@example.com"), ("ada@b\u00fccher.example", "ada@xn--bcher-kva.example")],
)
def test_a_badly_spelt_address_is_known_in_its_one_spelling(stored: str, address: str) -> None:
    assert address_on(an_engagement(identifiers=Identifiers(email=stored))) == address


@pytest.mark.parametrize("stored", ["bob@rival.example,ada@example.com", "a@@b.com", "a@b..com"])
def test_what_is_not_exactly_one_address_gives_nobody_to_write_to(stored: str) -> None:
    odd = Identifiers(email=stored)
    assert "contactable" not in verdict_on(an_engagement(identifiers=odd)).facts
    good = Identifiers(email=EMAIL)
    later = an_engagement(identifiers=good, id="later", time=at(1))
    assert address_on(an_engagement(identifiers=odd), later) == EMAIL
