"""Which faults a run tries, in which order: a function of the seed and the time there is."""

import random
from collections.abc import Sequence

from tests.chaos.faults import CATALOGUE, KILLS
from tests.chaos.special import SPECIAL
from tests.chaos.trial import Fault

PAUSE_SECONDS = 2.0
"""Between one recovery and the next fault."""
LEAST_KILLS = 2
"""Of each kind, in a run over the whole catalogue."""


def plan(seed: int, minutes: float, names: Sequence[str] = ()) -> list[Fault]:
    """The faults in their order; they fill the minutes, by what each is expected to take.

    Over the whole catalogue (no `names`) each fault comes once and each kill twice before anything comes again; with
    `names`, only those, in turn. At least one fault comes however short the time is.
    """
    chance = random.Random(seed)
    chosen = [{**CATALOGUE, **SPECIAL}[name] for name in names]
    left, planned = minutes * 60, list[Fault]()
    first = chosen or [*CATALOGUE.values(), *(CATALOGUE[name] for _ in range(LEAST_KILLS - 1) for name in KILLS)]
    waiting = chance.sample(first, len(first))
    while left > 0:
        fits = [fault for fault in waiting if fault.seconds + PAUSE_SECONDS <= left]
        if not fits:
            break
        planned.append(fits[0])
        waiting.remove(fits[0])
        left -= fits[0].seconds + PAUSE_SECONDS
        waiting = waiting or chance.sample(first, len(first))
    return planned or waiting[:1]
