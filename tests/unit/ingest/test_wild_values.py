"""Values as senders write them in the wild: times, company sizes, flags, traits in another place."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapters.company import size_of
from ingest.adapters.segment import read
from ingest.rules import MENDED, events_of
from schemas.engagements import LARGEST_COMPANY, EngagementRecorded, LeadDescribed, LeadOptedIn, SizeRange
from schemas.envelope import Envelope, Refused, fingerprint
from scorer.rules import Criteria, fold, score
from scorer.rules.order import text_of
from tests.builders import EMAIL, NOON, a_fact, a_policy, at


def told(item: dict[str, Any], call: str = "page", **batch: Any) -> tuple[Envelope, tuple[str, ...]]:
    """The one event of Ada's call that comes at NOON, and which of its values were not taken as sent."""
    found = read({"userId": EMAIL, **item}, call, batch)
    [event] = events_of(found, "segment/tests", NOON)
    return event, found.mended


def refusal(item: dict[str, Any], call: str = "page") -> str:
    with pytest.raises(Refused) as refused:
        told(item, call)
    return refused.value.reason


EPOCH = int(at(-60).timestamp())
"""An hour before NOON: 10 digits."""


@pytest.mark.parametrize(
    "sent",
    [EPOCH, str(EPOCH), float(EPOCH), f"{EPOCH}.0", EPOCH * 1000, str(EPOCH * 1000), EPOCH * 1000.0, f" {EPOCH} "],
    ids=repr,
)
def test_seconds_and_milliseconds_since_1970_are_instants(sent: object) -> None:
    for name in ("timestamp", "originalTimestamp"):
        event, mended = told({name: sent})
        assert (event.time, event.occurredat, event.zoneassumed, mended) == (at(-60), at(-60), None, ())


@pytest.mark.parametrize(("sent", "more"), [(EPOCH + 0.25, 250), (f"{EPOCH}250", 250), (EPOCH * 1000 + 250, 250)])
def test_their_fractions_count(sent: object, more: int) -> None:
    assert told({"timestamp": sent})[0].time == at(-60) + timedelta(milliseconds=more)


def test_an_epoch_that_looks_like_a_date_with_a_time_is_an_epoch() -> None:
    assert refusal({"timestamp": "1701010100000"}) == "time_out_of_range"  # November 2023, not the year 1701
    event, _ = told({"timestamp": "1701010100000", "sentAt": "1701010160000"})
    assert event.time == at(-1)


@pytest.mark.parametrize("written", ["2026-03-02T11:00:00", "2026-03-02 11:00:00", "20260302T110000", "2026-03-02T11"])
def test_a_time_without_a_zone_is_utc_and_flagged(written: str) -> None:
    event, mended = told({"timestamp": written})
    assert (event.time, event.zoneassumed, mended) == (at(-60), True, ("no_zone",))
    zoned, mended = told({"timestamp": "2026-03-02T12:00:00+01:00"})
    assert (zoned.time, zoned.zoneassumed, mended) == (at(-60), None, ())
    assert (zoned.id, fingerprint(zoned)) == (event.id, fingerprint(event))
    assert b"zoneassumed" not in zoned.encode()


@pytest.mark.parametrize(
    "sent",
    [
        *(
            "2026-03-02",
            "20260302",
            "2026-W10-1",
            "yesterday",
            "Mon, 02 Mar 2026 11:00:00 GMT",
            "2026-03-02 11:00:00 PST",
        ),
        *(
            "2016-12-31T23:59:60Z",
            0,
            -1,
            177245280,
            17724528000,
            "17724528000",
            "-1772452800",
            "1e9",
            True,
            ["x"],
            {"a": 1},
        ),
    ],
    ids=repr,
)
def test_anything_else_is_no_time(sent: object) -> None:
    assert refusal({"timestamp": sent}) == "bad_time"


def test_an_odd_sent_at_is_no_evidence_and_costs_nothing() -> None:
    for odd in ("yesterday", "2026-03-02", 5, True, ["x"]):
        event, mended = told({"timestamp": at(-60).isoformat(), "sentAt": odd})
        assert (event.time, mended) == (at(-60), ())


def test_a_clock_without_a_zone_is_corrected_by_its_own_stamps_only() -> None:
    """Two hours east of Greenwich: both stamps are ahead by as much, and neither says so."""
    here, sent = "2026-03-02T13:00:00", "2026-03-02T14:00:00"
    assert told({"timestamp": here, "sentAt": sent})[0].time == at(-60)
    assert told({"timestamp": here}, sentAt=sent)[0].time == at(-60)
    assert told({"timestamp": "2026-03-02T11:00:00Z", "sentAt": sent})[0].time == at(-60)


