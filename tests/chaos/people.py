"""The load's people: the names that each has, and by which of them a tracker knows it at each step.

60 % are anonymous first and are linked later, each over devices of its own. The same for the same seed.
"""

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

Names = Mapping[str, str]
"""Identifier -> its value, the strongest first."""

ANONYMOUS_FIRST = 0.60
SIZES: tuple[dict[str, Any], ...] = (
    *({"company_size": size} for size in (9, 10, 120, 501, 2001)),
    *(
        {"company_size_range": each}
        for each in ({"least": 51, "most": 200}, {"least": 400, "most": 600}, {"least": 501})
    ),
)
INDUSTRIES = ("technology", "Financial Services", "farming")
MERGED = 0.10
"""Share of the people who have another, older address; both are known, and then merged."""
EMAIL, OLD, USER, DEVICE = "email", "old", "user_id", "anonymous_id"
IDENTIFIED = ((USER,), (USER,), (USER,), (USER, DEVICE), (DEVICE,), (EMAIL, USER, DEVICE))
"""What a tracker sends of somebody whom it knows, each as often as the others."""


class Step(NamedTuple):
    """The identifiers that a call carries, and whether it is an `identify`."""

    known_by: tuple[str, ...]
    identify: bool = False


class Person:
    """The `number`th person of a load; its company stays what it is."""

    def __init__(self, seed: int, number: int) -> None:
        chance = random.Random(f"{seed}-{number}")
        self.number = number
        self.company = {**chance.choice(SIZES), "industry": chance.choice(INDUSTRIES)}
        self.names = {EMAIL: f"chaos-{seed}-{number}@example.com"}
        self._course: list[Step] = []
        if chance.random() < ANONYMOUS_FIRST:
            self.names |= {USER: f"user-{seed}-{number}", DEVICE: f"device-{seed}-{number}"}
            self._course = [Step((DEVICE,))] * chance.randint(1, 6) + _login(chance)
        if chance.random() < MERGED:
            self.names[OLD] = f"chaos-{seed}-{number}-old@example.com"

    @property
    def anonymous_first(self) -> bool:
        """Whether its tracker learns its address only later."""
        return bool(self._course)

    def step(self, number: int, chance: random.Random) -> Step:
        """How its tracker's `number`th call knows it, counted from 0."""
        if not self.anonymous_first:
            return Step((self.address(chance),))
        return self._course[number] if number < len(self._course) else Step(chance.choice(IDENTIFIED))

    def address(self, chance: random.Random) -> str:
        """One of its addresses, EMAIL or OLD."""
        return OLD if OLD in self.names and chance.random() < 0.5 else EMAIL

    def named(self, known_by: tuple[str, ...]) -> Names:
        """Those of its names, as events have them."""
        return {EMAIL if by == OLD else by: self.names[by] for by in known_by}


def _login(chance: random.Random) -> list[Step]:
    """The calls that link the names: all at once; from the weakest up, a chain; or the device last."""
    between = [Step((USER,))] * chance.randint(0, 3)
    up, over = Step((USER, DEVICE), identify=True), Step((EMAIL, USER), identify=True)
    ways = ([Step((EMAIL, USER, DEVICE), identify=True)], [up, *between, over], [over, *between, up])
    return chance.choice(ways)


def link_of(alias: tuple[str, str], lead: tuple[str, str]) -> dict[str, Any]:
    """The data of a link, both given as identifier and lead id."""
    return {"alias": alias[1], "lead": lead[1], "alias_by": alias[0], "lead_by": lead[0]}
