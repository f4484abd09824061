"""The effect of a sender's clock and of retries on `t`."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import effective_time
from tests.builders import NOON, an_engagement

ZERO, RESOLUTION = timedelta(), timedelta(microseconds=1)
skews = st.timedeltas(-timedelta(hours=12), timedelta(hours=12))
"""How far the sender's clock is ahead."""
offline = st.timedeltas(ZERO, timedelta(days=3))
"""How long an event waits before it is sent first."""
outages = st.lists(st.timedeltas(RESOLUTION, timedelta(days=2)), max_size=6)
"""How long each further attempt comes after the one before."""


def t(time: datetime, sent: datetime | None, received_at: datetime, *, sent_anew: bool = False) -> datetime:
    event = an_engagement(time=time).model_copy(update={"sentat": sent})
    return effective_time(event, received_at, sent_anew=sent_anew)[0]


def attempts(first: datetime, waits: list[timedelta]) -> list[datetime]:
    """When the attempts arrive."""
    return [first + sum(waits[:number], ZERO) for number in range(len(waits) + 1)]


@given(delay=offline, behind=st.timedeltas(ZERO, timedelta(hours=12)), waits=outages)
def test_a_retry_of_the_same_bytes_keeps_its_time_by_a_clock_that_is_right_or_behind(
    delay: timedelta, behind: timedelta, waits: list[timedelta]
) -> None:
    sent = NOON - behind
    assert {t(sent - delay, sent, received) for received in attempts(NOON, waits)} == {sent - delay}


@given(delay=offline, ahead=st.timedeltas(RESOLUTION, timedelta(hours=12)), waits=outages)
def test_by_a_clock_that_is_ahead_it_moves_by_the_skew_at_most_and_never_before_the_truth(
    delay: timedelta, ahead: timedelta, waits: list[timedelta]
) -> None:
    truth, sent = NOON - delay, NOON + ahead
    judged = [t(truth + ahead, sent, received) for received in attempts(NOON, waits)]
    assert judged[0] == truth
    assert judged == sorted(judged)
    assert all(truth <= one <= truth + ahead for one in judged)


@given(delay=offline, skew=skews, waits=outages)
def test_who_sets_sentat_anew_at_every_attempt_gets_the_true_time_each_time(
    delay: timedelta, skew: timedelta, waits: list[timedelta]
) -> None:
    truth = NOON - delay
    received = attempts(NOON, waits)
    assert {t(truth + skew, at + skew, at, sent_anew=True) for at in received} == {truth}


@given(delay=offline, skew=skews, waits=outages)
def test_where_a_proxy_repeats_the_bytes_of_such_a_sender_it_moves_by_the_waiting_time(
    delay: timedelta, skew: timedelta, waits: list[timedelta]
) -> None:
    """That is the price of the correction: nobody can tell the wait from a slow clock. The id stays, so once heard
    it is a duplicate; only where no earlier attempt arrived does the wait count.
    """
    truth = NOON - delay
    for at in attempts(NOON, waits):
        assert t(truth + skew, NOON + skew, at, sent_anew=True) == min(truth + (at - NOON), at)


@given(ahead=st.timedeltas(RESOLUTION, timedelta(days=30)), received=skews, sent_anew=st.booleans())
def test_sent_before_it_happened_is_no_evidence(ahead: timedelta, received: timedelta, sent_anew: bool) -> None:
    at = NOON + received
    assert t(NOON, NOON - ahead, at, sent_anew=sent_anew) == t(NOON, None, at)


@given(delay=offline, skew=skews, wait=offline, sent=st.booleans(), sent_anew=st.booleans())
def test_nothing_counts_after_its_receipt(
    delay: timedelta, skew: timedelta, wait: timedelta, sent: bool, sent_anew: bool
) -> None:
    at = NOON + wait
    assert t(NOON - delay + skew, NOON + skew if sent else None, at, sent_anew=sent_anew) <= at


@pytest.mark.parametrize(("sent_anew", "expected"), [(True, NOON - timedelta(hours=2)), (False, None)])
def test_only_who_sets_it_anew_is_believed_to_be_years_behind(sent_anew: bool, expected: datetime | None) -> None:
    old = datetime(2020, 1, 1, tzinfo=UTC)
    if expected is None:
        with pytest.raises(ValueError, match="time_out_of_range"):
            t(old, old + timedelta(hours=2), NOON)
    else:
        assert t(old, old + timedelta(hours=2), NOON, sent_anew=sent_anew) == expected