def test_sent_before_it_happened_is_no_evidence_of_skew() -> None:
    stored = {"timestamp": at(-60).isoformat(), "sentAt": at(-600).isoformat()}
    assert told(stored)[0].time == at(-60)
    assert told({**stored, "timestamp": EPOCH, "sentAt": EPOCH - 10_000})[0].time == at(-60)


@pytest.mark.parametrize("years", [543, -2018])
def test_both_stamps_wrong_by_the_same_are_corrected_by_receipt(years: int) -> None:
    happened, sent = (at(minutes).replace(year=2026 + years) for minutes in (-60, 0))
    event, _ = told({"timestamp": happened.isoformat(), "sentAt": sent.isoformat()})
    assert (event.time, event.occurredat) == (at(-60), None)


SIZES: list[tuple[object, int | tuple[int, int | None]]] = [
    *((120, 120), (120.0, 120), ("120", 120), (" 120 ", 120), ("120.0", 120), (0, 0), (10_000_000, 10_000_000)),
    *(("1,200", 1200), ("1\u00a0200", 1200), ("1'200", 1200), ("10K", 10_000)),
    *((158.5, (158, 159)), ("158.5", (158, 159)), ("1.5k", 1500), ("0-0", 0), ("50-50", 50)),
    *(("51-200", (51, 200)), ("51 - 200", (51, 200)), ("51\u2013200", (51, 200)), ("51 to 200", (51, 200))),
    *(("1,001-5,000", (1001, 5000)), ("251-1K", (251, 1000)), ("2-10 employees", (2, 10)), ("51..200", (51, 200))),
    *(
        ("1000+", (1000, None)),
        ("10,001+ employees", (10_001, None)),
        ("100K+", (100_000, None)),
        ("1000 +", (1000, None)),
    ),
    *((">1000", (1001, None)), (">= 1000", (1000, None)), ("<50", (0, 49)), ("\u2264 50", (0, 50)), ("<1", 0)),
]
NO_SIZES: list[object] = [
    *(
        "many",
        "about 50",
        "1.200",
        "1,20",
        "1,2000",
        "200-51",
        "51-",
        "-51",
        "51-200-300",
        "~200",
        "5+0",
        ">5+",
        "Nov-50",
    ),
    *(-1, -0.5, 10_000_001, 1e300, 2**63, "99999999999", "1-99999999999", "9" * 65, True, False, [51, 200], {"min": 1}),
    *("51 200", "05-2023", "01-10", "007", "51\ufffd200"),
    *("<0", "١٢٠", "12,345,678"),
]


@pytest.mark.parametrize(("written", "size"), SIZES, ids=repr)
@pytest.mark.parametrize("place", ["company_size", "companySize", "employees"])
def test_a_size_is_a_number_or_a_range(written: object, size: int | tuple[int, int | None], place: str) -> None:
    for item, call in (
        ({"traits": {place: written}}, "identify"),
        ({"traits": {"company": {"size": written}}}, "identify"),
        ({"context": {"traits": {place: written}}}, "identify"),
        ({"traits": {place: written}}, "group"),
    ):
        event, mended = told(item, call)
        assert isinstance(event, LeadDescribed)
        found, within = event.data.company_size, event.data.company_size_range
        assert (found if within is None else (within.least, within.most)) == size
        assert (found is None) != (within is None)
        assert mended == ()


@pytest.mark.parametrize("written", NO_SIZES, ids=repr)
def test_a_size_that_cannot_be_read_is_left_out_and_counted_and_the_rest_is_kept(written: object) -> None:
    for call in ("identify", "group"):
        event, mended = told({"traits": {"employees": written, "industry": "technology"}}, call)
        assert event.data.model_dump(exclude={"identifiers"}, exclude_none=True) == {"industry": "technology"}
        assert mended == ("company_size",)


def test_the_next_size_counts_where_one_cannot_be_read() -> None:
    event, mended = told(
        {"traits": {"company_size": "many", "companySize": " ", "company": {"size": "1,200"}}}, "identify"
    )
    assert (event.data.company_size, mended) == (1200, ("company_size",))


