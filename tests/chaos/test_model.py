"""The oracle against cases worked out by hand."""

from typing import Any

import pytest

from schemas.identity import lead_id_of
from tests.chaos.by_hand import ADA, NOON, Raw, at, did, event, raw
from tests.chaos.model import Oracle
from tests.chaos.raw import derived, lead_id
from tests.chaos.stage import POLICIES
from tests.e2e.conftest import QUICK


@pytest.fixture
def oracle() -> Oracle:
    return Oracle(QUICK / "1.yaml")


def test_the_lead_id_is_the_one_of_the_contract() -> None:
    assert lead_id("ada.nowak@example.com") == "728039ab-0a06-54bc-9532-ec2464814760"
    for by in ("email", "user_id", "anonymous_id"):
        assert lead_id("a@b.example", by) == lead_id_of(**{by: "a@b.example"})


@pytest.mark.parametrize(("size", "points"), [(9, 0), (10, 30), (500, 30), (501, 20), (2000, 20), (2001, 0)], ids=str)
def test_sizes_have_inclusive_bounds(oracle: Oracle, size: int, points: float) -> None:
    oracle.engagement(raw(event("lead.described", "d", company_size=size)))
    assert oracle.scored(ADA)[0] == points


@pytest.mark.parametrize(("least", "most", "points"), [(51, 200, 30), (400, 600, 0), (501, 2000, 20), (501, None, 0)])
def test_a_range_counts_where_all_of_it_is_within(oracle: Oracle, least: int, most: int | None, points: float) -> None:
    within = {"least": least, **({"most": most} if most else {})}
    oracle.engagement(raw(event("lead.described", "d", company_size_range=within)))
    assert oracle.scored(ADA)[0] == points


def test_of_two_statements_the_later_one_counts_whatever_arrives_first(oracle: Oracle) -> None:
    oracle.engagement(raw(event("lead.described", "new", 0, company_size=600, industry="Financial Services")))
    oracle.engagement(raw(event("lead.described", "old", -60, company_size=120, industry="technology")))
    assert oracle.scored(ADA) == (30, "nurture")


def test_four_visits_pay_and_three_do_not_however_often_they_come(oracle: Oracle) -> None:
    for number in (1, 2, 3, 1, 2, 3):
        oracle.engagement(raw(did("page_viewed", f"v{number}", content="pricing")))
    assert oracle.scored(ADA)[0] == 0
    oracle.engagement(raw(did("page_viewed", "v4", content="pricing")))
    assert oracle.scored(ADA)[0] == 15


def test_of_a_fading_rule_only_what_has_faded_is_known_and_pays_nothing() -> None:
    oracle = Oracle(POLICIES / "1.yaml")
    oracle.engagement(raw(event("engagement.recorded", "o", -61 * 24 * 3600, kind="newsletter_opened")))
    assert oracle.scored(ADA) == (0, "cold")
    with pytest.raises(NotImplementedError):
        oracle.engagement(raw(event("engagement.recorded", "n", -29 * 24 * 3600, kind="newsletter_opened")))


def test_a_machines_opens_count_for_nothing(oracle: Oracle) -> None:
    for number in range(5):
        oracle.engagement(raw(did("email_opened", f"m{number}", machine=True)))
    assert (oracle.scored(ADA)[0], oracle.known(ADA).reachable) == (0, False)
    for number in range(5):
        oracle.engagement(raw(did("email_opened", f"o{number}")))
    assert oracle.scored(ADA)[0] == 5


def test_exactly_fifty_is_nurtured_and_more_is_handed_off(oracle: Oracle) -> None:
    oracle.engagement(raw(event("lead.described", "d", company_size=501)))
    oracle.engagement(raw(did("webinar_attended")))
    oracle.engagement(raw(did("content_downloaded", content="case_study")))
    assert (oracle.scored(ADA), oracle.must_be_handed_off(ADA)) == ((50, "nurture"), False)
    for number in range(5):
        oracle.engagement(raw(did("email_opened", f"o{number}")))
    assert (oracle.scored(ADA), oracle.must_be_handed_off(ADA)) == ((55, "pass"), True)


def test_a_request_for_sales_is_enough_unless_nobody_can_be_called(oracle: Oracle) -> None:
    oracle.engagement(raw(did("demo_requested", identifiers={})))
    assert not oracle.must_be_handed_off(ADA)
    oracle.engagement(raw(did("page_viewed")))
    assert oracle.must_be_handed_off(ADA)


