"""Some leads are other names of others: the scorer forwards their engagements, as it will once there are links."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from unittest.mock import patch

from chassis.service import At, Decision, Forward, Keep, Move, Recall
from schemas.envelope import Fact
from scorer.app import Scorer
from scorer.rules import State
from tests.simulation import scenario
from tests.simulation.scenario import Scenario, scenario_of

_LEADS = [lead for _, lead in scenario._people()]
CHAINS = (0, 1, 2), (3, 4), (5, 6)
"""People of whom each is another name of the next one."""
LINKS: Mapping[str, str] = {_LEADS[one]: _LEADS[other] for chain in CHAINS for one, other in pairwise(chain)}
_decide, _tick = Scorer.decide, Scorer.tick
_linked: list[bool] = []


def links() -> Mapping[str, str]:
    """Alias -> lead, while the block of `linked` lasts."""
    return LINKS if _linked else {}


@contextmanager
def linked() -> Iterator[None]:
    """The scorer keeps nothing of an alias but the facts, and forwards each."""

    def decide(self: Scorer, state: State, fact: Fact, at: At) -> Decision[State]:
        to = LINKS.get(fact.lead_id)
        return _decide(self, state, fact, at) if to is None else Forward(state, to)

    def tick(self: Scorer, state: State, at: At) -> Keep[State] | Recall | Move:
        return Keep(state) if state.lead_id in LINKS else _tick(self, state, at)

    with patch.object(Scorer, "decide", decide), patch.object(Scorer, "tick", tick):
        _linked.append(True)
        try:
            yield
        finally:
            _linked.pop()


def forwarding_of(seed: int) -> Scenario:
    """The seed's scenario, in which no two leads have an event of one id."""
    whole = scenario_of(seed)
    return replace(whole, arrivals=tuple(replace(one, value=_named(one.key, one.value)) for one in whole.arrivals))


def _named(key: bytes, value: bytes) -> bytes:
    return value.replace(b'"id":"', b'"id":"' + key[:8] + b"-", 1)