@given(
    st.text("0123456789,.+-<>=kK ' to", max_size=12) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
def test_whatever_is_written_gives_a_size_within_the_contract_or_none(written: object) -> None:
    size = size_of(written)
    if isinstance(size, SizeRange):
        assert 0 <= size.least < (LARGEST_COMPANY + 1 if size.most is None else size.most)
    else:
        assert size is None or 0 <= size <= LARGEST_COMPANY


TRUE, FALSE = (
    [True, 1, 1.0, "true", " True ", "1", "yes", "Y", "on"],
    [False, 0, "false", "0", "No", "off", None, "", " "],
)


@pytest.mark.parametrize(("flag", "machine"), [*((f, True) for f in TRUE), *((f, False) for f in FALSE)], ids=repr)
def test_a_machines_doing_is_marked_however_the_flag_is_written(flag: object, machine: bool) -> None:
    for item, call in (({"event": "Email Opened"}, "track"), ({}, "page"), ({}, "screen")):
        event, _ = told({**item, "properties": {"machine": flag}}, call)
        assert isinstance(event, EngagementRecorded)
        assert (event.data.machine, event.data.properties) == (machine, {})
    event, _ = told({"event": "Email Confirmed", "properties": {"machine": flag}}, "track")
    assert isinstance(event, EngagementRecorded if machine else LeadOptedIn)


@pytest.mark.parametrize("flag", ["maybe", "2", 2, -1, 0.5, "null", ["true"], {"is": True}], ids=repr)
def test_a_flag_that_is_not_understood_is_refused(flag: object) -> None:
    for name in ("Email Opened", "Email Confirmed", "Unsubscribed"):
        assert refusal({"event": name, "properties": {"machine": flag}}, "track") == "bad_item"


def test_a_mail_gateway_that_follows_links_opts_nobody_in_and_takes_nothing_away() -> None:
    """Under the policy that asks for an opt-in and takes points for an unsubscription."""
    criteria = Criteria.of(a_policy("balanced"))
    calls = [told({"traits": {"company_size": 50}, "messageId": "d"}, "identify")[0]]
    calls += [told({"event": "Webinar Attended", "messageId": "w"}, "track")[0]]
    by_hand = [told({"event": name}, "track")[0] for name in ("Opt In Confirmed", "Unsubscribed")]
    gateway = [
        told({"event": name, "properties": {"machine": "yes"}}, "track")[0]
        for name in ("Opt In Confirmed", "Email Confirmed", "Unsubscribed", "Demo Requested")
    ]
    alone = fold(map(a_fact, calls), criteria)
    assert fold(map(a_fact, [*calls, *gateway]), criteria) == alone
    person = fold(map(a_fact, [*calls, *by_hand]), criteria)
    assert (alone.basis.opted_in is None, person.basis.opted_in is None) == (True, False)
    worth, left = (score(tally.basis, criteria, text_of(at(1))).points for tally in (alone, person))
    assert left < worth


TRAITS = {
    **{"name": "Ada", "phone": "1", "title": "CTO", "company": "Engines", "company_size": 5, "industry": "i"},
    "address": {"country": "GB"},
}


def test_traits_in_the_context_alone_describe_the_lead_field_by_field() -> None:
    whole, _ = told({"traits": TRAITS}, "identify")
    assert told({"context": {"traits": TRAITS}}, "identify")[0].data == whole.data
    assert told({"traits": [], "context": {"traits": TRAITS}}, "identify")[0].data == whole.data
    others = {
        "firstName": "X",
        "phone": "2",
        "title": "Y",
        "company": {"name": "Z", "size": 9},
        "industry": "j",
        "country": "FR",
    }
    for name in TRAITS:
        told_first = {**TRAITS, name: " "} if name != "address" else {**TRAITS, "address": {}}
        event, _ = told({"traits": told_first, "context": {"traits": others}}, "identify")
        differs = {key for key, value in event.data if value != getattr(whole.data, key)}
        assert differs == {"country" if name == "address" else name}
    assert told({"traits": TRAITS, "context": {"traits": {"phone": ["odd"]}}}, "identify")[0].data == whole.data
    group, _ = told({"traits": {"industry": "i"}, "context": {"traits": TRAITS}}, "group")
    assert group.data.model_dump(exclude={"identifiers"}, exclude_none=True) == {"industry": "i"}


@pytest.mark.parametrize("place", ["traits", "properties", "context"])
@pytest.mark.parametrize("call", ["identify", "track", "page", "screen", "group"])
def test_an_empty_list_is_an_empty_object_and_a_filled_one_is_refused(place: str, call: str) -> None:
    item = {"event": "X", "traits": {}, "properties": {}, "context": {}}
    assert told({**item, place: []}, call) == told(item, call)
    assert refusal({**item, place: ["a"]}, call) == "bad_item"


def test_every_word_for_what_was_mended_is_known() -> None:
    assert {"no_zone", "company_size"} <= MENDED.keys()