def test_what_must_become_a_dead_letter_and_why(oracle: Oracle) -> None:
    good = did("webinar_attended", "w")
    oracle.engagement(raw(good))
    conflict = raw(did("webinar_attended", "w", campaign="another"))
    poison = {
        "not_json": Raw(ADA.encode(), b"{", 0),
        "invalid_event": raw(did("Not A Kind")),
        "wrong_key": raw(did("email_opened"), key="somebody-else"),
        "time_out_of_range": raw(event("engagement.recorded", "f", 24 * 3600 + 2, kind="email_opened")),
        "id_conflict": conflict,
    }
    for record in (*poison.values(), raw(good), conflict):
        oracle.engagement(record)
    assert oracle.poison == {reason: {record.value} for reason, record in poison.items()}
    assert oracle.scored(ADA)[0] == 20


def test_a_retry_over_http_with_another_final_time_is_the_same_event(oracle: Oracle) -> None:
    told = did("webinar_attended", "w") | {"finaltime": True, "occurredat": at(0).isoformat()}
    oracle.engagement(raw(told))
    oracle.engagement(raw(told | {"time": at(7).isoformat()}))
    assert not oracle.poison
    oracle.engagement(raw(told | {"occurredat": at(7).isoformat()}))
    assert oracle.poison.keys() == {"id_conflict"}


def episode(level: str = "low") -> dict[str, Any]:
    return {"episode": 1, "handoff_id": derived("handoff", ADA, 1), "intent": {"level": level}}


def handed_off(oracle: Oracle, level: str = "low", qualified: float = 0, published: float = 0) -> None:
    instants = {"qualified_at": at(qualified), "known_at": at(0), "handed_off_at": at(0)}
    told: dict[str, Any] = {name: instant.isoformat() for name, instant in instants.items()}
    oracle.handoff(event("lead.handed_off", "h", **episode(level), **told), at(published))


def followed_up(oracle: Oracle, done: float, heard: float, kind: str = "sales.contacted", **data: Any) -> None:
    oracle.activity(raw(event(kind, f"{kind}-{done}-{heard}", done, **data), heard))


def verdicts(oracle: Oracle) -> dict[str, float | None]:
    """Each clock's name -> when it was met, in seconds after NOON."""
    return {c.name: (c.met_at - NOON).total_seconds() if c.met_at else None for c in oracle.clocks()}


def test_a_handoff_starts_the_clocks_of_its_intent(oracle: Oracle) -> None:
    handed_off(oracle, "high")
    handed_off(oracle, "high")
    clocks = {clock.name: (clock.due - NOON).total_seconds() for clock in oracle.clocks()}
    assert clocks == {"CK-S1": 6, "CK-S3": 600, "CK-S4": 1200}


@pytest.mark.parametrize(
    ("done", "heard", "met"), [(12, 13, 12), (12.001, 13, None), (3, 60, 3), (-299, 1, -299), (-301, 1, None)]
)
def test_a_follow_up_counts_by_its_own_time(oracle: Oracle, done: float, heard: float, met: float | None) -> None:
    handed_off(oracle)
    followed_up(oracle, done, heard)
    assert verdicts(oracle) == {"CK-S2": met, "CK-S3": None, "CK-S4": None}


@pytest.mark.parametrize(("done", "met"), [(-60, -60), (-361, None), (1, 1), (7212, 7212), (7213, None)])
def test_a_handoff_published_late_gives_as_long_and_a_call_since_the_qualification_counts(
    oracle: Oracle, done: float, met: float | None
) -> None:
    handed_off(oracle, qualified=-60, published=7200)
    handed_off(oracle, qualified=-60, published=9000)  # a repeat
    followed_up(oracle, done, done + 1)
    assert verdicts(oracle)["CK-S2"] == met


def test_the_earliest_follow_up_in_time_counts(oracle: Oracle) -> None:
    handed_off(oracle)
    followed_up(oracle, 9, 10)
    followed_up(oracle, 4, 20)
    [clock] = [clock for clock in oracle.clocks() if clock.name == "CK-S2"]
    assert (clock.met_at, clock.excused) == (at(4), frozenset({(at(12), at(20))}))


def test_an_auto_reply_is_no_follow_up_and_a_decision_neither(oracle: Oracle) -> None:
    handed_off(oracle)
    followed_up(oracle, 1, 2, human=False)
    followed_up(oracle, 2, 3, "sales.qualified")
    assert verdicts(oracle) == {"CK-S2": None, "CK-S3": 2, "CK-S4": 2}


def test_a_qualification_is_met_by_its_handoff(oracle: Oracle) -> None:
    known: dict[str, Any] = {"qualified_at": at(-3600).isoformat(), "known_at": at(0).isoformat()}
    oracle.handoff(event("lead.qualified", "q", **episode(), **known), at(0))
    assert verdicts(oracle) == {"CK-M1": None}
    handed_off(oracle)
    assert verdicts(oracle)["CK-M1"] == 0
