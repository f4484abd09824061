"""What a CloudEvent becomes: Baton's own events in full, and anybody's as an engagement."""

from typing import Any

import pytest

from ingest.adapters.cloudevents import TYPES, kind_of, read
from ingest.rules import events_of
from schemas.engagements import EngagementRecorded, LeadErased
from schemas.envelope import Decoder, Envelope, Refused, SentBy
from schemas.identity import lead_id_of
from schemas.topics import TOPICS
from tests.builders import EMAIL, LEAD, NOON, at

USER = lead_id_of(user_id="u-1")
OTHER = lead_id_of(email="bob@example.com")
DATA: dict[str, dict[str, Any]] = {
    "baton.engagement.recorded.v1": {"kind": "webinar_attended"},
    "baton.lead.linked.v1": {"lead": EMAIL, "alias_by": "user_id", "lead_by": "email"},
    "baton.lead.merged.v1": {"lead": "bob@example.com"},
    "baton.lead.unmerged.v1": {"lead": OTHER},
}
"""What an event cannot be without."""


def foreign(**item: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.example.demo.requested", **item}


def own(type_: str = "engagement.recorded", **item: Any) -> dict[str, Any]:
    full = f"baton.{type_}.v1"
    return foreign(**{"type": full, "subject": LEAD, "data": DATA.get(full, {}), **item})


def events(item: Any, sentby: SentBy = "server", minutes: float = 0) -> tuple[Envelope, ...]:
    return events_of(read(item), "cloudevents/web", at(minutes), sentby)


def why_not(item: Any, sentby: SentBy = "server") -> str:
    with pytest.raises(Refused) as refused:
        events(item, sentby)
    return f"{refused.value.reason}: {refused.value.detail}"


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("com.example.webinar.attended", "webinar_attended"),
        ("com.example.webinar.attended.v2", "webinar_attended"),
        ("com.example.webinar_attended.v1.0", "webinar_attended"),
        ("com.example.crm.WebinarAttended", "webinar_attended"),
        ("webinar.attended", "webinar_attended"),
        ("com.example.signup", "signup"),
        ("shop.order.created", "order_created"),
        ("Signup", "signup"),
        ("v2", "v2"),
    ],
)
def test_the_last_parts_of_a_type_are_the_kind(type_: str, kind: str) -> None:
    assert kind_of(type_) == kind


def test_anybodys_event_is_an_engagement_with_the_plain_fields_of_its_data() -> None:
    data = {"userId": "u-1", "content": "Pricing", "seats": 3, "nested": {"a": 1}, "email": "other@example.com"}
    event, link = events(foreign(subject=f" {EMAIL.upper()} ", time=at(-5).isoformat(), data=data))
    assert isinstance(event, EngagementRecorded)
    assert (event.subject, event.id, event.source, event.time) == (LEAD, "1", "/shop", at(-5))
    assert (event.data.kind, event.data.content) == ("demo_requested", "pricing")
    assert event.data.properties == {"content": "Pricing", "seats": 3}
    assert (link.subject, link.data.lead) == (USER, LEAD)


@pytest.mark.parametrize(
    ("more", "lead"),
    [
        ({"data": {"email": EMAIL}}, LEAD),
        ({"data": {"userId": "u-1"}, "subject": "orders/7"}, USER),
        ({"data": {"anonymousId": "a-1"}, "subject": LEAD}, lead_id_of(anonymous_id="a-1")),
        ({"subject": EMAIL}, LEAD),
        ({"subject": EMAIL, "data": ["a"]}, LEAD),
        ({"subject": EMAIL, "data_base64": "AA=="}, LEAD),
    ],
)
def test_an_address_as_subject_or_the_data_say_who(more: dict[str, Any], lead: str) -> None:
    assert events(foreign(**more))[0].subject == lead


@pytest.mark.parametrize("more", [{}, {"subject": "orders/7"}, {"data": {"email": "junk", "userId": "null"}}])
def test_an_event_about_nobody_is_refused(more: dict[str, Any]) -> None:
    assert why_not(foreign(**more)).startswith("no_identifier")


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (7, "bad_item: not an object"),
        (foreign(specversion="0.3"), "bad_item: specversion"),
        (foreign(id=""), "bad_item: id"),
        (foreign(id=7), "bad_item: id"),
        (foreign(source=None), "bad_item: source"),
        (foreign(type=" "), "bad_item: type"),
        (foreign(type="…"), "bad_item: type"),
        (foreign(time="yesterday", subject=EMAIL), "bad_time: time"),
        (foreign(time=at(60 * 25).isoformat(), subject=EMAIL), "time_out_of_range"),
        (foreign(data={}, data_base64=""), "bad_item: data_base64"),
        (foreign(subject=EMAIL, source="baton/router"), "not_allowed: source"),
        (foreign(subject=EMAIL, id="a\nb"), "bad_event: id"),
        (own("sales.contacted"), "unknown_type: type"),
        (own("engagement.invented"), "unknown_type: type"),
        (own(data={"kind": "Webinar"}), "bad_event: data.kind"),
        (own(data={"kind": "webinar", "machine": "no"}), "bad_event: data.machine"),
        (own(data={"kind": "webinar", "contend": "pricing"}), "bad_event: data.contend"),
        (own(data=[1]), "bad_item: data"),
        (own(subject=None), "no_identifier"),
        (own(subject="orders/7"), "no_identifier"),
        (own(data={"kind": "webinar", "identifiers": {"email": "bob@example.com"}}), "bad_event: subject"),
        (own("lead.merged", data={"lead": LEAD}), "bad_event: data.lead"),
        (own("lead.merged", data={"lead": "nobody"}), "bad_event: data.lead"),
        (own("lead.linked", data={"alias": OTHER, "lead": EMAIL}), "bad_event: data.alias"),
    ],
)
def test_what_is_no_event_is_refused_with_the_field_that_is_wrong(item: Any, why: str) -> None:
    assert why_not(item).startswith(why)


