"""How abridged sales activities are completed."""

from typing import Any

import pytest

from ingest.adapters.sales import MOST_ERRORS, Invalid, activities
from schemas.engagements import LeadMerged, LeadUnmerged, Merge
from schemas.envelope import Decoder, Envelope
from schemas.identity import lead_id_of, neighbours
from schemas.sales import SALES_ACTIVITIES, SalesActivity
from tests.builders import EMAIL, LEAD, NOON, at

DATA: dict[str, dict[str, Any]] = {
    "opportunity.created": {"value": 10, "close_date": "2026-05-01"},
    "feedback.submitted": {"outcome": "accepted"},
    "sales.disqualified": {"reason": "no_budget"},
    "sales.recycled": {"reason": "no_timeline", "revisit_at": "2026-09-01T00:00:00Z"},
    "deal.lost": {"reason": "competitor"},
}
"""What an activity cannot be without."""


def told(minutes: float = 0, **item: Any) -> Envelope:
    """The activity, received so many minutes after NOON."""
    [event] = activities([{"type": "sales.contacted", "subject": EMAIL, **item}], True, "sales/tests", at(minutes))
    return event


def test_what_is_left_out_is_completed() -> None:
    event = told()
    assert (event.subject, event.source, event.time, event.occurredat) == (LEAD, "sales/tests", NOON, None)
    assert event.finaltime


def test_what_is_given_is_kept() -> None:
    event = told(id="x", source="crm/one", subject=LEAD.upper(), time=at(-30).isoformat(), traceparent="00-1-2-3")
    assert (event.id, event.source, event.subject, event.time, event.occurredat) == (
        "x",
        "crm/one",
        LEAD,
        at(-30),
        at(-30),
    )


def test_a_fast_clock_is_corrected_unless_it_is_trusted_and_what_seems_slow_may_be_a_retry() -> None:
    fast: dict[str, Any] = {"time": at(50).isoformat(), "sentat": at(60).isoformat()}
    assert told(**fast).time == at(-10)
    assert told(**fast, timetrusted=True).time == NOON
    slow: dict[str, Any] = {"time": at(-70).isoformat(), "sentat": at(-60).isoformat()}
    assert told(0, **slow).time == told(90, **slow).time == at(-70)
    assert told(sentat=at(60).isoformat()).time == NOON


def test_without_id_and_time_a_retry_is_the_same_and_the_next_call_another() -> None:
    assert told(0).id == told(0.5).id
    assert told(0).id != told(60).id
    assert told(0).id != told(0, data={"channel": "call"}).id


def test_a_retry_in_the_next_minute_has_an_id_that_the_worker_knows_by() -> None:
    decoder = Decoder(*SALES_ACTIVITIES)
    first, second = (told(minutes) for minutes in (0.9, 1.1))
    assert first.id in neighbours(decoder.fact(second.subject.encode(), second.encode(), at(1.1)))


def test_without_an_id_alone_the_content_and_time_decide() -> None:
    time = at(-30).isoformat()
    assert told(0, time=time).id == told(60, time=time).id
    assert told(0, time=time).id != told(0, time=at(-29).isoformat()).id


@pytest.mark.parametrize("activity", SALES_ACTIVITIES)
def test_every_activity_of_the_contract_has_a_short_name(activity: type[SalesActivity]) -> None:
    full = str(activity.model_fields["type"].default)
    short = full.removeprefix("baton.").removesuffix(".v1")
    data = DATA.get(short, {})
    assert type(told(type=short, data=data)) is type(told(type=full, data=data)) is activity


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        ({"userId": " u-1 "}, {"user_id": "u-1"}),
        ({"userId": 42}, {"user_id": "42"}),
        ({"anonymousId": "a-1"}, {"anonymous_id": "a-1"}),
        ({"email": "Ada <ADA@example.com>"}, {"email": EMAIL}),
    ],
)
def test_a_subject_may_be_any_name_of_the_lead(subject: dict[str, Any], names: dict[str, str]) -> None:
    assert told(subject=subject).subject == lead_id_of(**names)


@pytest.mark.parametrize(
    "subject", [{}, {"userId": "null"}, {"userId": True}, {"userId": "u", "email": EMAIL}, {"id": "u"}]
)
def test_what_names_nobody_is_refused(subject: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as invalid:
        told(subject=subject)
    assert [error.path for error in invalid.value.errors] == ["/subject"]


@pytest.mark.parametrize(("kind", "event"), [("lead.merged", LeadMerged), ("lead.unmerged", LeadUnmerged)])
def test_a_merge_goes_to_engagements_under_the_alias(kind: str, event: type[Envelope]) -> None:
    merge = told(type=kind, subject=EMAIL, data={"lead": {"userId": "u-1"}, "because": "one person"})
    assert (type(merge), merge.topic, merge.subject) == (event, "engagements", LEAD)
    assert told(type=kind, subject=EMAIL, data={"lead": "b@x.example"}, time=at(-90).isoformat()).time == NOON
    assert merge.data == Merge(alias=LEAD, lead=lead_id_of(user_id="u-1"), because="one person")


@pytest.mark.parametrize(
    "data", [{}, {"lead": EMAIL}, {"lead": "nobody"}, {"lead": "bob@example.com", "alias": LEAD, "x": 1}]
)
def test_a_merge_without_another_lead_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as invalid:
        told(type="lead.merged", subject=EMAIL, data=data)
    assert invalid.value.errors[0].path.startswith("/data")


def test_errors_are_bounded() -> None:
    with pytest.raises(Invalid) as invalid:
        activities([{}] * 500, False, "sales/tests", NOON)
    assert [error.path for error in invalid.value.errors] == [f"/{place}/type" for place in range(MOST_ERRORS)]
