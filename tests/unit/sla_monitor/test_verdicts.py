"""When a promise is kept, broken, taken back or fallen away."""

from datetime import date, timedelta
from typing import Any

import pytest

from schemas.sales import (
    FeedbackSubmitted,
    OpportunityCreated,
    SalesAccepted,
    SalesActivity,
    SalesContacted,
    SalesDisqualified,
    SalesQualified,
    SalesRecycled,
)
from tests.builders import a_handoff, a_qualification, a_sales_activity, at
from tests.unit.sla_monitor.driver import Play, contacted, handed_off

MICROSECOND = timedelta(microseconds=1)
HOUR, DAY = 60, 24 * 60
DEAL = {"value": 1000, "close_date": date(2026, 6, 1)}


def turned_down(minutes: float, reason: str, **fields: Any) -> SalesActivity:
    return a_sales_activity(SalesDisqualified, time=at(minutes), reason=reason, **fields)


@pytest.mark.parametrize(
    ("clock", "intent", "minutes", "activity"),
    [
        ("CK-S1", "high", HOUR, {"event": SalesContacted}),
        ("CK-S2", "low", DAY, {"event": SalesContacted}),
        ("CK-S3", "low", 5 * DAY, {"event": SalesQualified}),
        ("CK-S3", "low", 5 * DAY, {"event": SalesDisqualified, "reason": "no_budget"}),
        ("CK-S3", "low", 5 * DAY, {"event": SalesRecycled, "reason": "no_timeline"}),
        ("CK-S3", "low", 5 * DAY, {"event": OpportunityCreated, **DEAL}),
        ("CK-S4", "low", 10 * DAY, {"event": SalesQualified}),
        ("CK-S4", "low", 10 * DAY, {"event": OpportunityCreated, **DEAL}),
        ("CK-S4", "low", 10 * DAY, {"event": SalesDisqualified, "reason": "no_budget"}),
        ("CK-S4", "low", 10 * DAY, {"event": SalesRecycled, "reason": "no_timeline"}),
        ("CK-S4", "low", 10 * DAY, {"event": FeedbackSubmitted, "outcome": "accepted"}),
    ],
)
def test_stop_exactly_at_due_keeps_the_promise_and_a_microsecond_later_breaks_it(
    clock: str, intent: str, minutes: float, activity: dict[str, Any]
) -> None:
    in_time, late = handed_off(intent), handed_off(intent)
    assert f"{clock} met" in in_time.hear(a_sales_activity(**activity, time=at(minutes)))
    assert f"{clock} met" not in late.hear(a_sales_activity(**activity, time=at(minutes) + MICROSECOND))
    for play in (in_time, late):
        play.tick(at(minutes) + 2 * MICROSECOND)
    assert in_time.standing()[(1, clock)] == "met"
    assert late.standing()[(1, clock)] == "breached"


@pytest.mark.parametrize(("minutes", "verdict"), [(DAY, "met"), (DAY + 0.001, "breached")])
def test_marketing_has_a_day_to_hand_off(minutes: float, verdict: str) -> None:
    play = Play()
    play.hear(a_qualification())
    play.hear(a_handoff(handed_off_at=at(minutes)), now=at(minutes))
    play.tick(at(2 * DAY))
    assert play.standing()[(1, "CK-M1")] == verdict


def test_no_breach_at_due_itself_but_right_after_it() -> None:
    play = handed_off()
    assert "CK-S1 breached" not in play.tick(at(HOUR))
    assert play.due == at(HOUR) + MICROSECOND
    assert play.tick(at(HOUR) + MICROSECOND) == ["CK-S1 breached"]


def test_first_breach_is_counted_once_and_tells_when_it_was_and_when_it_was_found() -> None:
    play = handed_off()
    play.tick(at(HOUR + 30))
    play.tick(at(HOUR + 31))
    assert play.counts["breaches:CK-S1"] == 1
    [breach] = [event for event in play.events if event.topic == "sla-breaches"]
    assert (breach.time, breach.data.due, breach.data.detected_at) == (at(HOUR), at(HOUR), at(HOUR + 30))
    assert (breach.data.elapsed, breach.data.remaining, breach.data.holder.id) == (3600, 0, "grace")


def test_earliest_follow_up_of_several_is_the_one_that_counts() -> None:
    play = handed_off()
    play.hear(contacted(20))
    assert play.hear(contacted(30)) == []
    assert play.hear(contacted(10)) == []
    [met] = [event for event in play.about("CK-S1") if event.type == "baton.clock.met.v1"]
    assert (met.data.met_at, met.data.elapsed, met.data.remaining, met.data.cause) == (at(20), 1200, 2400, "contact-20")


