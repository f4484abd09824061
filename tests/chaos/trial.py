"""One fault injected once: the evidence that it happened, the recovery time, and the violations."""

import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.chaos.flow import Flow, Probe
from tests.chaos.stage import Stage

Inject = Callable[["Trial"], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """What can be done to the relay, and what it owes afterwards.

    `inject` does it and undoes it. `seconds` is about how long that and the recovery take together, for the plan;
    `limit` bounds the seconds from the fault's end until the relay flows again without help.
    """

    name: str
    about: str
    inject: Inject
    seconds: float
    limit: float


@dataclass
class Trial:
    """A fault being tried."""

    fault: Fault
    stage: Stage
    flow: Flow
    probe: Probe
    chance: random.Random
    slack: float = 1.0
    """Every limit times this: what a machine that others use too may take longer."""
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    recovery: float | None = None
    happened: Counter[str] = field(default_factory=Counter)
    """Evidence, from the kernel and the proxies: each figure has to be above 0."""
    notes: dict[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    _afterwards: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def over(self) -> None:
        """The fault ends now; recovery is measured from here."""
        self.ended = time.monotonic()

    def within(self, what: str, seconds: float, limit: float) -> None:
        """Notes a figure, and a violation when it is over its limit."""
        self.notes[what] = round(seconds, 2)
        self._hold(what, seconds, limit)

    def afterwards(self, check: Callable[[], Awaitable[None]]) -> None:
        """To be awaited once the relay has recovered."""
        self._afterwards.append(check)

    async def run(self) -> None:
        """Injects the fault, measures the recovery, and judges both."""
        try:
            await self.fault.inject(self)
        except TimeoutError:
            self.violations.append("it could not be done in time")
        since = self.ended or time.monotonic()
        self.recovery = await self.flow.recovered(since)
        self._hold("recovered after", self.recovery, self.fault.limit)
        for check in self._afterwards:
            await check()
        if not self.happened or not all(self.happened.values()):
            self.violations.append(f"it did not happen: {dict(self.happened)}")
        self.violations += self.probe.violations[self.probe.told :]
        self.probe.told = len(self.probe.violations)

    def _hold(self, what: str, seconds: float, limit: float) -> None:
        if seconds > limit * self.slack:
            self.violations.append(f"{what} {seconds:.1f} s, {limit * self.slack:g} s are allowed")
