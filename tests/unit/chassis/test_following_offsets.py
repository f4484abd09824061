"""Records without gaps in their offsets; a gap is accepted when it is seen a second time."""

from chassis.kafka.consumer import Received
from chassis.partition.worker import Gap, following


def _read(*offsets: int, topic: str = "engagements") -> list[Received]:
    return [Received(topic, 0, offset, 0, None, None, ()) for offset in offsets]


def test_records_that_follow_on_are_all_taken() -> None:
    seen: set[Gap] = set()
    records = _read(5, 6, 7) + _read(2, 3, topic="sales-activities")
    assert following(records, {"engagements": 5, "sales-activities": 2}, seen) == 5
    assert seen == set()


def test_gap_ends_what_is_taken_the_first_time_and_is_read_over_the_second() -> None:
    seen: set[Gap] = set()
    assert following(_read(5, 6, 8, 9), {"engagements": 5}, seen) == 2
    assert following(_read(8, 9), {"engagements": 7}, seen) == 2
    assert seen == set(), "a gap behind us is forgotten"


def test_gap_before_the_first_record_is_a_gap() -> None:
    assert following(_read(6), {"engagements": 5}, set()) == 0


def test_all_gaps_of_a_batch_cost_one_new_claim() -> None:
    seen: set[Gap] = set()
    assert following(_read(0, 2, 4, 6), {"engagements": 0}, seen) == 1
    assert following(_read(2, 4, 6), {"engagements": 1}, seen) == 3


def test_other_gap_than_before_is_not_believed() -> None:
    seen: set[Gap] = set()
    following(_read(0, 2), {"engagements": 0}, seen)
    assert following(_read(3), {"engagements": 1}, seen) == 0


def test_offsets_never_go_back() -> None:
    for _ in range(3):
        assert following(_read(4), {"engagements": 5}, set()) == 0
