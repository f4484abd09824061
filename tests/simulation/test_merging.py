"""Seeds with merges and unmerges, judged by the oracle of the chaos suite, and whether that finds what is spoilt."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy

import pytest

from tests.chaos.evidence import Evidence
from tests.chaos.spoilt_merges import SPOILT_MERGES
from tests.chaos.verdict import judge as verdict
from tests.simulation.merging import evidence_of, judge, merging_of
from tests.simulation.run import simulate
from tests.simulation.world import World

SEEDS = 150
SPOILT_SEEDS = range(60)
"""Seeds among which each way to spoil has to find its case."""


@pytest.mark.timeout(600)
def test_one_person_has_one_owner_and_one_promise_in_any_order_of_merges() -> None:
    happened: Counter[str] = Counter()
    for seed in range(SEEDS):
        run = simulate(merging_of(seed), judge)
        assert not run.violations, (seed, run.violations)
        happened += run.happened
    assert (
        min(happened[what] for what in ("forwarded", "moved", "handed_off", "cancelled", "met", "breaches")) > SEEDS / 2
    )


@pytest.fixture(scope="module")
def evidences() -> list[Evidence]:
    found: list[Evidence] = []

    def keep(world: World) -> list[str]:
        found.append(evidence_of(world))
        return []

    for seed in SPOILT_SEEDS:
        simulate(merging_of(seed), keep)
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("spoil", SPOILT_MERGES, ids=lambda spoil: spoil.__name__.strip("_"))
def test_what_is_spoilt_is_found(evidences: list[Evidence], spoil: Callable[[Evidence], None]) -> None:
    cases = 0
    for whole in evidences:
        evidence = deepcopy(whole)
        with suppress(StopIteration):
            spoil(evidence)
            cases += 1
            found = [violation.text for violation in verdict(evidence).violations]
            assert any(text.startswith(SPOILT_MERGES[spoil]) for text in found), found
    assert cases
