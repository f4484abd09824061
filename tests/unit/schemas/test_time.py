"""When an event counts."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import Envelope, Refused, effective_time
from tests.builders import NOON, an_engagement

HOUR, DAY, RESOLUTION = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)


def an_event(time: datetime, **envelope: Any) -> Envelope:
    return an_engagement().model_copy(update={"time": time, **envelope})  # also times that no decoder lets through


def refused(event: Envelope) -> bool:
    try:
        effective_time(event, NOON)
    except Refused as verdict:
        return verdict.reason == "time_out_of_range"
    return False


def test_an_event_counts_when_it_happened_however_late_it_arrives() -> None:
    assert effective_time(an_event(NOON - 3 * DAY), NOON) == (NOON - 3 * DAY, False)


def test_a_clock_that_is_ahead_is_corrected_by_what_it_said_when_it_sent() -> None:
    event = an_event(NOON + 2 * HOUR, sentat=NOON + 3 * HOUR)
    assert effective_time(event, NOON) == (NOON - HOUR, False)


def test_a_clock_that_seems_behind_may_be_a_retry_and_is_corrected_only_where_sentat_is_set_anew() -> None:
    event = an_event(NOON - 3 * HOUR, sentat=NOON - HOUR)
    assert effective_time(event, NOON) == (NOON - 3 * HOUR, False)
    assert effective_time(event, NOON, sent_anew=True) == (NOON - 2 * HOUR, False)


def test_a_trusted_clock_is_not_corrected() -> None:
    event = an_event(NOON - HOUR, sentat=NOON - 2 * HOUR, timetrusted=True)
    assert effective_time(event, NOON) == (NOON - HOUR, False)


def test_what_claims_to_happen_after_its_receipt_is_clamped_to_it() -> None:
    assert effective_time(an_event(NOON + RESOLUTION), NOON) == (NOON, True)
    assert effective_time(an_event(NOON), NOON) == (NOON, False)


def test_the_check_for_the_future_comes_before_the_clamp_and_24_hours_are_still_in() -> None:
    assert effective_time(an_event(NOON + DAY), NOON) == (NOON, True)
    assert refused(an_event(NOON + DAY + RESOLUTION))


def test_ninety_days_late_is_still_in() -> None:
    assert effective_time(an_event(NOON - 90 * DAY), NOON) == (NOON - 90 * DAY, False)
    assert refused(an_event(NOON - 90 * DAY - RESOLUTION))


def test_the_bounds_hold_for_the_corrected_time() -> None:
    assert refused(an_event(NOON, sentat=NOON + 90 * DAY + RESOLUTION))


def test_a_final_time_is_never_judged_again() -> None:
    event = an_event(NOON - 400 * DAY, sentat=NOON - HOUR, finaltime=True)
    assert effective_time(event, NOON) == (NOON - 400 * DAY, False)
    ahead = an_event(NOON + HOUR, finaltime=True)
    assert effective_time(ahead, NOON) == (NOON + HOUR, False)


def test_a_final_time_that_nobody_can_have_judged_is_refused() -> None:
    assert refused(an_event(NOON + DAY + RESOLUTION, finaltime=True))


@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize(
    "time",
    [
        datetime.max.replace(tzinfo=timezone(-14 * HOUR)),
        datetime.min.replace(tzinfo=timezone(14 * HOUR)),
    ],
)
def test_years_beyond_the_calendar_are_refused_not_an_overflow(time: datetime, final: bool) -> None:
    assert refused(an_event(time, finaltime=final))
    assert refused(an_event(NOON, sentat=time)) == (time.year > 1)
    assert refused(an_event(time, sentat=NOON, finaltime=final))


def test_the_first_instant_of_the_calendar_can_be_final() -> None:
    first = datetime.min.replace(tzinfo=UTC)
    assert effective_time(an_event(first, finaltime=True), NOON) == (first, False)


@settings(deadline=None)  # a busy machine is no defect
@given(
    time=st.datetimes(timezones=st.builds(timezone, st.timedeltas(-14 * HOUR, 14 * HOUR))),
    sent=st.none() | st.datetimes(timezones=st.just(UTC)),
    final=st.booleans(),
)
def test_whatever_the_sender_says_the_time_is_in_range_and_in_utc_or_the_event_is_refused(
    time: datetime, sent: datetime | None, final: bool
) -> None:
    event = an_event(time, sentat=sent, finaltime=final)
    if not refused(event):
        judged, clamped = effective_time(event, NOON)
        assert judged.utcoffset() == timedelta()
        assert judged == time if final else NOON - 90 * DAY <= judged <= NOON
        assert not clamped or judged == NOON
