"""An invariant that does not hold."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

EXAMPLES = 5


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold, how often, and some of the cases."""

    invariant: str
    text: str
    count: int
    examples: tuple[str, ...]


def broken(invariant: str, text: str, cases: Iterable[str]) -> Iterator[Violation]:
    """The violation, if there is a case of it."""
    if found := sorted(cases):
        yield Violation(invariant, text, len(found), tuple(found[:EXAMPLES]))