@pytest.mark.parametrize("no_attempt", [{"human": False}, {"outbound": False}])
def test_bulk_mail_auto_reply_and_the_leads_own_call_are_no_follow_up(no_attempt: dict[str, bool]) -> None:
    play = handed_off()
    assert play.hear(contacted(10, **no_attempt)) == []
    assert "CK-S1 breached" in play.tick(at(HOUR + 1))


@pytest.mark.parametrize(("intent", "clock", "minutes"), [("high", "CK-S1", HOUR), ("low", "CK-S2", DAY)])
def test_accepting_a_lead_is_not_contacting_it(intent: str, clock: str, minutes: float) -> None:
    play = handed_off(intent)
    assert play.hear(a_sales_activity(SalesAccepted, time=at(10))) == []
    assert f"{clock} breached" in play.tick(at(minutes + 1))


@pytest.mark.parametrize("event", [SalesDisqualified, SalesRecycled])
@pytest.mark.parametrize(
    "reason", ["duplicate", "competitor", "existing_customer", "student_or_job_seeker", "bad_contact_data"]
)
def test_lead_that_needs_no_contact_cancels_the_follow_up_clock(event: type[SalesActivity], reason: str) -> None:
    play = handed_off()
    told = play.hear(a_sales_activity(event, time=at(10), reason=reason))
    assert sorted(told) == ["CK-S1 cancelled", "CK-S3 met", "CK-S4 met"]
    assert play.tick(at(HOUR + 1)) == []
    assert play.counts["cancelled:CK-S1"] == 1


@pytest.mark.parametrize("reason", ["no_budget", "wrong_role", "no_response", "opted_out"])
def test_turning_leads_down_does_not_stop_the_follow_up_clock(reason: str) -> None:
    play = handed_off()
    assert sorted(play.hear(turned_down(10, reason))) == ["CK-S3 met", "CK-S4 met"]
    assert play.tick(at(HOUR + 1)) == ["CK-S1 breached"]


def test_excuse_after_due_excuses_nothing() -> None:
    play = handed_off()
    play.tick(at(HOUR + 1))
    assert "CK-S1 cancelled" not in play.hear(turned_down(HOUR + 2, "duplicate"))
    assert play.standing()[(1, "CK-S1")] == "breached"


def test_late_follow_up_is_a_breach_for_good() -> None:
    play = handed_off()
    play.tick(at(HOUR + 1))
    assert play.hear(contacted(HOUR + 5)) == []
    assert play.standing()[(1, "CK-S1")] == "breached"


def test_follow_up_in_time_that_arrives_late_takes_the_breach_back_once() -> None:
    play = handed_off()
    play.tick(at(HOUR + 1))
    assert play.hear(contacted(59, id="call"), now=at(HOUR + 20)) == ["CK-S1 breach_retracted", "CK-S1 met"]
    assert play.hear(contacted(50), now=at(HOUR + 21)) == []
    breach, retraction = (event for event in play.events if event.topic == "sla-breaches")
    assert retraction.data.breach_id == breach.data.breach_id
    assert retraction.data.version == breach.data.version + 1
    assert (retraction.data.stop_event, retraction.data.met_at) == ("call", at(59))
    assert retraction.data.detected_at == at(HOUR + 20)
    assert (play.counts["retractions:CK-S1"], play.counts["met:CK-S1"]) == (1, 1)


def test_excuse_in_time_that_arrives_late_takes_the_breach_back_without_having_kept_the_promise() -> None:
    play = handed_off()
    play.tick(at(HOUR + 1))
    told = play.hear(turned_down(30, "duplicate"), now=at(HOUR + 20))
    assert told[:2] == ["CK-S1 breach_retracted", "CK-S1 cancelled"]
    [retraction] = [event for event in play.events if event.type == "baton.sla.breach_retracted.v1"]
    assert retraction.data.met_at is None


def test_earlier_excuse_that_arrives_after_a_follow_up_cancels_and_an_earlier_follow_up_meets_again() -> None:
    play = handed_off()
    assert play.hear(contacted(30)) == ["CK-S1 met"]
    assert "CK-S1 cancelled" in play.hear(turned_down(20, "duplicate"), now=at(31))
    assert play.hear(contacted(10), now=at(32)) == ["CK-S1 met"]


def test_activities_of_sales_that_end_nothing_leave_the_lead_as_it_was() -> None:
    play = handed_off()
    before = play.lead
    play.hear(a_sales_activity(SalesAccepted, time=at(1)))
    play.hear(contacted(2, human=False))
    assert play.lead == before
