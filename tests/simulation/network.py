"""The simulated network: delays, refusals, lost answers. What was sent may arrive nevertheless."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from functools import partial
from random import Random
from typing import Any, TypeVar, cast

from chassis.process.failures import BrokerAway, DatabaseAway
from tests.simulation.loop import PROCESS, Process, asker
from tests.simulation.scenario import Fault

T = TypeVar("T")
DEADLINE = 12.0
SERVERS = Context()
STORE = frozenset(
    (
        *("claim", "owed_since", "leftovers", "leads", "fingerprints", "due", "beyond", "next_due", "shared", "commit"),
        *("recall", "slices"),
    )
)


class Network:
    """`glitches` are armed for one process each, and happen to its next request of that kind; calm: none at all."""

    def __init__(self, chance: Random, tell: Callable[..., None] = lambda *_: None) -> None:
        self._chance = chance
        self._tell = tell
        self.calm = False
        self.down: set[str] = set()
        self.glitches: list[Fault] = []
        self.strike: Callable[[Process, Fault], None] = lambda *_: None
        """Does to the process what a fault that was waiting for its request does beside it."""

    def run(self, what: str, effect: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Future[T]:
        """As `ask`, for an effect that takes its time at the server."""
        return self.ask(what, cast("Callable[[], T]", effect))

    def ask(self, what: str, effect: Callable[[], T]) -> asyncio.Future[T]:
        """Sends a request, whose effect is the server's own: it comes about even if the asker dies meanwhile."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        context = asker()
        process = PROCESS.get(None)
        name = process.name if process else ""
        away = DatabaseAway if what in STORE else BrokerAway
        fault = self.glitch(name, what, "refuse", "lose", "slow", "kill", "freeze")
        glitch = fault.kind if fault else ""
        go, back = self._delay(), self._delay()
        if fault:
            go += fault.seconds  # frozen, it sends when it goes on
            if process and glitch in ("kill", "freeze"):
                self.strike(process, fault)

        def arrive() -> None:
            outcome: Any
            if glitch == "refuse" or ("store" if what in STORE else "log") in self.down:
                return done(away(f"{what}: refused"))
            try:
                outcome = effect()
            except Exception as error:  # noqa: BLE001 - it is the asker's
                outcome = error
            if not isinstance(outcome, Coroutine):
                return done(outcome)
            task = loop.create_task(outcome)
            return task.add_done_callback(lambda _: done(task.exception() or task.result()))

        def done(outcome: Any) -> None:
            if glitch == "lose" and not isinstance(outcome, away):
                outcome = away(f"{what}: the answer was lost")
            if isinstance(outcome, Exception):
                self._tell(name, f"{what}: {type(outcome).__name__}", outcome)
            else:
                self._tell(name, what)
            loop.call_later(back, _deliver, answer, outcome, context=context)

        loop.call_later(go, arrive, context=SERVERS)
        if go + back > DEADLINE:
            loop.call_later(DEADLINE, _deliver, answer, away(f"{what}: no answer"), context=context)
        return answer

    def glitch(self, name: str, what: str, *kinds: str) -> Fault | None:
        """The first glitch of these kinds that is armed for the request; it happens once."""
        for fault in self.glitches if not self.calm else ():
            if fault.kind in kinds and (fault.process, fault.request) == (name, what):
                self.glitches.remove(fault)
                self._tell(name, f"{fault.kind}!", what)
                return fault
        return None

    def disk(self, what: str) -> Callable[[], Awaitable[object]]:
        """What the request, sent next, waits for on the database's disk."""
        process = PROCESS.get(None)
        fault = self.glitch(process.name, what, "disk") if process else None
        if fault and process:
            self.strike(process, fault)
        return partial(asyncio.sleep, fault.seconds if fault else 0)

    def _delay(self) -> float:
        if self.calm:
            return 0.001
        dice = self._chance.random()
        return dice / 100 if dice < 0.8 else dice / 4 if dice < 0.98 else dice * 3


def _deliver(answer: asyncio.Future[Any], outcome: Any) -> None:
    if answer.done():
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
