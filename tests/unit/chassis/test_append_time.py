"""When a record was received, also where its time stamp is none."""

from datetime import UTC, datetime

import pytest

from chassis.kafka.consumer import append_time


@pytest.mark.parametrize(
    ("milliseconds", "year"), [(1_764_000_000_123, 2025), (-1, 1970), (-(2**63), 1970), (2**63 - 1, 9999)]
)
def test_a_time_stamp_of_any_size_is_a_date(milliseconds: int, year: int) -> None:
    assert append_time(milliseconds).year == year


def test_milliseconds_are_kept() -> None:
    assert append_time(1_500) == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
