"""Faults of the network between a service and its servers; the proxies count that they happened."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable

from tests.chaos.link import Way
from tests.chaos.proxy import Proxy
from tests.chaos.trial import Inject, Trial
from tests.relay import JUDGES, SERVICES

SLOW_ANSWER_SECONDS = 2.0


def black_hole(way: Way) -> Inject:
    """Between one service and the broker nothing passes in one direction, for 20 to 30 s."""

    async def inject(trial: Trial) -> None:
        service = trial.chance.choice(SERVICES)
        proxy = trial.stage.to_broker[service]
        async with _faulty(trial, [proxy], "held"):
            proxy.hold({way})
            await asyncio.sleep(trial.chance.uniform(20, 30))

    return inject


async def half_open(trial: Trial) -> None:
    """One service's connections to the database lose the other end in silence; new ones are not answered."""
    proxy = trial.stage.to_database[trial.chance.choice(JUDGES)]
    async with _faulty(trial, [proxy], "half_opened"):
        proxy.half_open()
        await asyncio.sleep(trial.chance.uniform(30, 60))


async def resets(trial: Trial) -> None:
    """Every connection of one service is reset, five times within five seconds."""
    proxies = _proxies_of(trial, trial.chance.choice(SERVICES))
    async with _faulty(trial, proxies, "resets"):
        for _ in range(5):
            for proxy in proxies:
                proxy.reset()
            await asyncio.sleep(1)


async def cuts(trial: Trial) -> None:
    """For 10 s, every connection of one service is reset in mid-sentence after so many bytes."""
    proxies = _proxies_of(trial, trial.chance.choice(SERVICES))
    async with _faulty(trial, proxies, "resets"):
        for proxy in proxies:
            proxy.cut_after(trial.chance.randrange(1, 20_000))
        await asyncio.sleep(10)


async def latency(trial: Trial) -> None:
    """Half a second on every answer of broker and database, give or take a tenth: slower, and correct."""
    began = time.monotonic()
    async with _faulty(trial, trial.stage.proxies.values(), "delayed"):
        for proxy in trial.stage.proxies.values():
            proxy.slow(0.5, 0.05)
        await asyncio.sleep(20)
    answers = trial.probe.between(began, time.monotonic())
    times = sorted(answer.seconds for answer in answers)
    trial.within("p99 of ingest", times[len(times) * 99 // 100], SLOW_ANSWER_SECONDS)
    if wrong := [answer.status for answer in answers if answer.status != 200]:
        trial.violations.append(f"latency alone made ingest answer {sorted(set(wrong))}")


@contextlib.asynccontextmanager
async def _faulty(trial: Trial, proxies: Iterable[Proxy], counted: str) -> AsyncIterator[None]:
    proxies = list(proxies)
    before = sum(getattr(proxy.counts, counted) for proxy in proxies)
    try:
        yield
    finally:
        for proxy in proxies:
            proxy.heal()
        trial.over()
    trial.happened[counted] += sum(getattr(proxy.counts, counted) for proxy in proxies) - before


def _proxies_of(trial: Trial, service: str) -> list[Proxy]:
    return [proxy for name, proxy in trial.stage.proxies.items() if name.startswith(f"{service} to ")]
