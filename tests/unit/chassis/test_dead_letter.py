"""The limit of dead letters, past which a partition stops."""

import pytest

from chassis.kafka.dead_letter import RUN, WINDOW, Limiter, TooManyDeadLetters


def test_twenty_in_a_row_are_let_through_and_the_next_one_stops() -> None:
    limiter = Limiter().after(RUN, range(RUN))
    with pytest.raises(TooManyDeadLetters, match="21 in a row"):
        limiter.after(1, [0])


def test_one_good_record_ends_the_row() -> None:
    limiter = Limiter()
    for _ in range(2):
        limiter = limiter.after(RUN, range(RUN)).after(1)
    limiter.after(RUN, range(RUN))


def test_good_records_within_a_batch_end_the_row() -> None:
    limiter = Limiter().after(RUN + 1, range(RUN))
    limiter.after(2 * RUN + 1, [*range(RUN), *range(RUN + 1, 2 * RUN + 1)])


def test_row_goes_on_over_batches() -> None:
    limiter = Limiter().after(30, range(20, 30))
    with pytest.raises(TooManyDeadLetters):
        limiter.after(30, range(11))


def test_a_twentieth_of_the_last_thousand_is_the_limit() -> None:
    scattered = range(0, WINDOW, 20)
    limiter = Limiter().after(WINDOW, scattered)
    assert len(scattered) == 50
    limiter.after(20, [19])  # the first of the fifty is out of the window by then
    with pytest.raises(TooManyDeadLetters, match="51 of the last 1000"):
        Limiter().after(WINDOW, [*scattered, WINDOW - 1])


def test_few_records_are_no_share() -> None:
    Limiter().after(100, range(0, 100, 2))


def test_only_the_window_is_remembered() -> None:
    limiter = Limiter()
    for _ in range(100):
        limiter = limiter.after(WINDOW, [0, 500])
    assert len(limiter.failures) <= 2
