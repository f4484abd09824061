"""The plan of a run: the whole catalogue in the default time, and the same again for the same seed."""

from collections import Counter

import pytest

from tests.chaos.__main__ import MINUTES
from tests.chaos.faults import CATALOGUE, KILLS
from tests.chaos.schedule import LEAST_KILLS, PAUSE_SECONDS, plan

SEEDS = range(50)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_default_run_tries_everything_and_kills_twelve_times(seed: int) -> None:
    planned = plan(seed, MINUTES)
    times = Counter(fault.name for fault in planned)
    assert times.keys() == CATALOGUE.keys()
    assert len(KILLS) == 7
    assert all(times[name] >= LEAST_KILLS for name in KILLS)
    assert sum(fault.seconds + PAUSE_SECONDS for fault in planned) <= MINUTES * 60


def test_a_seed_repeats_its_order_and_another_has_its_own() -> None:
    assert plan(7, 12) == plan(7, 12)
    assert len({tuple(fault.name for fault in plan(seed, 12)) for seed in SEEDS}) == len(SEEDS)


def test_named_faults_take_turns_until_the_time_is_up() -> None:
    names = ["reset", "scorer-kill"]
    times = Counter(fault.name for fault in plan(1, 3, names))
    assert set(times) == set(names)
    assert min(times.values()) >= 3


def test_a_fault_comes_once_however_short_the_time() -> None:
    assert [fault.name for fault in plan(1, 0.1, ["storm"])] == ["storm"]


def test_an_hour_is_filled() -> None:
    planned = plan(3, 60)
    assert 60 * 60 - sum(fault.seconds + PAUSE_SECONDS for fault in planned) < 60
    assert all(count >= 4 for count in Counter(fault.name for fault in planned).values())
