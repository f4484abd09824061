"""Failpoints: inert unless armed; then they act once, at the n-th time."""

from collections.abc import Iterator

import pytest

from chassis.process import failpoints
from chassis.process.failures import Transient


@pytest.fixture(autouse=True)
def _disarm() -> Iterator[None]:
    yield
    failpoints.arm("")


def test_nothing_happens_at_a_point_that_is_not_armed() -> None:
    failpoints.arm("fetched=fail")
    failpoints.reach("committed")
    assert not failpoints.armed("committed")


def test_the_step_fails_once_at_the_turn_named() -> None:
    failpoints.arm("committed=fail@2")
    failpoints.reach("committed")
    with pytest.raises(Transient, match="failpoint committed"):
        failpoints.reach("committed")
    failpoints.reach("committed")


@pytest.mark.parametrize("text", ["commited=kill", "committed", "committed=boom", "committed=fail@0", "sent=stall"])
def test_what_cannot_be_read_is_refused_with_the_names_that_can(text: str) -> None:
    with pytest.raises(ValueError, match="partly_acknowledged"):
        failpoints.arm(text)
