"""The list of guards fits the code that it takes them out of."""

import pytest

from tests.chaos.guards import MUTANTS, Mutant
from tests.relay import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.guard)
def test_each_guard_stands_in_its_file_once(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.text) == 1