@pytest.mark.parametrize("type_", TYPES)
def test_each_of_batons_own_events_is_taken_from_a_server_as_every_consumer_reads_it(type_: str) -> None:
    subject = USER if "linked" in type_ else LEAD
    event, *links = events(own(type_.removeprefix("baton.").removesuffix(".v1"), subject=subject))
    assert (event.type, event.subject, event.source, event.sentby, links) == (type_, subject, "/shop", "server", [])
    fact = Decoder(*TOPICS["engagements"].events).fact(event.subject.encode(), event.encode(), NOON)
    assert (fact.event, fact.time) == (event, NOON)


@pytest.mark.parametrize(
    ("subject", "identifiers", "leads"),
    [
        (LEAD.upper(), {}, [LEAD]),
        (EMAIL, {}, [LEAD]),
        ({"userId": "u-1"}, {}, [USER]),
        ({"userId": "u-1"}, {"email": EMAIL}, [LEAD, USER]),
        (EMAIL, {"user_id": "u-1"}, [LEAD, USER]),
        (LEAD, {"user_id": "u-1", "email": EMAIL}, [LEAD, USER]),
        (None, {"user_id": "u-1"}, [USER]),
        ("orders/7", {"user_id": "u-1"}, [USER]),
    ],
)
def test_subject_and_identifiers_of_batons_own_event_name_one_lead(
    subject: object, identifiers: dict[str, str], leads: list[str]
) -> None:
    item = own(subject=subject, data={"kind": "webinar", "identifiers": identifiers})
    assert [event.subject for event in events(item)] == leads


def test_a_public_key_may_say_what_trackers_say_and_cannot_take_the_ids_of_others() -> None:
    for type_ in ("engagement.recorded", "lead.described", "lead.opted_in"):
        [event] = events(own(type_), "public")
        assert (event.sentby, event.source) == ("public", "cloudevents/web//shop")


@pytest.mark.parametrize("type_", ["lead.erased", "lead.suppressed", "lead.linked", "lead.merged", "lead.unmerged"])
def test_a_public_key_may_not_say_what_changes_who_somebody_is(type_: str) -> None:
    subject = USER if "linked" in type_ else LEAD
    assert why_not(own(type_, subject=subject), "public").startswith("not_allowed: type")


@pytest.mark.parametrize(
    "more", [{"via": USER}, {"finaltime": True}, {"sentby": "operator"}, {"occurredat": at(-9).isoformat()}]
)
def test_what_only_baton_sets_is_refused_from_public_keys_and_has_no_effect_from_servers(more: dict[str, Any]) -> None:
    assert why_not(own(**more), "public").startswith(f"not_allowed: {next(iter(more))}")
    [event] = events(own(**more, time=at(-5).isoformat()))
    assert (event.via, event.sentby, event.time, event.occurredat) == (None, "server", at(-5), at(-5))


def test_a_repeat_of_the_same_bytes_later_is_judged_by_a_fast_clock_only() -> None:
    fast: dict[str, Any] = {"time": at(50).isoformat(), "sentat": at(60).isoformat()}
    assert events(own(**fast))[0].time == at(-10)
    assert events(own(**fast, timetrusted=True))[0].time == NOON
    late: dict[str, Any] = {"time": at(-70).isoformat(), "sentat": at(-60).isoformat()}
    assert events(own(**late))[0].time == events(own(**late), minutes=90)[0].time == at(-70)


def test_a_merge_holds_from_when_it_is_said_and_an_erasure_keeps_nothing() -> None:
    [merge] = events(own("lead.merged", time=at(-60).isoformat()))
    assert (merge.time, merge.data.alias, merge.data.lead) == (NOON, LEAD, OTHER)
    [erasure] = events(own("lead.erased", subject=EMAIL))
    assert isinstance(erasure, LeadErased)
    assert EMAIL.encode() not in erasure.encode()
